"""Whether two curves of a training go together: Fil et al. 2021, section 3.2, figures 7 and 8."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.correlation import rank_correlation
from results.analysis.intervals import RESAMPLES, SEED, Interval, around

Doubles = npt.NDArray[np.float64]


def rank_agreement(points: pd.DataFrame, first: str, second: str) -> Interval:
    """Spearman's rank correlation of two columns over all points of all trials.

        rho = Corr(rank(first), rank(second))

    Points of one training are not independent: a resample draws whole trials (`trial_id`), and n is
    their number. Trials have the same steps; where some are still short, the steps that all have
    count. NaN where nothing varies, or there are fewer than two points.
    """
    values = _by_trial(points, first, second)
    trials, steps, _ = values.shape
    if trials * steps < 2:
        return Interval(np.nan, np.nan, np.nan, trials)
    value = float(rank_correlation(*values.reshape(-1, 2).T))
    if trials == 1:
        return Interval(value, np.nan, np.nan, 1)
    drawn = np.random.default_rng(SEED).integers(trials, size=(RESAMPLES, trials))
    resampled = values[drawn].reshape(RESAMPLES, -1, 2)
    found = rank_correlation(resampled[..., 0], resampled[..., 1])
    return around(value, found, trials)


def _by_trial(points: pd.DataFrame, first: str, second: str) -> Doubles:
    """[trials, steps, 2]."""
    there = points.dropna(subset=[first, second])
    tables = [
        there.pivot(index="trial_id", columns="step", values=name).dropna(axis=1)
        for name in (first, second)
    ]
    return np.stack([table.to_numpy(dtype=np.float64) for table in tables], axis=-1)
