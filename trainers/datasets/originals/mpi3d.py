"""MPI3D (Gondal et al. 2019): toy, realistic and real, an .npz each.

`images` uint8 [1036800, 64, 64, 3], 12.7 GB, in row-major order of (object colour 6, object shape
6, object size 2, camera height 3, background colour 3, first joint 40, second joint 40). Layout:
github.com/rr-learning/disentanglement_dataset.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trainers.datasets.originals import npz
from trainers.datasets.originals.batches import neighbours
from trainers.datasets.source import Batch

CHANNELS = 3


@dataclass(frozen=True)
class MPI3D:
    """Images uint8 [n, S, S, 3] of the seven factors; one part. sizes: of the factors."""

    path: Path
    sizes: tuple[int, ...] = (6, 6, 2, 3, 3, 40, 40)
    image_size: int = 64

    @property
    def parts(self) -> int:
        return 1

    def read(self, part: int) -> Iterator[Batch]:
        shape = (math.prod(self.sizes), self.image_size, self.image_size, CHANNELS)
        for first, images in npz.read_rows(self.path, "images", shape):
            yield neighbours(first, images)
