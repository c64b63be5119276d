"""How sure a number over seeds is: bootstrap intervals, by scipy.stats.bootstrap."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import DegenerateDataWarning, bootstrap

CONFIDENCE = 0.95
RESAMPLES = 2_000
SEED = 0
"""Of the resamples: a report that is made twice has the same numbers."""

MOST_DRAWN = 10_000_000
"""Values in memory at a time."""

Statistic = Callable[..., Any]
"""Of arrays along the last axis, or along `axis` where it takes one."""


class Interval(NamedTuple):
    """A statistic and its 95 % percentile interval; NaN bounds where there is one value only.

    Widened to hold the value where it does not: resamples repeat runs, and their ties bias a rank
    correlation of few runs.
    """

    value: float
    low: float
    high: float
    n: int


def interval(values: Sequence[float] | pd.Series, statistic: Statistic = np.mean) -> Interval:
    """Of one sample, the missing values left out; `statistic` takes an array and `axis`.

    All NaN of none.
    """
    sample = np.asarray(values, dtype=np.float64)
    sample = sample[~np.isnan(sample)]
    if len(sample) == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    if len(sample) == 1:
        return Interval(float(statistic(sample)), np.nan, np.nan, 1)
    return _resampled((sample,), statistic, paired=False, n=len(sample))


def difference(
    first: Sequence[float] | pd.Series,
    second: Sequence[float] | pd.Series,
    statistic: Statistic = np.mean,
) -> Interval:
    """Of statistic(first) - statistic(second), two independent samples; n is the smaller one's."""

    def gap(x: npt.NDArray[Any], y: npt.NDArray[Any], axis: int = -1) -> Any:
        return statistic(x, axis=axis) - statistic(y, axis=axis)

    return of_samples((first, second), gap)


def paired(
    first: Sequence[float] | pd.Series, second: Sequence[float] | pd.Series, statistic: Statistic
) -> Interval:
    """Of statistic(first, second) over pairs, such as a rank correlation of two columns of runs.

    Pairs with a missing value are left out. Below three pairs there is no interval.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (first, second))
    there = ~(np.isnan(a) | np.isnan(b))
    a, b = a[there], b[there]
    if len(a) < 3:
        value = float(statistic(a, b)) if len(a) == 2 else np.nan
        return Interval(value, np.nan, np.nan, len(a))
    return _resampled((a, b), statistic, paired=True, n=len(a))


def of_samples(samples: Sequence[Sequence[float] | pd.Series], statistic: Statistic) -> Interval:
    """Of statistic(*samples), independent samples of runs; n is the smallest one's.

    The missing values are left out.
    """
    arrays = [np.asarray(values, dtype=np.float64) for values in samples]
    there = tuple(values[~np.isnan(values)] for values in arrays)
    n = min((len(values) for values in there), default=0)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    if n == 1:
        return Interval(float(statistic(*there)), np.nan, np.nan, 1)
    return _resampled(there, statistic, paired=False, n=n)


def _resampled(
    samples: tuple[npt.NDArray[np.float64], ...], statistic: Statistic, *, paired: bool, n: int
) -> Interval:
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # resamples without any variation
        found = bootstrap(
            samples,
            statistic,
            paired=paired,
            vectorized=None,  # resamples at once, where the statistic takes an axis
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="percentile",
            rng=np.random.default_rng(SEED),
        )
        value = float(statistic(*samples))
    return around(value, found.bootstrap_distribution, n)


def around(value: float, resampled: npt.NDArray[np.float64], n: int) -> Interval:
    """The interval of a value by what it is in resamples, those left out that have none."""
    known = resampled[~np.isnan(resampled)]
    if len(known) == 0:
        return Interval(value, np.nan, np.nan, n)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(value, min(float(low), value), max(float(high), value), n)


def by_group(
    rows: pd.DataFrame,
    keys: Sequence[str],
    value: str = "value",
    statistic: Statistic = np.mean,
) -> pd.DataFrame:
    """A row a combination of `keys`: them, `value`, `low`, `high`, `n`, and `sd` (ddof 1).

    The numbers are those of `interval`; groups of one size are resampled together.
    """
    grouped = rows.groupby(list(keys), dropna=False, sort=False, observed=True)[value]
    names = [key for key, _ in grouped]
    samples = [values.to_numpy(dtype=np.float64, na_value=np.nan) for _, values in grouped]
    samples = [sample[~np.isnan(sample)] for sample in samples]
    found = np.full((len(samples), 5), np.nan)
    for n in {len(sample) for sample in samples}:
        of_size = [i for i, sample in enumerate(samples) if len(sample) == n]
        found[of_size, 3] = n
        if n:
            stack = np.stack([samples[i] for i in of_size])
            found[of_size, 0] = statistic(stack, axis=-1)
        if n > 1:
            low, high = _bounds(stack, statistic)
            # As `around` does.
            found[of_size, 1] = np.minimum(low, found[of_size, 0])
            found[of_size, 2] = np.maximum(high, found[of_size, 0])
            found[of_size, 4] = stack.std(axis=-1, ddof=1)
    table = pd.DataFrame(names, columns=list(keys))
    table[["value", "low", "high", "n", "sd"]] = found
    table["n"] = table["n"].astype(int)
    return table.sort_values(list(keys), ignore_index=True)


def _bounds(
    samples: npt.NDArray[np.float64], statistic: Statistic
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Percentile bounds of the samples in the rows, all by the resamples that `interval` draws."""
    n = samples.shape[1]
    drawn = np.random.default_rng(SEED).integers(0, n, (RESAMPLES, n))
    tail = (1 - CONFIDENCE) / 2
    together = max(1, MOST_DRAWN // drawn.size)
    parts = [
        np.quantile(
            statistic(samples[at : at + together][:, drawn], axis=-1), [tail, 1 - tail], axis=-1
        )
        for at in range(0, len(samples), together)
    ]
    low, high = np.concatenate(parts, axis=1)
    return low, high
