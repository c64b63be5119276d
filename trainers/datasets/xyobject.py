"""XYObject: one square that changes its place, its size and its colour.

With spacing s, image size S, the sides q = smallest, smallest + step, ... and the largest side Q,
square q at (x, y) covers rows s y + r ... s y + r + q - 1 and columns s x + r ... s x + r + q - 1,
r = floor((Q - q) / 2): all sizes share their centres. Its channels are floor(c (i + 1) / I) at
intensity i of I, c the 0 or 255 of the full colour. The factor color counts colours within
intensities; where `shaded`, intensity is a factor of its own and the images are the same.
Reference: nmichlo/disent 8f061a87, _groundtruth__xyobject.py.
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from grids import parts
from trainers.datasets.dataset import cell_index, drawn_fingerprint, evaluation_grid

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
YELLOW, CYAN, MAGENTA, WHITE = (255, 255, 0), (0, 255, 255), (255, 0, 255), (255, 255, 255)
PALETTES: dict[str, tuple[tuple[int, ...], ...]] = {
    "rainbow": (RED, YELLOW, GREEN, CYAN, BLUE, MAGENTA),
    "colors": (RED, GREEN, BLUE, YELLOW, CYAN, MAGENTA, WHITE),
    "rgb": (RED, GREEN, BLUE),
    "greys": ((255,),),
}


class XYObject:
    """The images of `grids.parts.XYObject`; factors (x, y, scale, [intensity,] color)."""

    def __init__(self, parameters: parts.XYObject) -> None:
        self.parameters = parameters
        self.factor_names = parameters.factor_names
        self.factor_sizes = parameters.factor_sizes
        self.nuisances = parameters.nuisances
        self.image_shape = parameters.image_shape
        self.standardise = parameters.standardise
        self.evaluation_grid = evaluation_grid(self.factor_sizes)
        self.evaluation_draws = 1
        self._on_device: dict[torch.device, tuple[Tensor, Tensor]] = {}

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """uint8 [B, C, S, S] in channels_last order, of int64 positions [B, F].

        There is no nuisance: its draws are not looked at.
        """
        device = factors_BF.device
        sides_N, values_NC = self._tables(device)
        side_B = sides_N[factors_BF[:, 2]]
        margin_B = (self.parameters.largest - side_B) // 2
        start_B2 = self.parameters.spacing * factors_BF[:, :2] + margin_B[:, None]
        pixel_S = torch.arange(self.parameters.image_size, device=device)
        distance_BS2 = pixel_S[:, None] - start_B2[:, None, :]
        inside_BS2 = (distance_BS2 >= 0) & (distance_BS2 < side_B[:, None, None])
        columns_BS, rows_BS = inside_BS2.unbind(-1)
        square_BSS = rows_BS[:, :, None] & columns_BS[:, None, :]

        color_B = cell_index(factors_BF[:, 3:], self.factor_sizes[3:])
        value_BC = values_NC[color_B]
        return (square_BSS[..., None] * value_BC[:, None, None, :]).permute(0, 3, 1, 2)

    @cached_property
    def mean(self) -> tuple[float, ...]:
        """Per channel, exact: size and colour are independent."""
        sides = self.parameters.square_sizes
        filled = sum(side**2 for side in sides) / (len(sides) * self._pixels)
        return tuple(value * filled for value in self._mean_color)

    @cached_property
    def std(self) -> tuple[float, ...]:
        """Per channel, the mean of v sqrt(f (1 - f) n / (n - 1)): f of n pixels have value v.

        Images in which the channel is dark count with 0.
        """
        n, sides = self._pixels, self.parameters.square_sizes
        shares = [side**2 / n for side in sides]
        spread = math.fsum(math.sqrt(f * (1 - f) * n / (n - 1)) for f in shares) / len(sides)
        return tuple(value * spread for value in self._mean_color)

    @cached_property
    def fingerprint(self) -> str:
        return drawn_fingerprint(self, self.parameters.name)

    @property
    def _pixels(self) -> int:
        return self.parameters.image_size**2

    def _tables(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Sides int64 [N] and colours uint8 [N, C], moved to a device once: not in every step."""
        if device not in self._on_device:
            self._on_device[device] = (
                torch.tensor(self.parameters.square_sizes, device=device),
                torch.tensor(self._colors, dtype=torch.uint8, device=device),
            )
        return self._on_device[device]

    @cached_property
    def _colors(self) -> list[list[int]]:
        """The channels of every colour at every intensity, colours within intensities."""
        levels = self.parameters.intensities
        return [
            [channel * level // levels for channel in color]
            for level in range(1, levels + 1)
            for color in PALETTES[self.parameters.palette]
        ]

    @property
    def _mean_color(self) -> list[float]:
        """Per channel, on the scale [0, 1]."""
        colors = self._colors
        return [sum(channel) / (255 * len(colors)) for channel in zip(*colors, strict=True)]
