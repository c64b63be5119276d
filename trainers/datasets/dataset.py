"""What every dataset offers. A dataset has no state on a device: images follow their factors."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from torch import Tensor

ENUMERABLE_CELLS = 1_000_000
"""A factor grid of more cells than this is evaluated on part of its positions."""
EVALUATED_POSITIONS = 8


class Dataset(Protocol):
    """Images by ground-truth factors: B images, F factors, C channels, H, W size."""

    @property
    def factor_names(self) -> tuple[str, ...]: ...

    @property
    def factor_sizes(self) -> tuple[int, ...]: ...

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
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of what the pixels are."""
        ...

    def images(self, factors_BF: Tensor) -> Tensor:
        """uint8 [B, C, H, W] on the device of the factors, int64 [B, F], 0 <= position < size."""
        ...


def evaluation_grid(factor_sizes: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """All positions of an enumerable grid; otherwise at most 8 a factor, evenly spaced."""
    if np.prod(factor_sizes, dtype=np.float64) <= ENUMERABLE_CELLS:
        return tuple(tuple(range(size)) for size in factor_sizes)
    return tuple(
        tuple(np.linspace(0, size - 1, min(size, EVALUATED_POSITIONS)).round().astype(int).tolist())
        for size in factor_sizes
    )
