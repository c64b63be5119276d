"""The factors of Song 2018, section 3.2: what they are and how they are drawn.

Set K = 1 .. 7 has the first K of FACTORS, independent and uniform:

    pos_x, pos_y   [0, 1), from left to right; from the top down in 2-D, from the bottom up in 3-D
    scale          [.5, 1) as the thesis' code or [0, 1) as printed; at K = 7 the depth, [0, 1)
    shape          0, 1, 2: SHAPES
    rotation_1     [0, 2 pi): in the plane; at K = 7 about the x axis
    hue            [0, 1): HSV(hue, 1, 1); instead of it, `rgb` has red, green, blue, [0, 1) each
    rotation_2     [0, 2 pi): about the y axis

A factor of an image is a function of the number of the image and of the factor alone: images can be
made in any order and share, and set K shows the images of set K - 1 with one thing changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from trainers.streams import philox

Scale = Literal["half", "printed"]
Colour = Literal["hue", "rgb"]
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FACTORS = ("pos_x", "pos_y", "scale", "shape", "rotation_1", "hue", "rotation_2")
CHANNELS = ("red", "green", "blue")
SHAPES = ("square", "ellipse", "triangle")
"""In space: box, ellipsoid, pyramid."""
SQUARE, ELLIPSE, TRIANGLE = 0, 1, 2

WORDS = FACTORS + CHANNELS
"""Which word of an image's random numbers a factor is made of: never change the order."""
KEY = (2018, 0x536F6E67)
"""Of the generator. The second half is beyond the seeds that trials have, which are keys too."""


class Draw(IntEnum):
    """What numbers are drawn for. Part of what the images are: never change one."""

    IMAGES = 0
    VOTE_IMAGES = 1
    VOTE_VALUES = 2


class Looks(NamedTuple):
    """All that an image shows, of n images, whichever factors their set has."""

    position: Floats
    """[n, 2]: pos_x, pos_y."""
    scale: Floats
    """[n]; at K = 7 the depth."""
    shape: Integers
    """[n], of SHAPES."""
    rotation: Floats
    """[n, 2]: rotation_1, rotation_2, radians."""
    colour: Floats
    """[n, C] in [0, 1]: red, green, blue, or white in one channel."""


@dataclass(frozen=True)
class Factors:
    """The factors of set `complexity`. `scale` matters from K = 3 to 6, `colour` from K = 6."""

    complexity: int
    scale: Scale = "half"
    colour: Colour = "hue"

    def __post_init__(self) -> None:
        assert 1 <= self.complexity <= len(FACTORS)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the F factors: F = K, or K + 2 where red, green and blue stand for the hue."""
        names = FACTORS[: self.complexity]
        if self.colour == "hue" or "hue" not in names:
            return names
        before, after = names[: names.index("hue")], names[names.index("hue") + 1 :]
        return (*before, *CHANNELS, *after)

    @property
    def channels(self) -> int:
        return 3 if "hue" in FACTORS[: self.complexity] else 1

    def sample(self, draw: Draw, numbers: Integers) -> Floats:
        """Values float64 [n, F] of the images `numbers`, int64 [n], below 2^32."""
        values = uniforms(draw, numbers)[:, [WORDS.index(name) for name in self.names]]
        for column, name in enumerate(self.names):
            if name == "scale" and self.scale == "half" and self.complexity < 7:
                values[:, column] = 0.5 + 0.5 * values[:, column]
            elif name == "shape":
                values[:, column] = np.floor(len(SHAPES) * values[:, column])
            elif name in ("rotation_1", "rotation_2"):
                values[:, column] *= 2 * math.pi
        return values

    def looks(self, values: Floats) -> Looks:
        """What images of these factors, [n, F], show.

        What a set has no factor for is at the defaults of the thesis' code: an upright ellipse of
        scale 1 in white. The text says neither the shape below K = 4 nor the row at K = 1, which
        is the middle here.
        """
        column = dict(zip(self.names, values.T, strict=True))
        n = len(values)
        zero, half, one = np.zeros(n), np.full(n, 0.5), np.ones(n)
        if "hue" in column:
            colour = rgb(column["hue"])
        elif "red" in column:
            colour = np.stack([column[name] for name in CHANNELS], axis=-1)
        else:
            colour = one[:, None]
        return Looks(
            position=np.stack([column["pos_x"], column.get("pos_y", half)], axis=-1),
            scale=np.ascontiguousarray(column.get("scale", one)),
            shape=column.get("shape", np.full(n, ELLIPSE)).astype(np.int64),
            rotation=np.stack([column.get(f"rotation_{axis}", zero) for axis in (1, 2)], axis=-1),
            colour=colour,
        )


def uniforms(draw: Draw, numbers: Integers) -> Floats:
    """Uniform numbers in [0, 1) at steps of 2^-32, float64 [n, len(WORDS)].

    Philox4x32-10 (trainers.streams) of the counter (word // 4, number, 0, draw) under KEY.
    """
    block_L = torch.arange(-(-len(WORDS) // 4))
    number_N1 = torch.from_numpy(np.array(numbers, dtype=np.int64))[:, None]
    words_4NL = philox((block_L, number_N1, torch.tensor(0), torch.tensor(int(draw))), KEY)
    words_NL = torch.stack(words_4NL, dim=-1).flatten(1)
    uniforms_NW: Floats = words_NL[:, : len(WORDS)].to(torch.float64).numpy() * 2.0**-32
    return uniforms_NW


def rgb(hue: Floats) -> Floats:
    """Red, green, blue, [n, 3] in [0, 1], of HSV(hue, 1, 1), [n] in [0, 1]."""
    colour = np.empty((len(hue), 3))
    colour[:, 0] = np.abs(6 * hue - 3) - 1
    colour[:, 1] = 2 - np.abs(6 * hue - 2)
    colour[:, 2] = 2 - np.abs(6 * hue - 4)
    return np.minimum(np.maximum(colour, 0), 1)
