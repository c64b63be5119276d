"""Where images come from before they are kept in standard form: original files, or a renderer.

The standard order of a dataset's images: index = cell * D + d, where the cell is the row-major
index of the factors (last factor fastest) and d = 0..D-1 counts the nuisance draws of a cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt


class SourceError(ValueError):
    """An original file is not what it should be: one line with the file, expected and found."""

    def __init__(self, problem: str) -> None:
        # Names of what a file holds may be of several.
        super().__init__(" ".join(problem.splitlines()))


class Batch(NamedTuple):
    """n images and where they stand in the standard order.

    indices: int64 [n], each index of the dataset in exactly one batch of one part.
    images: uint8 [n, H, W, C] at their native size.
    """

    indices: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]


class Source(Protocol):
    """All images of a dataset, in parts that can be read independently and in any order.

    Picklable: it holds paths and sizes, and opens files in `read`.
    """

    @property
    def parts(self) -> int:
        """How many parts there are; 1 where the file can only be read from its start."""
        ...

    def read(self, part: int) -> Iterator[Batch]:
        """The images of a part in batches of at most 64 MiB.

        Raises SourceError where a file is damaged, or holds other arrays than it should.
        """
        ...
