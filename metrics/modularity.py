"""Modularity: does each latent tell of one factor only?

Ridgeway and Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", section
3, estimated as Locatello et al. 2019 do (disentanglement_lib, modularity_explicitness.py): the
mutual informations are those of `metrics.mig`, of codes in 20 bins.
"""

from __future__ import annotations

import numpy as np

from metrics.mig import discretise, mutual_information
from metrics.table import AbstractTable, Doubles, codes_at, draw_rows, factors_at, generator


def modularity(table: AbstractTable, *, seed: int, samples: int) -> dict[str, float]:
    """{"modularity": modularity} in [0, 1] of `samples` rows drawn with replacement.

    disent does not have it; its size `fast` is MIG's.
    """
    rng = generator(seed, "modularity")
    rows = draw_rows(table, rng, samples)
    factors = factors_at(table, rows)[table.varying]
    informations = [
        [mutual_information(code, factor) for factor in factors]
        for code in map(discretise, codes_at(table, rows, rng).T)
    ]
    return {"modularity": modularity_of(np.array(informations))}


def modularity_of(informations: Doubles) -> float:
    """modularity = mean_d (1 - delta_d), delta_d = (sum_k m_dk^2 - theta_d) / (theta_d (F - 1))

    with theta_d = max_k m_dk^2. informations: m, float64 [Z, F], the mutual information of latent d
    and factor k. A latent that tells nothing of any factor (theta_d = 0) counts with 0, so that
    dead latents lower the mean. With one factor a latent that tells of it counts with 1: there is
    no other to tell of.
    """
    squares = np.square(informations)
    largest = squares.max(axis=1)
    told = largest > 0
    others = squares[told].sum(axis=1) - largest[told]
    deviations = others / (largest[told] * max(1, squares.shape[1] - 1))
    # Rounding can leave a little less than 0 or more than 1.
    return float(np.clip(np.sum(1 - deviations) / len(squares), 0, 1))
