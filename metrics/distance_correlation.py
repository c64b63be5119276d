"""Do distances between codes follow distances between factors? And how straight are traversals?

Michlo's factored components, disent 8f061a8 (2023), metrics/_factored_components.py, of which no
paper has the definition. Of disent's scores, those that compare with distances between images are
left out: a code table has no images.
"""

from __future__ import annotations

import numpy as np

from metrics.distances import distances, draw_traversals
from metrics.table import (
    AbstractTable,
    Doubles,
    Floats,
    Integers,
    draw_rows,
    factors_at,
    generator,
    looked_up,
)

BATCH = 32  # rows, of a global batch
BLOCK_VALUES = 2**17  # 1 MiB of float64: what is gathered at a time stays in the cache
KINDS = ("rcorr", "lcorr", "rsame")


def distance_correlation(
    table: AbstractTable, *, seed: int, repeats: int, triplets: int
) -> dict[str, float]:
    """How distances between codes order, rank and scale as those between factors do.

    Along a factor: `repeats` random traversals, and `triplets` triplets (a, p, n) of positions of
    each, drawn with replacement, so that distances of 0 occur; the ground distances are |a - p| and
    |a - n|. Globally: as many batches of 32 random rows, and triplets of rows of a batch; ground
    distances are in l1 between their factor positions. The distances of the codes are in l1 or l2.

    distance_correlation_rcorr_*, _lcorr_*: Spearman's and Pearson's correlation of the 2 x triplets
        x repeats pairs of distances, from -1 to 1; 0 where one of the two never varies.
    distance_correlation_rsame_*: the share of triplets in which both kinds of distance are ordered
        alike: p is nearer in both, n is nearer in both, or both are equal. Equal to the last bit:
        codes i / (n - 1) in float32 have steps that differ in it, so that perfect ones get .97.
    ..._l1_factor, _l2_factor: along factors, combined as their geometric mean, which is 0 with a
        factor of 0 or less, where disent has NaN. ..._l1_global, _l2_global: globally.
    distance_correlation_linear_ratio: along factors, the largest eigenvalue of the covariance of a
        traversal's codes over their sum, scaled from [1/Z, 1] to [0, 1]: 1 for a straight line.
    distance_correlation_axis_ratio: the same of the variances of the latents, 1 for a line along
        one of them. distance_correlation_axis_alignment: the second over the first.
        Means over traversals, combined as the geometric mean over factors. A traversal along which
        nothing varies counts 0; of a single latent any other one counts 1.

    The metric's value is distance_correlation_rcorr_l2_factor.
    """
    rng = generator(seed, "distance_correlation")
    along, straight = [], []
    for factor in table.varying:
        codes, traversals = looked_up(table, draw_traversals(table, rng, factor, repeats), rng)
        picked = rng.integers(traversals.shape[1], size=(3, repeats, triplets))
        ground = np.abs(picked[0] - picked[1:])
        along.append(agreement(codes, triplet_rows(traversals, picked), ground))
        straight.append(straightness(codes, traversals))

    batches = draw_rows(table, rng, repeats * BATCH).reshape(repeats, BATCH)
    picked = rng.integers(BATCH, size=(3, repeats, triplets))
    rows = triplet_rows(batches, picked)
    anchor, *others = (factors_at(table, of_triplet.ravel()) for of_triplet in rows)
    ground = np.stack([np.abs(anchor - other).sum(axis=0) for other in others])
    codes, places = looked_up(table, batches, rng)
    everywhere = agreement(codes, triplet_rows(places, picked), ground)

    scores = {}
    for name, value in everywhere.items():
        factors = geometric_mean(np.array([found[name] for found in along]))
        scores[f"distance_correlation_{name}_factor"] = factors
        scores[f"distance_correlation_{name}_global"] = value
    names = ("linear_ratio", "axis_ratio", "axis_alignment")
    for name, values in zip(names, np.transpose(straight), strict=True):
        scores[f"distance_correlation_{name}"] = geometric_mean(values)
    return scores


