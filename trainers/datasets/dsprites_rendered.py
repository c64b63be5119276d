"""A drawn stand-in for dSprites (Matthey et al. 2017), NOT the original images.

It has the factor grid of dSprites and images drawn here from the design numbers below, for machines
that cannot download the file: binary squares, ellipses and hearts of 6 sizes, turned by 40 angles
of 0 ... 2 pi (both ends, so that the first and the last give equal images, as in the original), at
32 x 32 places. Results on it are not results on dSprites.

A pixel is 255 where its centre lies inside the outline, else 0. A sprite is drawn once, around the
centre of a pixel, and moves by whole pixels: an image is a window of its sprite, the same on every
device. No sprite reaches the edge of an image.

The design numbers are fitted to what Michlo et al. 2023 publish of dSprites (supplement, tables 1
and 2): mean and standard deviation of the mean squared distance between two images on the scale
[0, 1], of pairs that differ in one factor, and of random pairs. Exact values, except of the
standard deviation of random pairs (200,000 of them):

    ==================  ========  =========  ======  =========
                            mean  published      sd  published
    ==================  ========  =========  ======  =========
    random pairs           .0752      .0754   .0285      .0289
    y                      .0581      .0584   .0371      .0378
    x                      .0563      .0559   .0365      .0363
    scale                  .0252      .0250   .0148      .0148
    shape                  .0215      .0214   .0096      .0095
    orientation            .0171      .0172   .0108      .0106
    pixel (constants)    .042411    .042494   .1951      .1952
    ==================  ========  =========  ======  =========
"""

from __future__ import annotations

import hashlib
import json
import math
from functools import cache, cached_property

import torch
from torch import Tensor

from grids import parts
from trainers.datasets.dataset import evaluation_grid

# In pixels, of sprites at scale 1.
SQUARE_SIDE = 19.2
ELLIPSE_HALF_WIDTH = 12.4
ELLIPSE_HALF_HEIGHT = 7.1
HEART_HALF_WIDTH = 9.8
HEART_HALF_HEIGHT = 7.7
HEART_SLANT = 0.8
# The pixel of a sprite's centre at the first and the last position, symmetric in the image.
X_CENTRES = (16, 47)
Y_CENTRES = (15, 48)

SCALES, ORIENTATIONS, POSITIONS = 6, 40, 32
SIZE = 64
REACH = 15
"""Pixels between the outermost centres and the edge: what a sprite may take on each side."""


def square(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) <= SQUARE_SIDE / 2


def ellipse(x: Tensor, y: Tensor) -> Tensor:
    return (x / ELLIPSE_HALF_WIDTH) ** 2 + (y / ELLIPSE_HALF_HEIGHT) ** 2 <= 1


def heart(x: Tensor, y: Tensor) -> Tensor:
    """An ellipse whose halves slant up to both sides (y is down): a notch above, a tip below."""
    across = x.abs() / HEART_HALF_WIDTH
    return across**2 + (y / HEART_HALF_HEIGHT + HEART_SLANT * across) ** 2 <= 1


@cache
def sprites() -> Tensor:
    """All sprites, uint8 {0, 255} [3 * 6 * 40, 31, 31], (shape, scale, orientation) row-major.

    An orientation turns a sprite from the x axis, to the right, towards the y axis, down. Sprites
    a millionth larger or smaller have the same pixels, so that rounding decides none of them.
    """
    pixel = torch.arange(-REACH, REACH + 1, dtype=torch.float64)
    y_HW, x_HW = torch.meshgrid(pixel, pixel, indexing="ij")
    scale_S111 = torch.linspace(0.5, 1, SCALES, dtype=torch.float64)[:, None, None, None]
    angle = torch.linspace(0, 2 * math.pi, ORIENTATIONS, dtype=torch.float64)
    cos_O11, sin_O11 = angle.cos()[:, None, None], angle.sin()[:, None, None]
    x_SOHW = (cos_O11 * x_HW + sin_O11 * y_HW) / scale_S111
    y_SOHW = (cos_O11 * y_HW - sin_O11 * x_HW) / scale_S111
    inside = torch.stack([shape(x_SOHW, y_SOHW) for shape in (square, ellipse, heart)])
    return inside.flatten(0, 2).to(torch.uint8) * 255


@cache
def _windows(device: torch.device) -> Tensor:
    """Every sprite in every window of an image's size that holds it whole, [N, R, R, S, S], a view.

    Window (0, 0) has the sprite in its lower right corner, and each step moves the sprite by a
    pixel, left or up. Kept for each device: 7 MB.
    """
    room = SIZE - (2 * REACH + 1)
    padded_NHW = torch.nn.functional.pad(sprites(), (room,) * 4).to(device)
    return padded_NHW.unfold(1, SIZE, 1).unfold(2, SIZE, 1)


def _centre(position_B: Tensor, ends: tuple[int, int]) -> Tensor:
    """Evenly spaced between the ends, rounded to whole pixels (which never is a tie)."""
    steps = POSITIONS - 1
    return ends[0] + (2 * (ends[1] - ends[0]) * position_B + steps) // (2 * steps)


class DSpritesRendered:
    """The images of `grids.parts.DSpritesRendered`; factors (shape, scale, orientation, x, y)."""

    def __init__(self, parameters: parts.DSpritesRendered) -> None:
        self.parameters = parameters
        self.factor_names = parameters.factor_names
        self.factor_sizes = parameters.factor_sizes
        self.nuisances = parameters.nuisances
        self.image_shape = parameters.image_shape
        self.standardise = parameters.standardise
        self.evaluation_grid = evaluation_grid(self.factor_sizes)
        self.evaluation_draws = 1

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """uint8 {0, 255}, [B, 1, 64, 64] in channels_last order, of int64 positions [B, 5].

        There is no nuisance: its draws are not looked at.
        """
        shape_B, scale_B, orientation_B, x_B, y_B = factors_BF.unbind(1)
        sprite_B = (shape_B * SCALES + scale_B) * ORIENTATIONS + orientation_B
        last = SIZE - 1 - REACH
        window_BHW = _windows(factors_BF.device)[
            sprite_B, last - _centre(y_B, Y_CENTRES), last - _centre(x_B, X_CENTRES)
        ]
        return window_BHW[..., None].permute(0, 3, 1, 2)

    @cached_property
    def mean(self) -> tuple[float, ...]:
        """Exact: sprites are never cut off, so that each place adds the same."""
        return (sum(self._areas) / (len(self._areas) * SIZE**2),)

    @cached_property
    def std(self) -> tuple[float, ...]:
        """The mean of sqrt(f (1 - f) n / (n - 1)), f of n pixels filled."""
        n = SIZE**2
        stds = (math.sqrt(area / n * (1 - area / n) * n / (n - 1)) for area in self._areas)
        return (math.fsum(stds) / len(self._areas),)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the definition, of every sprite, and of a sprite at each place of an axis."""
        definition = [self.parameters.name, self.image_shape, self.factor_names, self.factor_sizes]
        digest = hashlib.sha256(json.dumps(definition).encode())
        digest.update(sprites().numpy().tobytes())
        for axis in (3, 4):
            factors_PF = torch.zeros(POSITIONS, len(self.factor_sizes), dtype=torch.int64)
            factors_PF[:, axis] = torch.arange(POSITIONS)
            images = self.images(factors_PF, torch.zeros(POSITIONS, dtype=torch.int64))
            digest.update(images.contiguous().numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def _areas(self) -> list[int]:
        """Filled pixels of each sprite."""
        areas: list[int] = (sprites() > 0).sum(dim=(1, 2)).tolist()
        return areas
