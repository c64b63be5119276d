"""dSprites (Matthey, Higgins, Hassabis, Lerchner 2017), from the .npz or from its HDF5 twin.

Both hold `imgs`, uint8 [737280, 64, 64] of {0, 1}, in row-major order of (colour 1, shape 3,
scale 6, orientation 40, x 32, y 32). The .npz also holds a pickle of Python 2 with these sizes,
which is never opened. Layout: github.com/google-deepmind/dsprites-dataset.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.datasets.originals import hdf5, npz
from trainers.datasets.originals.batches import neighbours, ranges
from trainers.datasets.source import Batch, SourceError

IMAGES = "imgs"
SIZES = (3, 6, 40, 32, 32)


@dataclass(frozen=True)
class DSpritesNpz:
    """Images uint8 {0, 255}, [n, S, S, 1], of the factors (shape, scale, orientation, x, y).

    One part, as the array is compressed as a whole. sizes: of the factors.
    """

    path: Path
    sizes: tuple[int, ...] = SIZES
    image_size: int = 64

    @property
    def parts(self) -> int:
        return 1

    def read(self, part: int) -> Iterator[Batch]:
        shape = (math.prod(self.sizes), self.image_size, self.image_size)
        for first, sprites in npz.read_rows(self.path, IMAGES, shape):
            yield neighbours(first, _pixels(self.path, first, sprites))


@dataclass(frozen=True)
class DSpritesHDF5:
    """The same images from the HDF5 file, in parts that hold each chunk (23040, 2, 4) once.

    A part is held whole while it is read, 94 MB.
    """

    path: Path
    sizes: tuple[int, ...] = SIZES
    image_size: int = 64
    images_per_part: int = 23_040

    @property
    def parts(self) -> int:
        return math.ceil(math.prod(self.sizes) / self.images_per_part)

    def read(self, part: int) -> Iterator[Batch]:
        count = math.prod(self.sizes)
        start = part * self.images_per_part
        stop = min(start + self.images_per_part, count)
        shapes = {IMAGES: (count, self.image_size, self.image_size)}
        sprites = hdf5.read_rows(self.path, IMAGES, start, stop, shapes=shapes)
        for first, last in ranges(start, stop, self.image_size**2):
            some = sprites[first - start : last - start]
            yield neighbours(first, _pixels(self.path, first, some))


def _pixels(path: Path, first: int, sprites: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 {0, 255}, [n, S, S, 1], of {0, 1}, [n, S, S]."""
    if sprites.max() > 1:
        image = first + int(np.argmax(sprites.max(axis=(1, 2)) > 1))
        raise SourceError(
            f"{path}: expected pixels 0 and 1, found {sprites[image - first].max()} "
            f"in image {image}"
        )
    return (sprites * np.uint8(255))[..., None]
