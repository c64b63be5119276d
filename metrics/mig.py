"""The Mutual Information Gap: is each factor told by one latent more than by any other?

Chen, Li, Grosse, Duvenaud 2018, "Isolating Sources of Disentanglement in Variational Autoencoders",
equation 6, estimated as Locatello et al. 2019 do (disentanglement_lib, mig.py): the codes are put
into bins and the mutual information is that of the counts. Other estimators give other values.
"""

from __future__ import annotations

import numpy as np

from metrics.table import (
    AbstractTable,
    Doubles,
    Integers,
    codes_at,
    draw_rows,
    factors_at,
    generator,
)

BINS = 20


def mig(table: AbstractTable, *, seed: int, samples: int) -> dict[str, float]:
    """{"mig": MIG} in [0, 1] of `samples` rows drawn with replacement (10,000 in the papers)."""
    rng = generator(seed, "mig")
    rows = draw_rows(table, rng, samples)
    return {"mig": mutual_information_gap(codes_at(table, rows, rng), factors_at(table, rows))}


def mutual_information_gap(codes: Doubles, factors: Integers) -> float:
    """MIG = mean_k (I_(1),k - I_(2),k) / H_k

    with I_(1),k and I_(2),k the largest and the second largest of the mutual informations between
    factor k and each latent, and H_k the entropy of factor k.

    codes: float64 [S, Z]; factors: int64 [F, S]. With a single latent, I_(2),k = 0. A factor that
    is the same in all samples has no entropy and is left out; with none left the gap is 0.
    """
    binned = [discretise(code) for code in codes.T]
    gaps = []
    for factor in factors:
        if (entropy := mutual_information(factor, factor)) > 0:
            informations = sorted(mutual_information(code, factor) for code in binned)
            second, first = informations[-2:] if len(informations) > 1 else (0.0, informations[0])
            gaps.append((first - second) / entropy)
    # Rounding can leave a little more than 1.
    return min(1.0, float(np.mean(gaps))) if gaps else 0.0


def discretise(code: Doubles) -> Integers:
    """The bin, 0..19, of each value: 20 of equal width from the smallest value to the largest.

    A bin holds its left edge; the last one holds both. All of a constant code is in one bin.
    """
    if code.min() == code.max():  # NumPy finds no edges around a large constant
        return np.zeros(len(code), dtype=np.int64)
    edges = np.histogram_bin_edges(code, BINS)
    return np.digitize(code, edges[:-1]) - 1


def mutual_information(x: Integers, y: Integers) -> float:
    """I(x; y) = sum_ij p_ij ln(p_ij / (p_i p_j)) in nats, p being shares of the samples.

    x, y: int64 [S], not negative. I(x; x) is the entropy of x.
    """
    width = int(y.max()) + 1
    pairs, counts = np.unique(x * width + y, return_counts=True)
    in_x, in_y = np.bincount(x), np.bincount(y)
    p = counts / len(x)
    independent = in_x[pairs // width] / len(x) * (in_y[pairs % width] / len(x))
    # Rounding can leave a little less than the nought that is the smallest.
    return max(0.0, float(np.sum(p * np.log(p / independent))))
