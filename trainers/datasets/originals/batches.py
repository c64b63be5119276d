"""Batches of images that stand next to each other in the standard order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from trainers.datasets.source import Batch

BATCH_BYTES = 2**24
"""At most, unless one image is larger: a quarter of what a batch may hold."""


def ranges(start: int, stop: int, bytes_each: int) -> Iterator[tuple[int, int]]:
    """start ... stop cut into pieces of at most BATCH_BYTES, of things of `bytes_each`."""
    step = max(1, BATCH_BYTES // bytes_each)
    for first in range(start, stop, step):
        yield first, min(first + step, stop)


def neighbours(first: int, images: npt.NDArray[np.uint8]) -> Batch:
    """The batch of images uint8 [n, H, W, C] at first ... first + n - 1."""
    return Batch(np.arange(first, first + len(images), dtype=np.int64), images)