def triplet_rows(rows: Integers, picked: Integers) -> Integers:
    """int64 [3, T, K]: from each of the rows [T, n] those at the places `picked`, [3, T, K]."""
    return np.take_along_axis(rows[None], picked, axis=2)


def agreement(codes: Floats, rows: Integers, ground: Integers) -> dict[str, float]:
    """rcorr, lcorr and rsame, in l2 and in l1, of triplets' distances between codes [N, Z].

    rows: int64 [3, ...], of the anchors, of p and of n. ground: int64 [2, ...], the distances of p
    and of n from the anchors.
    """
    anchors, near, far = rows.reshape(3, -1)
    pairs = np.tile(anchors, 2), np.concatenate([near, far])
    ground = ground.ravel()
    ground_ranks, ground_order = ranks(ground), order(ground)
    found = {}
    for norm, latent in zip(("l1", "l2"), distances(codes, *pairs), strict=True):
        found[f"rcorr_{norm}"] = correlation(ground_ranks, ranks(latent))
        found[f"lcorr_{norm}"] = correlation(ground.astype(np.float64), latent)
        found[f"rsame_{norm}"] = float(np.mean(order(latent) == ground_order))
    return {f"{kind}_{norm}": found[f"{kind}_{norm}"] for norm in ("l2", "l1") for kind in KINDS}


def order(values: Doubles | Integers) -> Integers:
    """int64 [P]: -1, 0 or 1 as the first half of values, [2P], is below, at or above the second."""
    first, second = values.reshape(2, -1)
    return np.sign(first - second).astype(np.int64)


def ranks(values: Doubles | Integers) -> Doubles:
    """float64 [P]: the rank of each value from 1 up; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    shared: Doubles = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return shared


def correlation(x: Doubles, y: Doubles) -> float:
    """Pearson's, of float64 [P] both; 0 where one of them never varies."""
    if x.min() == x.max() or y.min() == y.max():
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    shared = np.sum(x * y) / np.sqrt(np.sum(x**2)) / np.sqrt(np.sum(y**2))
    # Rounding can leave a little more than 1.
    return float(np.clip(shared, -1.0, 1.0))


def straightness(table_codes: Floats, traversals: Integers) -> Doubles:
    """float64 [3]: linear ratio, axis ratio and axis alignment, means over traversals [T, n].

    traversals: rows of codes [N, Z].
    """
    total = np.zeros(3)
    latents = table_codes.shape[1]
    block = max(1, BLOCK_VALUES // (traversals.shape[1] * latents))
    for start in range(0, len(traversals), block):
        codes = np.take(table_codes, traversals[start : start + block], axis=0).astype(np.float64)
        codes -= codes.mean(axis=1, keepdims=True)
        scatter = np.sum(codes**2, axis=1)
        # Both products have the same largest eigenvalue, that of n - 1 times the covariance.
        transposed = codes.swapaxes(1, 2)
        wide = latents > codes.shape[1]
        product = codes @ transposed if wide else transposed @ codes
        largest = np.asarray(np.linalg.eigvalsh(product)[:, -1], dtype=np.float64)
        linear = scaled_share(largest, scatter.sum(axis=1), latents)
        axis = scaled_share(scatter.max(axis=1), scatter.sum(axis=1), latents)
        alignment = np.divide(axis, linear, out=np.zeros_like(axis), where=linear > 0)
        total += [linear.sum(), axis.sum(), np.minimum(alignment, 1.0).sum()]
    return total / len(traversals)


def scaled_share(largest: Doubles, total: Doubles, latents: int) -> Doubles:
    """float64 [T]: (r - 1/Z) / (1 - 1/Z) with r = largest / total, 0 to 1; 0 for a total of 0."""
    share = np.divide(largest, total, out=np.zeros_like(total), where=total > 0)
    if latents == 1:
        return share
    return np.clip((share - 1 / latents) / (1 - 1 / latents), 0.0, 1.0)


def geometric_mean(values: Doubles) -> float:
    """(prod values)^(1/F) of float64 [F], or 0 where one of them is 0 or less."""
    return float(np.exp(np.mean(np.log(values)))) if values.min() > 0 else 0.0
