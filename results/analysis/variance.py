"""How much of a score's variance a grid's parameters explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.analysis.resampling import Doubles, Integers, Resampled, resample

ROUNDING = 1e-13
"""A deviation below this part of the values is none."""


def weighted_variance_explained(values: Doubles, groups: Integers, counts: Doubles) -> Doubles:
    """R^2 of the regression on indicators of the groups, which predicts a group's mean:

    R^2 = 1 - sum_g sum_(i in g) (x_i - mean_g)^2 / sum_i (x_i - mean)^2.

    values [n, S], groups [n] from 0, counts [R, n]; gives [R, S], NaN where a column is constant.
    """
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    of_groups, counts = values[order] - values.mean(axis=0), counts[:, order]
    sizes = np.maximum(np.add.reduceat(counts, starts, axis=1), 1)
    found = np.full((len(counts), values.shape[1]), np.nan)
    for score, column in enumerate(of_groups.T):
        sums = np.add.reduceat(counts * column, starts, axis=1)
        shift = sums.sum(axis=1) ** 2 / counts.sum(axis=1)
        squares = counts @ column**2
        total = squares - shift
        varies = total > len(values) * (ROUNDING * np.abs(values[:, score]).max()) ** 2
        np.divide((sums**2 / sizes).sum(axis=1) - shift, total, out=found[:, score], where=varies)
    shares: Doubles = np.clip(found, 0, 1)
    return shares


def variance_explained(
    runs: pd.DataFrame, scores: Sequence[str], by: Sequence[str]
) -> Resampled | None:
    """R^2 of each score by the columns `by`, over the runs that have all scores; None below three.

    Locatello et al. 2019, tables (a), by the objective, and (b), by objective and regularisation
    strength. What (b) leaves is the seed's. Of p groups among n runs, (p - 1)/(n - 1) is explained
    where there is no effect at all.
    """
    there = runs.dropna(subset=list(scores))
    if len(there) < 3:
        return None
    values = there[list(scores)].to_numpy(dtype=np.float64)
    groups: Integers = there.groupby(list(by), dropna=False).ngroup().to_numpy().astype(np.int64)
    return resample(
        lambda counts: weighted_variance_explained(values, groups, counts),
        there["setting"].to_numpy(),
    )
