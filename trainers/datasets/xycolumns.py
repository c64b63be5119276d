"""XYColumns: three columns as high as the image, one a colour channel, that move sideways.

With spacing s, width q, image size S and P positions, the offset is
o = floor((S - (q + (P - 1) s)) / 2) and column c covers columns o + s x_c ... o + s x_c + q - 1 of
channel c with 255 on 0. Without colour, one channel holds the union of the three. Reference:
nmichlo/disent 8f061a87, _groundtruth__xcolumns.py.

At the default spacing of 8 columns do not overlap, so that any two positions are equally distant:
pixels do not tell their order.
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

COLUMNS = 3


class XYColumns:
    """The images of `grids.parts.XYColumns`; factors (x_R, x_G, x_B)."""

    def __init__(self, parameters: parts.XYColumns) -> None:
        self.parameters = parameters
        self.factor_names = parameters.factor_names
        self.factor_sizes = parameters.factor_sizes
        self.nuisances = parameters.nuisances
        self.image_shape = parameters.image_shape
        self.standardise = parameters.standardise
        self.evaluation_grid = evaluation_grid(self.factor_sizes)
        self.evaluation_draws = 1

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """uint8 {0, 255}, [B, C, S, S] in channels_last order, of int64 positions [B, 3].

        There is no nuisance: its draws are not looked at.
        """
        size = self.parameters.image_size
        start_BC = self.parameters.offset + self.parameters.spacing * factors_BF
        pixel_S = torch.arange(size, device=factors_BF.device)
        distance_BSC = pixel_S[:, None] - start_BC[:, None, :]
        inside_BSC = (distance_BSC >= 0) & (distance_BSC < self.parameters.square_size)
        if not self.parameters.rgb:
            inside_BSC = inside_BSC.any(dim=-1, keepdim=True)
        row_BSC = inside_BSC.to(torch.uint8) * 255
        return row_BSC[:, None].repeat(1, size, 1, 1).permute(0, 3, 1, 2)

    @cached_property
    def mean(self) -> tuple[float, ...]:
        """Per channel, exact: 1/8 a colour channel at the default sizes."""
        mean = math.fsum(p * width for width, p in self._widths.items())
        return (mean / self.parameters.image_size,) * self.image_shape[0]

    @cached_property
    def std(self) -> tuple[float, ...]:
        """Per channel, the mean of sqrt(f (1 - f) n / (n - 1)), f of n pixels filled."""
        size = self.parameters.image_size
        n = size**2
        std = math.fsum(
            p * math.sqrt(width / size * (1 - width / size) * n / (n - 1))
            for width, p in self._widths.items()
        )
        return (std,) * self.image_shape[0]

    @cached_property
    def fingerprint(self) -> str:
        return drawn_fingerprint(self, self.parameters.name)

    @cached_property
    def _widths(self) -> dict[int, float]:
        """The probability of each number of filled pixels in a row of a channel."""
        q, spacing = self.parameters.square_size, self.parameters.spacing
        if self.parameters.rgb:
            return {q: 1.0}
        widths: Counter[int] = Counter()
        for places in product(range(self.parameters.positions), repeat=COLUMNS):
            a, b, c = sorted(places)
            # Each column adds to the one on its left what it does not share with it.
            widths[q + min(q, spacing * (b - a)) + min(q, spacing * (c - b))] += 1
        return {width: count / widths.total() for width, count in widths.items()}
