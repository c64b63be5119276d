"""Song's sets as sources of images, and the votes on which their metric is computed.

One thread draws 10,000 images a second or more, and parts can be drawn side by side. Numba is
loaded when the first image is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from grids.datasets import VOTE_IMAGES
from trainers.datasets.song.factors import Colour, Draw, Factors, Floats, Integers, Scale
from trainers.datasets.source import Batch

PART = 8192
BATCH = 4096
"""48 MiB in colour."""
VOTES_PER_FACTOR = 80


@dataclass(frozen=True)
class SongSource:
    """Set `complexity`: `images` i.i.d. images, of which image i is the same in a larger set."""

    complexity: int
    images: int = 1_000_000
    scale: Scale = "half"
    colour: Colour = "hue"

    @property
    def factors(self) -> Factors:
        return Factors(self.complexity, self.scale, self.colour)

    @property
    def parts(self) -> int:
        return -(-self.images // PART)

    def factor_values(self, indices: Integers) -> Floats:
        """float64 [n, F], columns `factors.names`, of images int64 [n]."""
        return self.factors.sample(Draw.IMAGES, indices)

    def read(self, part: int) -> Iterator[Batch]:
        for indices in _batches(part, self.images):
            yield Batch(indices, drawn(self.factors, self.factor_values(indices)))


@dataclass(frozen=True)
class SongVotes:
    """Votes of Kim and Mnih 2018: images with one factor at one value, the others free.

    80 votes a factor of 400 images, as the thesis' code; image = vote * vote_images + number within
    the vote. They are other images than those of the set.
    """

    complexity: int
    scale: Scale = "half"
    colour: Colour = "hue"
    vote_images: int = VOTE_IMAGES

    @property
    def factors(self) -> Factors:
        return Factors(self.complexity, self.scale, self.colour)

    @property
    def votes(self) -> int:
        return VOTES_PER_FACTOR * len(self.factors.names)

    @property
    def images(self) -> int:
        return self.vote_images * self.votes

    @property
    def parts(self) -> int:
        return -(-self.images // PART)

    def labels(self) -> Integers:
        """The factor that each vote holds, int64 [votes]: in turns, so that any run is balanced."""
        return np.arange(self.votes, dtype=np.int64) % len(self.factors.names)

    def factor_values(self, indices: Integers) -> Floats:
        """float64 [n, F], columns `factors.names`, of images int64 [n]."""
        votes = np.asarray(indices) // self.vote_images
        free = self.factors.sample(Draw.VOTE_IMAGES, indices)
        held = self.factors.sample(Draw.VOTE_VALUES, votes)
        columns = np.arange(len(self.factors.names))
        return np.where(columns == self.labels()[votes, None], held, free)

    def read(self, part: int) -> Iterator[Batch]:
        for indices in _batches(part, self.images):
            yield Batch(indices, drawn(self.factors, self.factor_values(indices)))


def drawn(factors: Factors, values: Floats) -> npt.NDArray[np.uint8]:
    """uint8 [n, 64, 64, C] of factor values [n, F]."""
    looks = factors.looks(values)
    if factors.complexity == 7:
        from trainers.datasets.song.rendering import render

        return render(looks)
    from trainers.datasets.song.drawing import draw

    return draw(looks)


def _batches(part: int, count: int) -> Iterator[Integers]:
    """The indices of a part's images, a batch at a time."""
    stop = min(count, (part + 1) * PART)
    for start in range(part * PART, stop, BATCH):
        yield np.arange(start, min(stop, start + BATCH), dtype=np.int64)
