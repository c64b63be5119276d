"""The flat sprites of Song 2018, sets 1 to 6, antialiased.

A sprite of scale s is a square of half side 10 s, an ellipse of half axes 14 s and 6 s, or a
triangle with corners (0, -r), (+-r sqrt(3) / 2, r / 2), r = 13 s, in pixels, x to the right and y
down. It is turned counter-clockwise about its own origin, which then lies at column 16 + 32 pos_x,
row 16 + 32 pos_y, where pixel (row, column) is the unit square around that point. Sizes and places
are those of the thesis' code (chanyoungs/ucl_project_2018, generate2dSprites.py), which cut them to
whole pixels and had hard edges until it turned and moved the picture.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from trainers.datasets.song.factors import ELLIPSE, SQUARE, Floats, Integers, Looks

SIZE = 64
SAMPLES = 8
"""A pixel shows the share of SAMPLES^2 points, evenly spread over it, that the sprite covers."""


def draw(looks: Looks) -> npt.NDArray[np.uint8]:
    """Sprites on black, [n, 64, 64, C]: the whole number nearest to 255 * coverage * colour."""
    images = np.zeros((len(looks.scale), SIZE, SIZE, looks.colour.shape[1]), dtype=np.uint8)
    _draw(looks.position, looks.scale, looks.shape, looks.rotation, looks.colour, images)
    return images


# Compiled code is kept until this file changes: a kernel calls nothing from another file.
@numba.njit(cache=True, nogil=True, error_model="numpy")
def _draw(
    position: Floats,
    scale: Floats,
    shape: Integers,
    rotation: Floats,
    colour: Floats,
    images: npt.NDArray[np.uint8],
) -> None:
    """Fills `images`, which are zero, one by one: none depends on another."""
    for i in range(len(images)):
        s, cos, sin = scale[i], math.cos(rotation[i, 0]), math.sin(rotation[i, 0])
        x_centre, y_centre = 16 + 32 * position[i, 0], 16 + 32 * position[i, 1]
        reach = 14.2 * s + 1  # from the centre to the farthest corner, that of the square
        for row in range(max(0, int(y_centre - reach)), min(SIZE, int(y_centre + reach) + 2)):
            for column in range(
                max(0, int(x_centre - reach)), min(SIZE, int(x_centre + reach) + 2)
            ):
                covered = 0
                for v in range(SAMPLES):
                    y_image = row + ((v + 0.5) / SAMPLES - 0.5) - y_centre
                    for u in range(SAMPLES):
                        x_image = column + ((u + 0.5) / SAMPLES - 0.5) - x_centre
                        x = cos * x_image - sin * y_image
                        y = sin * x_image + cos * y_image
                        if shape[i] == SQUARE:
                            covered += max(abs(x), abs(y)) <= 10 * s
                        elif shape[i] == ELLIPSE:
                            covered += (6 * x) ** 2 + (14 * y) ** 2 <= (84 * s) ** 2
                        else:
                            covered += (y <= 6.5 * s) & (math.sqrt(3) * abs(x) <= y + 13 * s)
                for channel in range(images.shape[3]):
                    value = 255 * colour[i, channel] * (covered / SAMPLES**2)
                    images[i, row, column, channel] = int(value + 0.5)
