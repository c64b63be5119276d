"""Do distances between images follow distances between factors?

Of rows of results.schema.DISTANCES. Michlo et al. 2023: slides ("ground-truth distances usually
correspond to VAE perceived distances"), and the supplement's figure 1 (the steps of XYSquares). The
measures are ours; the paper shows pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.correlation import rank_correlation
from results.distances import RANDOM, ground_truth_matrix, matrix_of

DIGITS = 6
"""Distances that agree in so many are equal: sums in another order differ in the last bits."""

Doubles = npt.NDArray[np.float64]


class Agreement(NamedTuple):
    """How a matrix of perceived distances goes with that of ground-truth ones.

    Over the pairs of positions a < b:

        pearson   = corr(|a - b|, d_ab)          rank = corr(rank |a - b|, rank d_ab)
        variation = sd(d_ab) / mean(d_ab)

    Correlations are 0 where no distance differs from another: nothing is in order then.
    """

    pearson: float
    rank: float
    variation: float


def agreement(perceived: Doubles, truth: Doubles) -> Agreement:
    """Of two matrices float64 [positions, positions]; NaN of fewer than three positions."""
    if len(perceived) < 3:
        return Agreement(np.nan, np.nan, np.nan)
    pairs = np.triu_indices(len(perceived), k=1)
    d, steps = perceived[pairs], truth[pairs]
    scaled = np.round(d / (d.mean() or 1.0), DIGITS)
    if scaled.std() == 0:
        return Agreement(0.0, 0.0, 0.0)
    pearson = float(np.corrcoef(scaled, steps)[0, 1])
    return Agreement(pearson, float(rank_correlation(scaled, steps)), float(scaled.std()))


def agreements(distances: pd.DataFrame, cyclic: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """A row a measurement (`trial_id`) and factor: `pearson`, `rank`, `variation`, `rank_around`.

    `rank_around` is of the shorter way around the circle, for the factors that are in `cyclic` (the
    steps once around, by `trial_id`). Ground truth is linear in the others, as in the slides.
    """
    rows = []
    for row in distances[distances["factor"] != RANDOM].to_dict("records"):
        positions, period = int(row["positions"]), cyclic[row["trial_id"]].get(row["factor"])
        perceived = matrix_of(row["distance_matrix"])
        around = np.nan
        if period is not None:
            around = agreement(perceived, ground_truth_matrix(positions, period)).rank
        along = agreement(perceived, ground_truth_matrix(positions))
        rows.append((row["trial_id"], row["factor"], *along, around))
    names = ["trial_id", "factor", *Agreement._fields, "rank_around"]
    return pd.DataFrame(rows, columns=names)


def level_share(quantiles: Sequence[float] | Doubles) -> float:
    """The share of the steps of a cumulative curve in which the distance does not grow.

    Of quantiles q_0, ..., q_n: #{i : q_i = q_i-1} / n. 1 where all distances are equal, near 1 for
    a step function, near 0 for a continuous one.
    """
    q = np.asarray(quantiles, dtype=np.float64)
    return float((np.diff(q) <= 10**-DIGITS * q[-1]).mean())
