"""The Interventional Robustness Score: how much of a latent's range is left when one factor is held
fixed and all others vary?

Suter, Miladinovic, Schölkopf, Bauer 2019, "Robustly Disentangled Causal Mechanisms", section 4, as
disentanglement_lib estimates it (irs.py).
"""

from __future__ import annotations

import math

import numpy as np

from metrics.mig import discretise
from metrics.table import (
    AbstractTable,
    Doubles,
    Integers,
    codes_at,
    draw_rows,
    factors_at,
    generator,
)

QUANTILE = 0.99
"""Of the deviations of a group; the paper takes the largest, which one outlier decides."""


def irs(table: AbstractTable, *, seed: int, samples: int) -> dict[str, float]:
    """{"irs": IRS, "irs_varying_latents": their number} of `samples` rows drawn with replacement.

    IRS is 1 at best and 0 where no latent varies. Latents of noise alone score .3 or so, because
    the 99th percentile of their deviations is far from the largest one. A latent that only leans
    to one of two extremes when a factor is held fixed can score below 0, but not below -1.
    """
    rng = generator(seed, "irs")
    rows = draw_rows(table, rng, samples)
    codes = codes_at(table, rows, rng)
    codes = codes[:, codes.min(axis=0) < codes.max(axis=0)]
    score = interventional_robustness(codes, factors_at(table, rows)[table.varying])
    return {"irs": score, "irs_varying_latents": float(codes.shape[1])}


def interventional_robustness(codes: Doubles, factors: Integers) -> float:
    """IRS = sum_d M_d score_d / sum_d M_d,  score_d = max_k (1 - PIDA_dk)

    with M_d = max |z_d - mean z_d| and PIDA_dk the mean over the groups g of factor k of the 99th
    percentile of |z_d - mean(z_d | g)| / M_d.

    codes: float64 [S, Z], none of them constant; factors: int64 [F, S]. The groups of a factor are
    20 bins of equal width over its positions, so that neighbours share one where a factor has more
    than 20: then not even the factor itself scores 1.
    """
    if not codes.shape[1]:
        return 0.0
    largest = np.abs(codes - codes.mean(axis=0)).max(axis=0)
    scores = np.max([1 - _left_when_fixed(codes, factor) / largest for factor in factors], axis=0)
    # Exact sums, which the order of the latents does not change.
    return math.fsum(largest * scores) / math.fsum(largest)


def _left_when_fixed(codes: Doubles, factor: Integers) -> Doubles:
    """float64 [Z]: the mean over groups of the percentile of the deviations from a group's mean."""
    bins = discretise(factor.astype(np.float64))
    groups = [codes[bins == group] for group in np.unique(bins)]
    deviations = [np.abs(group - group.mean(axis=0)) for group in groups]
    percentiles = [np.quantile(deviation, QUANTILE, axis=0) for deviation in deviations]
    left: Doubles = np.mean(percentiles, axis=0)
    return left
