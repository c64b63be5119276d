"""SmallNORB (LeCun, Huang, Bottou 2004): toys from all sides, in the binary matrices of NYU.

A matrix, gzipped: little-endian int32 magic number, number of dimensions, then at least three
dimensions (those too many mean nothing), then the elements in C order. A split has three:

    dat   uint8 [N, 2, S, S]  pairs of a stereo camera, of which both studies use the first
    cat   int32 [N]           category 0 ... 4
    info  int32 [N, 4]        instance, elevation 0 ... 8, azimuth 0, 2 ... 34, lighting 0 ... 5

Rows are in random order. Instances are 4, 6, 7, 8, 9 in the training set and the other five in
the test set. Layout: cs.nyu.edu/~ylclab/data/norb-v1.0-small; nmichlo/disent 8f061a87,
_groundtruth__norb.py; disentanglement_lib 86a644d, data/ground_truth/norb.py (which takes the
bytes for signed ones, to no effect; they are not).
"""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.datasets.originals.batches import ranges
from trainers.datasets.originals.streams import DAMAGED_GZIP, damaged, read_exactly
from trainers.datasets.source import Batch, SourceError

UINT8 = 0x1E3D4C55
INT32 = 0x1E3D4C54
MATRICES = {UINT8: "uint8", INT32: "int32"}

LABELS = ("category", "instance", "elevation", "azimuth", "lighting")
STEPS = {"azimuth": 2}
"""From one value of a label to the next, where that is not 1."""

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SmallNORB:
    """Images uint8 [n, S, S, 1] of one or both splits, a part a split.

    splits: (dat, cat, info) files, all splits of the same number of rows.
    sizes: of category, instance, elevation, azimuth, lighting, over all splits together.
    instance_is_nuisance: the factors are (category, elevation, azimuth, lighting), and the instance
        is the draw d (Locatello et al. 2019, both splits). Otherwise they are (category, instance,
        elevation, azimuth, lighting) (Michlo et al. 2023: training set, sizes (5, 5, 9, 18, 6)).
        Either way instances are numbered by rank.

    Raises SourceError also where labels are out of range or a combination of them is missing.
    """

    splits: tuple[tuple[Path, Path, Path], ...]
    sizes: tuple[int, int, int, int, int] = (5, 10, 9, 18, 6)
    instance_is_nuisance: bool = True
    image_size: int = 96

    @property
    def parts(self) -> int:
        return len(self.splits)

    def read(self, part: int) -> Iterator[Batch]:
        indices = self._indices()[part]
        pair = (2, self.image_size, self.image_size)
        dat, _, _ = self.splits[part]
        with _matrix(dat, UINT8, (self._rows, *pair)) as stream:
            for start, stop in ranges(0, self._rows, math.prod(pair)):
                pairs = read_exactly(stream, (stop - start, *pair))
                yield Batch(indices[start:stop], np.ascontiguousarray(pairs[:, 0, :, :, None]))

    @property
    def _rows(self) -> int:
        return math.prod(self.sizes) // len(self.splits)

    def _indices(self) -> list[Integers]:
        """By split, int64 [rows]: where its images stand in the standard order."""
        splits = [self._labels(cat, info) for _, cat, info in self.splits]
        labels = np.concatenate(splits)
        instances, labels[:, 1] = np.unique(labels[:, 1], return_inverse=True)
        if len(instances) != self.sizes[1]:
            files = " and ".join(str(info) for _, _, info in self.splits)
            found = ", ".join(map(str, instances[:20]))
            raise SourceError(f"{files}: expected {self.sizes[1]} instances, found {found}")

        order = (0, 2, 3, 4, 1) if self.instance_is_nuisance else (0, 1, 2, 3, 4)
        index = np.ravel_multi_index(
            tuple(labels[:, column] for column in order),
            tuple(self.sizes[column] for column in order),
        )
        # There are as many rows as combinations: one that is missing leaves another twice.
        _, first = np.unique(index, return_index=True)
        if len(first) < len(index):
            row = int(np.setdiff1d(np.arange(len(index)), first)[0])
            split, place = divmod(row, self._rows)
            values = splits[split][place] * [STEPS.get(name, 1) for name in LABELS]
            found = ", ".join(f"{n} {v}" for n, v in zip(LABELS, values, strict=True))
            raise SourceError(
                f"{self.splits[split][2]}: expected every combination of labels once, "
                f"found {found} again in row {place}"
            )
        return np.split(index, len(self.splits))

    def _labels(self, cat: Path, info: Path) -> Integers:
        """int64 [rows, 5]: category, instance, elevation, half the azimuth, lighting."""
        labels = np.column_stack(
            (_integers(cat, (self._rows,)), _integers(info, (self._rows, len(LABELS) - 1)))
        ).astype(np.int64)
        for column, name in enumerate(LABELS):
            if name == "instance":
                continue
            step, size = STEPS.get(name, 1), self.sizes[column]
            valid = np.arange(size) * step
            wrong = np.flatnonzero(~np.isin(labels[:, column], valid))
            if len(wrong):
                row = int(wrong[0])
                raise SourceError(
                    f"{cat if name == 'category' else info}: expected {name} one of "
                    f"{', '.join(map(str, valid))}, found {labels[row, column]} in row {row}"
                )
            labels[:, column] //= step
        return labels


def _integers(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    with _matrix(path, INT32, shape) as stream:
        found = read_exactly(stream, (*shape, 4))
    return found.view("<i4").reshape(shape)


@contextmanager
def _matrix(path: Path, magic: int, shape: tuple[int, ...]) -> Iterator[gzip.GzipFile]:
    """The elements of a matrix, all of which have to be read; SourceError if it is another one."""
    with gzip.open(path) as stream, damaged(path, "a whole gzip file", *DAMAGED_GZIP):
        found_magic, ndim = struct.unpack("<ii", read_exactly(stream, (8,)).data)
        if found_magic != magic:
            raise SourceError(
                f"{path}: expected a binary matrix of {MATRICES[magic]} (magic number "
                f"{magic:#x}), found {found_magic & 0xFFFFFFFF:#x}"
            )
        if ndim != len(shape):
            raise SourceError(f"{path}: expected {len(shape)} dimensions, found {ndim}")
        stored = max(3, ndim)
        found = struct.unpack(f"<{stored}i", read_exactly(stream, (4 * stored,)).data)[:ndim]
        if found != shape:
            raise SourceError(f"{path}: expected shape {list(shape)}, found {list(found)}")
        yield stream
        # The end is where gzip compares the checksum.
        if stream.read(1):
            raise SourceError(f"{path}: expected an end after {list(shape)}, found more bytes")
