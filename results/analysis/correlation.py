"""Spearman's correlation along the last axis, so that it is resampled at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata


def rank_correlation(x: Any, y: Any, axis: int = -1) -> Any:
    """corr(rank x, rank y), ties at their mean rank; NaN where one of the two never varies."""
    a, b = (rankdata(values, axis=axis) for values in (x, y))
    a, b = (ranks - ranks.mean(axis=axis, keepdims=True) for ranks in (a, b))
    with np.errstate(invalid="ignore"):
        return (a * b).sum(axis) / np.sqrt((a * a).sum(axis) * (b * b).sum(axis))
