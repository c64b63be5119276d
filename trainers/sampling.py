"""Which images a step sees: batches and pairs of cells, and draws of their nuisance.

All with replacement. B batch, F factors; the sizes of the factors are int64 [F]. Every shape is
static, and everything stays on the device of `step` and of the sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grids import parts
from trainers.streams import Stream, below, words


def cells(seed: int, step: int | Tensor, batch_size: int, sizes_F: Tensor) -> Tensor:
    """Independent uniform positions of every factor, int64 [B, F]: uniform over the grid."""
    words_BF = words(seed, Stream.CELLS, step, batch_size, len(sizes_F))
    return below(words_BF, sizes_F)


def nuisances(seed: int, step: int | Tensor, batch_size: int, count: int) -> Tensor:
    """Independent uniform draws of the nuisance, int64 [B] in [0, count); count <= 2^31."""
    if count == 1:
        device = step.device if isinstance(step, Tensor) else None
        return torch.zeros(batch_size, dtype=torch.int64, device=device)
    return below(words(seed, Stream.NUISANCE, step, batch_size, 1)[:, 0], count)


def pairs(
    seed: int,
    step: int | Tensor,
    batch_size: int,
    sizes_F: Tensor,
    framework: parts.AdaGVAE,
) -> tuple[Tensor, Tensor]:
    """Two cells of which k factors may differ, int64 [B, F] each; k by `framework.k_rule`:

    uniform: k ~ U{1..F}; the k chosen factors do differ (Michlo et al. 2023, supplement, B.3, as
        printed).
    orig: k' ~ U{1..F-1}, then k = 1 or k = k' with probability 1/2 each; the chosen factors are
        drawn again and may stay equal (disentanglement_lib's simple_dynamics and disent's
        GroundTruthPairOrigSampler, as both studies ran).
    fixed: k = `framework.k`; the k chosen factors do differ (Locatello et al. 2020, section 5,
        draw them again, so that theirs are at most k).

    Raises ValueError where there is but one factor, so that pairs would have nothing to share.
    """
    num_factors = len(sizes_F)
    if num_factors < 2:
        raise ValueError(f"pairs need a dataset of at least 2 factors; this one has {num_factors}")
    first_BF = cells(seed, step, batch_size, sizes_F)
    # Columns: F keys, F new positions, the coin, k. Their order is part of every answer.
    words_BW = words(seed, Stream.PAIRS, step, batch_size, 2 * num_factors + 2)
    keys_BF, positions_BF = words_BW[:, :num_factors], words_BW[:, num_factors : 2 * num_factors]
    coin_B1, k_B1 = words_BW[:, -2:-1], words_BW[:, -1:]

    if framework.k_rule == "orig":
        number_B1 = 1 + below(coin_B1, 2) * below(k_B1, num_factors - 1)
        other_BF = below(positions_BF, sizes_F)
    else:
        number_B1 = 1 + below(k_B1, num_factors)
        if framework.k is not None:
            number_B1 = torch.full_like(k_B1, framework.k)
        other_BF = (first_BF + 1 + below(positions_BF, sizes_F - 1)) % sizes_F

    rank_BF = keys_BF.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
    return first_BF, torch.where(rank_BF < number_B1, other_BF, first_BF)
