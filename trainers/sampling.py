"""Which images a step sees: batches and pairs of cells, and draws of their nuisance.

B batch, F factors; the sizes of the factors are int64 [F]. Everything stays on the device of `step`
and of the sizes. Where `step` is a tensor [S] of steps, B counts the rows of all of them, step by
step.
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
        steps = torch.as_tensor(step)
        return torch.zeros(steps.numel() * batch_size, dtype=torch.int64, device=steps.device)
    return below(words(seed, Stream.NUISANCE, step, batch_size, 1)[:, 0], count)


class Epochs:
    """Without replacement: every image once an epoch, in an order that is the epoch's own.

    Batches follow each other over the end of an epoch, so that all have one size. The orders that
    were last drawn from lie in memory.
    """

    def __init__(self, seed: int, images: int, batch_size: int, device: torch.device) -> None:
        self.seed, self.images, self.batch_size, self.device = seed, images, batch_size, device
        self._orders: dict[int, Tensor] = {}

    def numbers(self, first_step: int, steps: int) -> Tensor:
        """Numbers of the images of so many steps, int64 [steps * B] in [0, images)."""
        start, end = first_step * self.batch_size, (first_step + steps) * self.batch_size
        epochs = range(start // self.images, (end - 1) // self.images + 1)
        kept = {epoch: order for epoch, order in self._orders.items() if epoch in epochs}
        missing = [epoch for epoch in epochs if epoch not in kept]
        if missing:
            kept |= self._made(range(missing[0], epochs.stop))
        self._orders = kept
        return torch.cat(
            [
                kept[epoch][max(start - epoch * self.images, 0) : end - epoch * self.images]
                for epoch in epochs
            ]
        )

    def _made(self, epochs: range) -> dict[int, Tensor]:
        """All numbers, sorted by 62 random bits each (two alike keep their order), by epoch."""
        epoch_E = torch.arange(epochs.start, epochs.stop, device=self.device)
        words_N2 = words(self.seed, Stream.ORDER, epoch_E, self.images, 2)
        keys_EN = ((words_N2[:, 0] >> 2 << 32) | words_N2[:, 1]).view(len(epochs), self.images)
        return dict(zip(epochs, keys_EN.argsort(dim=1, stable=True), strict=True))


def images_of(numbers_B: Tensor, positions: list[Tensor], nuisances: int) -> tuple[Tensor, Tensor]:
    """Positions of the factors, [B, F], and draws of the nuisance, [B], of numbered images.

    The draw moves faster than the cell, whose last factor moves fastest; all int64.
    """
    return factors_of(numbers_B // nuisances, positions), numbers_B % nuisances


def factors_of(cells_B: Tensor, positions: list[Tensor]) -> Tensor:
    """Positions of the factors at row-major cells of a grid of those positions, int64 [B, F]."""
    columns: list[Tensor] = []
    for positions_P in reversed(positions):
        columns.append(positions_P[cells_B % len(positions_P)])
        cells_B = cells_B // len(positions_P)
    return torch.stack(columns[::-1], dim=1) if columns else cells_B.new_empty(len(cells_B), 0)


def pairs(
    seed: int,
    step: int | Tensor,
    batch_size: int,
    sizes_F: Tensor,
    framework: parts.AdaGVAE | parts.AdaMLVAE,
    first_BF: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Two cells of which k factors may differ, int64 [B, F] each; k by `framework.k_rule`:

    uniform: k ~ U{1..F}; the k chosen factors do differ (Michlo et al. 2023, supplement, B.3, as
        printed).
    orig: k' ~ U{1..F-1}, then k = 1 or k = k' with probability 1/2 each; the chosen factors are
        drawn again and may stay equal (disentanglement_lib's simple_dynamics and disent's
        GroundTruthPairOrigSampler, as both studies ran).
    fixed: k = `framework.k`; the k chosen factors do differ (Locatello et al. 2020, section 5,
        draw them again, so that theirs are at most k).

    The first of a pair is drawn with replacement, unless it is given. Raises ValueError where there
    is but one factor, so that pairs would have nothing to share.
    """
    num_factors = len(sizes_F)
    if num_factors < 2:
        raise ValueError(f"pairs need a dataset of at least 2 factors; this one has {num_factors}")
    if first_BF is None:
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
