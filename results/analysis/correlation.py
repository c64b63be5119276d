"""Spearman's correlation along the last axis, so that it is resampled at once, and over a grid."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from results.analysis.intervals import Interval, of_samples


def rank_correlation(x: Any, y: Any, axis: int = -1) -> Any:
    """corr(rank x, rank y), ties at their mean rank; NaN where one of the two never varies."""
    a, b = (rankdata(values, axis=axis) for values in (x, y))
    a, b = (ranks - ranks.mean(axis=axis, keepdims=True) for ranks in (a, b))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))


def trend(places: pd.Series, values: pd.Series) -> Interval:
    """Rank correlation of values with the places of a grid at which they were measured.

    The places are what they are: runs are resampled within each. n is the fewest runs of a place.
    """
    there = values[values.notna()].astype(float).groupby(places.astype(float))
    levels = [level for level, _ in there]

    def statistic(*samples: npt.NDArray[Any], axis: int = -1) -> Any:
        rows = [np.full(sample.shape, level) for level, sample in zip(levels, samples, strict=True)]
        x, y = np.concatenate(rows, axis), np.concatenate(samples, axis)
        return rank_correlation(x, y, axis)

    return of_samples([of for _, of in there], statistic)
