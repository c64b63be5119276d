"""Spearman's rank correlation, fast enough to be resampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import rankdata


def rank_correlation(x: Any, y: Any) -> float:
    """corr(rank x, rank y), ties at their mean rank; NaN where one of them never varies.

    scipy.stats.spearmanr without its p-value.
    """
    return correlation(rankdata(x), rankdata(y))


def correlation(x: Any, y: Any) -> float:
    """Pearson's; NaN where one of them never varies."""
    a, b = (np.asarray(v, dtype=np.float64) - np.mean(v) for v in (x, y))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")
