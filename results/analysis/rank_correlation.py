"""Rank correlations of scores over runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.analysis.resampling import Doubles, Resampled, resample


def weighted_rank_correlations(values: Doubles, counts: Doubles) -> Doubles:
    """Spearman's rho of every two columns, where each row counts as often as `counts` says.

    rho_st = cov(r_s, r_t) / (sd(r_s) sd(r_t)) with r the ranks, of equal values their mean.
    values [n, S], counts [R, n]; gives [R, S, S], NaN where a column does not vary.
    """
    ranks = np.stack([_ranks(column, counts) for column in values.T], axis=-1)
    total = counts.sum(axis=1)
    ranks -= (np.einsum("rn,rns->rs", counts, ranks) / total[:, None])[:, None]
    weighted = ranks * np.sqrt(counts)[:, :, None]
    covariance = weighted.transpose(0, 2, 1) @ weighted
    deviation = np.sqrt(np.einsum("rss->rs", covariance))
    scale = deviation[:, :, None] * deviation[:, None]
    flat = deviation <= 1e-9 * total[:, None]
    scale[flat[:, :, None] | flat[:, None]] = np.nan
    rho: Doubles = np.clip(covariance / scale, -1, 1)
    return rho


def _ranks(column: Doubles, counts: Doubles) -> Doubles:
    """[R, n]: the mean rank of each row among the counted ones, up to a constant."""
    order = np.argsort(column, kind="stable")
    _, starts, sizes = np.unique(column[order], return_index=True, return_counts=True)
    tied = np.add.reduceat(counts[:, order], starts, axis=1)
    middle = np.repeat(np.cumsum(tied, axis=1) - tied / 2, sizes, axis=1)
    ranks = np.empty_like(counts)
    ranks[:, order] = middle
    return ranks


def rank_correlations(runs: pd.DataFrame, scores: Sequence[str]) -> Resampled | None:
    """[S, S] over the runs that have all of the scores; None of fewer than three.

    `runs` has `setting` and a column a score. Locatello et al. 2019, figures 2 and 5.
    """
    there = runs.dropna(subset=list(scores))
    if len(there) < 3:
        return None
    values = there[list(scores)].to_numpy(dtype=np.float64)
    return resample(
        lambda counts: weighted_rank_correlations(values, counts), there["setting"].to_numpy()
    )
