"""Which images a step sees: batches and pairs of cells, and draws of their nuisance.

B batch, F factors; the sizes of the factors are int64 [F]. Every shape is static, and everything
stays on the device of `step` and of the sizes.
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


class Epochs:
    """Without replacement: every image once an epoch, in an order that is the epoch's own.

    Batches follow each other over the end of an epoch, so that all have one size. The order of two
    epochs lies in memory; `reach` makes it, on the host's word, and `numbers` only looks up.
    """

    def __init__(self, seed: int, images: int, batch_size: int, device: torch.device) -> None:
        self.seed, self.images, self.batch_size, self.device = seed, images, batch_size, device
        self._epoch = -1
        # On the device, where a captured step reads it.
        self._first_image = torch.zeros((), dtype=torch.int64, device=device)
        self._order_2N = torch.zeros(2 * images, dtype=torch.int64, device=device)

    def reach(self, step: int) -> None:
        """Before a step is drawn, or captured: makes the order of its epoch and of the next."""
        epoch = step * self.batch_size // self.images
        if epoch == self._epoch:
            return
        following = self._order_2N[self.images :].clone()
        known = epoch == self._epoch + 1 and self._epoch >= 0
        self._order_2N[: self.images] = following if known else self._order(epoch)
        self._order_2N[self.images :] = self._order(epoch + 1)
        self._epoch = epoch
        self._first_image.fill_(epoch * self.images)

    def numbers(self, step: int | Tensor) -> Tensor:
        """Numbers of the images of a step of the epoch reached, int64 [B] in [0, images)."""
        first = step * self.batch_size - self._first_image
        return self._order_2N[first + torch.arange(self.batch_size, device=self.device)]

    def _order(self, epoch: int) -> Tensor:
        """All numbers, sorted by 62 random bits each (two alike keep their order)."""
        number = torch.tensor(epoch, device=self.device)
        words_N2 = words(self.seed, Stream.ORDER, number, self.images, 2)
        return ((words_N2[:, 0] >> 2 << 32) | words_N2[:, 1]).argsort(stable=True)


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
