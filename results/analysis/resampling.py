"""How sure a statistic of thousands of runs is: resamples as counts of the runs.

The bootstrap of results.analysis.intervals for statistics that are matrices. The settings of a grid
are what they are, so a resample has of each setting as many runs as there are, drawn with
replacement: what varies is the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.intervals import CONFIDENCE, SEED, Interval

RESAMPLES = 500
"""Fewer than of one sample: the matrices are of thousands of runs."""
CHUNK = 50

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Resampled(NamedTuple):
    """A statistic of any shape, and its values in the resamples, [resamples, *shape].

    `seeds` is how many runs the settings have that it is of: the median of them.
    """

    value: Doubles
    resampled: Doubles
    seeds: int

    def bounds(self) -> tuple[Doubles, Doubles]:
        """The 95 % percentile interval of each entry; NaN where the settings have one seed.

        Widened to hold the value: resamples of few seeds have means that vary more and runs that
        vary less than the runs themselves.
        """
        tail = (1 - CONFIDENCE) / 2
        known = ~np.isnan(self.resampled).all(axis=0) & (self.seeds > 1)
        filled = np.where(known, self.resampled, 0.0)
        low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
        low, high = np.fmin(low, self.value), np.fmax(high, self.value)
        return np.where(known, low, np.nan), np.where(known, high, np.nan)

    def interval(self) -> Interval:
        """Of a statistic that is one number; its n are the seeds."""
        low, high = self.bounds()
        return Interval(float(self.value), float(low), float(high), self.seeds)

    def map(self, function: Callable[[Doubles], Doubles]) -> Resampled:
        """Of a function of the last axes, such as the mean of some entries."""
        return Resampled(function(self.value), function(self.resampled), self.seeds)


def known_mean(values: Doubles, axes: int) -> Doubles:
    """Over the last axes, the missing values left out; NaN where all are missing."""
    over = tuple(range(-axes, 0))
    known = ~np.isnan(values)
    count = known.sum(axis=over)
    total = np.where(known, values, 0.0).sum(axis=over)
    mean: Doubles = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def mean_of(parts: Sequence[Resampled]) -> Resampled | None:
    """The mean of one statistic over several sets of runs, of those that have it; None of none.

    The sets are resampled each by itself.
    """
    known = [part for part in parts if not np.isnan(part.value)]
    if not known:
        return None
    return Resampled(
        np.mean([part.value for part in known], axis=0),
        np.mean([part.resampled for part in known], axis=0),
        min(part.seeds for part in known),
    )


def stacked(*parts: Resampled) -> Resampled:
    """Statistics of the same runs, along a new first axis."""
    return Resampled(
        np.stack([part.value for part in parts]),
        np.stack([part.resampled for part in parts], axis=1),
        min(part.seeds for part in parts),
    )


def seeds_of(settings: npt.ArrayLike) -> int:
    """The median number of runs of a setting, rounded down; 0 where there are none."""
    counts = pd.Series(np.asarray(settings)).value_counts()
    return int(counts.median()) if len(counts) else 0


def resampled_counts(settings: npt.ArrayLike) -> Doubles:
    """How often each run is in each resample, [1 + resamples, runs].

    The first row is all 1: the runs themselves, whose statistic is the value.
    """
    rng = np.random.default_rng(SEED)
    of = np.asarray(settings)
    runs = len(of)
    order = np.argsort(of, kind="stable")
    _, starts, sizes = np.unique(of[order], return_index=True, return_counts=True)
    first, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    drawn = order[first + (rng.random((RESAMPLES, runs)) * size).astype(np.int64)]
    flat = (np.arange(RESAMPLES)[:, None] * runs + drawn).ravel()
    counts = np.bincount(flat, minlength=RESAMPLES * runs).reshape(RESAMPLES, runs)
    return np.concatenate([np.ones((1, runs)), counts])


def resample(statistic: Callable[[Doubles], Doubles], settings: npt.ArrayLike) -> Resampled:
    """Of a statistic that takes counts [r, runs] to values [r, *shape]."""
    counts = resampled_counts(settings)
    parts = [statistic(counts[at : at + CHUNK]) for at in range(0, len(counts), CHUNK)]
    values = np.concatenate(parts)
    return Resampled(values[0], values[1:], seeds_of(settings))
