"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), training images, from the archives for Python.

Pickles of Python 2, protocol 2: dicts with `data`, uint8 [images, 3072], a row an image: the red
plane, the green, the blue, each 32 x 32 row by row. Labels are not read. Layout:
www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainers.datasets.originals.archive import read_members
from trainers.datasets.originals.batches import neighbours, ranges
from trainers.datasets.originals.pickles import read_matrix
from trainers.datasets.originals.streams import damaged
from trainers.datasets.source import Batch

CHANNELS = 3
LABEL_BYTES = 256
"""At most, of all that is kept of an image besides its pixels: its file's name, its labels."""
EXTRA_BYTES = 2**20
"""At most, of all in an archive that does not grow with its images."""

CIFAR10_BATCHES = tuple(f"cifar-10-batches-py/data_batch_{n}" for n in range(1, 6))
CIFAR100_BATCHES = ("cifar-100-python/train",)


@dataclass(frozen=True)
class CIFAR10:
    """Images uint8 [n, S, S, 3], in the order of data_batch_1 ... 5 one after another; one part.

    path: the .tar.gz. images: in all.
    """

    path: Path
    images: int = 50_000
    image_size: int = 32

    @property
    def parts(self) -> int:
        return 1

    def read(self, part: int) -> Iterator[Batch]:
        return _read(self.path, CIFAR10_BATCHES, self.images, self.image_size)


@dataclass(frozen=True)
class CIFAR100:
    """Images uint8 [n, S, S, 3], in the order of `train`; one part.

    path: the .tar.gz. images: in all.
    """

    path: Path
    images: int = 50_000
    image_size: int = 32

    @property
    def parts(self) -> int:
        return 1

    def read(self, part: int) -> Iterator[Batch]:
        return _read(self.path, CIFAR100_BATCHES, self.images, self.image_size)


def _read(path: Path, names: tuple[str, ...], images: int, image_size: int) -> Iterator[Batch]:
    each = images // len(names)
    pixels = CHANNELS * image_size**2
    at_most = each * (pixels + LABEL_BYTES) + EXTRA_BYTES
    # Twice: the test images are there as well.
    archive_bytes = 2 * len(names) * at_most
    for name, content in read_members(
        path, names, member_bytes=at_most, archive_bytes=archive_bytes
    ):
        # Exception: a damaged pickle may raise anything.
        with damaged(f"{path}: {name}", "a pickle of images", Exception):
            planes = read_matrix(content, b"data", (each, pixels))
        planes = planes.reshape(each, CHANNELS, image_size, image_size)
        offset = names.index(name) * each
        for start, stop in ranges(0, each, pixels):
            batch = np.ascontiguousarray(planes[start:stop].transpose(0, 2, 3, 1))
            yield neighbours(offset + start, batch)
