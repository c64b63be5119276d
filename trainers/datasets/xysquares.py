"""XYSquares (Michlo et al. 2023): three squares on a grid, one a colour channel.

With spacing s, square size q, image size S and P positions an axis, the offset is
o = floor((S - (q + (P - 1) s)) / 2) and square c covers rows o + s y_c ... o + s y_c + q - 1 and
columns o + s x_c ... o + s x_c + q - 1 of channel c with 255 on 0. Without colour, one channel
holds the union of the three. Reference: nmichlo/disent 8f061a87, _groundtruth__xysquares.py.

Images are rendered where the factors are, as the outer product of a row and a column mask: the
images of a grid (262,144 to 34 billion) are never stored.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from grids import parts
from trainers.datasets.dataset import drawn_fingerprint, evaluation_grid

SQUARES = 3


class XYSquares:
    """The images of `grids.parts.XYSquares`; factors (x_R, y_R, x_G, y_G, x_B, y_B)."""

    def __init__(self, parameters: parts.XYSquares) -> None:
        self.parameters = parameters
        self.factor_names = parameters.factor_names
        self.factor_sizes = parameters.factor_sizes
        self.nuisances = self.evaluation_draws = 1
        self.image_shape = parameters.image_shape
        self.standardise = parameters.standardise
        self.evaluation_grid = evaluation_grid(self.factor_sizes)

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """uint8 {0, 255}, [B, C, S, S] in channels_last order; there is no nuisance."""
        size = self.parameters.image_size
        start_BF = self.parameters.offset + self.parameters.spacing * factors_BF
        pixel_S = torch.arange(size, device=factors_BF.device)
        distance_BSF = pixel_S[:, None] - start_BF[:, None, :]
        inside_BSF = (distance_BSF >= 0) & (distance_BSF < self.parameters.square_size)
        columns_BSC, rows_BSC = inside_BSF[..., 0::2], inside_BSF[..., 1::2]
        # A row of pixels is one of 8, by the squares that it crosses: it is copied, not computed.
        kind_K = torch.arange(2**SQUARES, device=factors_BF.device)
        square_C = torch.arange(SQUARES, device=factors_BF.device)
        crossed_KC = (kind_K[:, None] >> square_C) & 1 == 1
        kinds_BKSC = crossed_KC[:, None, :] & columns_BSC[:, None, :, :]
        if not self.parameters.rgb:
            kinds_BKSC = kinds_BKSC.any(dim=-1, keepdim=True)
        kinds_RP = (kinds_BKSC.to(torch.uint8) * 255).flatten(2).flatten(0, 1)
        kind_BS = (rows_BSC.long() << square_C).sum(dim=-1)
        image_B1 = torch.arange(len(factors_BF), device=factors_BF.device)[:, None]
        images_BSP = kinds_RP[image_B1 * len(kind_K) + kind_BS]
        return images_BSP.view(len(factors_BF), size, size, -1).permute(0, 3, 1, 2)

    @cached_property
    def mean(self) -> tuple[float, ...]:
        """Per channel, exact: 1/64 a colour channel at the default sizes."""
        mean = math.fsum(p * area for area, p in self._areas.items()) / self._pixels
        return (mean,) * self.image_shape[0]

    @cached_property
    def std(self) -> tuple[float, ...]:
        """Per channel, the mean of sqrt(f (1 - f) n / (n - 1)), f of n pixels filled."""
        n = self._pixels
        std = math.fsum(
            p * math.sqrt(area / n * (1 - area / n) * n / (n - 1))
            for area, p in self._areas.items()
        )
        return (std,) * self.image_shape[0]

    @cached_property
    def fingerprint(self) -> str:
        return drawn_fingerprint(self, self.parameters.name)

    @property
    def _pixels(self) -> int:
        return self.parameters.image_size**2

    @cached_property
    def _areas(self) -> dict[int, float]:
        """The probability of each number of filled pixels of a channel."""
        q = self.parameters.square_size
        if self.parameters.rgb:
            return {q * q: 1.0}
        # Inclusion and exclusion: an overlap of squares is the product of its two sides, and the
        # sides along x and y are independent.
        sides = Counter(
            tuple(
                max(0, q - self.parameters.spacing * (max(chosen) - min(chosen)))
                for chosen in ((a, b), (a, c), (b, c), (a, b, c))
            )
            for a, b, c in product(range(self.parameters.positions), repeat=SQUARES)
        )
        areas: Counter[int] = Counter()
        for (x, x_count), (y, y_count) in product(sides.items(), repeat=2):
            area = 3 * q * q - x[0] * y[0] - x[1] * y[1] - x[2] * y[2] + x[3] * y[3]
            areas[area] += x_count * y_count
        return {area: count / areas.total() for area, count in areas.items()}
