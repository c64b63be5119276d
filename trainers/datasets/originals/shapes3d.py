"""3D Shapes (Burgess and Kim 2018), from 3dshapes.h5.

`images` uint8 [480000, 64, 64, 3] in row-major order of (floor hue 10, wall hue 10, object hue 10,
scale 8, shape 4, orientation 15); `labels` float64 [480000, 6] has the same as physical values,
which are not read. Layout: github.com/google-deepmind/3d-shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainers.datasets.originals import hdf5
from trainers.datasets.originals.batches import neighbours, ranges
from trainers.datasets.source import Batch

CHANNELS = 3


@dataclass(frozen=True)
class Shapes3D:
    """Images uint8 [n, S, S, 3] of the six factors. sizes: of the factors.

    A part is as many images as a chunk of h5py's choice for this array, (15000, 4, 4, 1), and is
    held whole while it is read, 184 MB. Other chunks cost time and nothing else.
    """

    path: Path
    sizes: tuple[int, ...] = (10, 10, 10, 8, 4, 15)
    image_size: int = 64
    images_per_part: int = 15_000

    @property
    def parts(self) -> int:
        return math.ceil(math.prod(self.sizes) / self.images_per_part)

    def read(self, part: int) -> Iterator[Batch]:
        count = math.prod(self.sizes)
        start = part * self.images_per_part
        stop = min(start + self.images_per_part, count)
        image = (self.image_size, self.image_size, CHANNELS)
        shapes = {"images": (count, *image), "labels": (count, len(self.sizes))}
        images = hdf5.read_rows(self.path, "images", start, stop, shapes=shapes)
        for first, last in ranges(start, stop, math.prod(image)):
            yield neighbours(first, images[first - start : last - start])
