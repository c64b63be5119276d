"""What every dataset offers. Images follow their factors and the draw of their nuisance."""

from __future__ import annotations

import hashlib
import json
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

ENUMERABLE_CELLS = 2**20
"""A factor grid of more cells than this is evaluated on part of its positions."""
EVALUATED_POSITIONS = 8


class Dataset(Protocol):
    """Images by ground-truth factors: B images, F factors, C channels, H, W size.

    `grids.datasets.Images` says what factors and nuisances are.
    """

    @property
    def factor_names(self) -> tuple[str, ...]: ...

    @property
    def factor_sizes(self) -> tuple[int, ...]: ...

    @property
    def nuisances(self) -> int:
        """How many images there are of each cell."""
        ...

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        ...

    @property
    def mean(self) -> tuple[float, ...]:
        """Per channel: the mean over the images of an image's mean pixel, on the scale [0, 1]."""
        ...

    @property
    def std(self) -> tuple[float, ...]:
        """Per channel: the mean over the images of an image's standard deviation (divisor n - 1).

        This is not the standard deviation of all pixels; it is the rule behind the constants of
        Michlo et al. 2023 (supplement, table 2).
        """
        ...

    @property
    def standardise(self) -> bool:
        """Whether the model is given (x - mean) / std, or x in [0, 1]."""
        ...

    @property
    def evaluation_grid(self) -> tuple[tuple[int, ...], ...]:
        """By factor, the positions whose combinations are encoded for the metrics."""
        ...

    @property
    def evaluation_draws(self) -> int:
        """R: each of those cells is encoded with the nuisance draws 0 ... R - 1."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of what the pixels are."""
        ...

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """The images [B, C, H, W] of cells and nuisance draws, the same ones every time.

        uint8, or float32 on the scale [0, 255] where pixels are continuous; channels_last, on the
        device of the factors. int64 [B, F], 0 <= position < size; int64 [B], 0 <= draw < nuisances.
        """
        ...


def evaluation_grid(factor_sizes: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """All positions of an enumerable grid; otherwise at most 8 a factor, evenly spaced."""
    if np.prod(factor_sizes, dtype=np.float64) <= ENUMERABLE_CELLS:
        return tuple(tuple(range(size)) for size in factor_sizes)
    return tuple(
        tuple(np.linspace(0, size - 1, min(size, EVALUATED_POSITIONS)).round().astype(int).tolist())
        for size in factor_sizes
    )


def cell_index(factors_BF: Tensor, factor_sizes: tuple[int, ...]) -> Tensor:
    """The row-major index of each cell, last factor fastest, int64 [B]."""
    index_B = factors_BF.new_zeros(len(factors_BF))
    for factor, size in enumerate(factor_sizes):
        index_B = index_B * size + factors_BF[:, factor]
    return index_B


def drawn_fingerprint(dataset: Dataset, name: str) -> str:
    """SHA-256 of a drawn set's definition, and of images with each factor at each position."""
    definition = [name, dataset.image_shape, dataset.factor_names, dataset.factor_sizes]
    digest = hashlib.sha256(json.dumps(definition).encode())
    for factor, positions in enumerate(dataset.factor_sizes):
        factors_PF = torch.zeros(positions, len(dataset.factor_sizes), dtype=torch.int64)
        factors_PF[:, factor] = torch.arange(positions)
        images = dataset.images(factors_PF, torch.zeros(positions, dtype=torch.int64))
        digest.update(images.contiguous().numpy().tobytes())
    return digest.hexdigest()
