"""How much of the variance of scores goes with a choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.intervals import Interval, interval


def explained(values: Any, groups: Any, axis: int = -1) -> Any:
    """The share of the variance that lies between groups, along the last axis.

        eta^2 = sum_g n_g (mean_g - mean)^2 / sum_i (v_i - mean)^2

    R^2 of a regression on the one-hot group; NaN where nothing varies. `groups` are whole numbers.
    """
    assert axis == -1
    v = values - values.mean(axis=-1, keepdims=True)
    between = np.zeros(v.shape[:-1])
    for group in np.unique(groups):
        inside = groups == group
        total = (v * inside).sum(axis=-1)
        between += total**2 / np.maximum(inside.sum(axis=-1), 1)
    with np.errstate(invalid="ignore"):
        return between / (v**2).sum(axis=-1)


def explained_gap(values: pd.Series, first: pd.Series, second: pd.Series) -> Interval:
    """Share explained by the first grouping less that by the second, runs resampled together.

    n is the fewest runs of a group of the first.
    """
    v = values.to_numpy(dtype=np.float64)
    a, b = (pd.factorize(groups)[0] for groups in (first, second))

    def gap(runs: npt.NDArray[Any], axis: int = -1) -> Any:
        at = runs.astype(np.int64)
        return explained(v[at], a[at], axis) - explained(v[at], b[at], axis)

    return interval(pd.Series(range(len(v))), gap)._replace(n=int(np.bincount(a).min()))
