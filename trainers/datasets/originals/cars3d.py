"""Cars3D: renders of 183 cars (Reed, Zhang, Zhang, Lee 2015), out of nips2015-analogy-data.tar.gz.

The archive holds, among other datasets, data/cars/list.txt, the names of the cars, and for each
data/cars/<name>.mat with `im`, uint8 [row, column, channel, azimuth, elevation]; `mask` is not
used. A car's number is its line in list.txt, as in nmichlo/disent 8f061a87,
_groundtruth__cars3d.py; disentanglement_lib 86a644d numbers them as the folder happens to be
listed, which changes no score.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainers.datasets.originals import matlab
from trainers.datasets.originals.archive import read_members
from trainers.datasets.originals.streams import damaged
from trainers.datasets.source import Batch, SourceError

FOLDER = "data/cars"
CHANNELS = 3
MASK_BYTES = 8
"""At most, of a pixel of a mask, which may be of any type."""
EXTRA_BYTES = 2**16
"""At most, of headers and names."""
ARCHIVE_BYTES = 2**34
"""At most, of all in the archive, which holds other datasets as well."""

# What SciPy's reader, struct and zlib raise for bytes that are not what they claim to be.
DAMAGED_MAT = (
    ValueError, TypeError, KeyError, IndexError, OSError, EOFError, struct.error, zlib.error
)  # fmt: skip


@dataclass(frozen=True)
class Cars3D:
    """Images uint8 [n, S, S, 3] of the factors (elevation, azimuth, object); one part.

    path: the .tar.gz. sizes: of the factors.
    """

    path: Path
    sizes: tuple[int, int, int] = (4, 24, 183)
    image_size: int = 128

    @property
    def parts(self) -> int:
        return 1

    def read(self, part: int) -> Iterator[Batch]:
        elevations, azimuths, objects = self.sizes
        image = (self.image_size, self.image_size, CHANNELS)
        pixels = self.image_size**2 * azimuths * elevations
        at_most = pixels * (CHANNELS + MASK_BYTES) + EXTRA_BYTES
        view = np.arange(elevations * azimuths, dtype=np.int64)
        numbers = {f"{FOLDER}/{name}.mat": n for n, name in enumerate(self._names())}
        for member, content in read_members(
            self.path, numbers, member_bytes=at_most, archive_bytes=ARCHIVE_BYTES
        ):
            with damaged(f"{self.path}: {member}", "a MATLAB file of a car", *DAMAGED_MAT):
                im = matlab.read_uint8(
                    content, "im", (*image, azimuths, elevations), unpacked_bytes=at_most
                )
            images = np.ascontiguousarray(im.transpose(4, 3, 0, 1, 2)).reshape(-1, *image)
            yield Batch(view * objects + numbers[member], images)

    def _names(self) -> list[str]:
        """The names of the cars in the order of list.txt, which may stand behind the cars."""
        listed = f"{FOLDER}/list.txt"
        with closing(
            read_members(self.path, [listed], member_bytes=EXTRA_BYTES, archive_bytes=ARCHIVE_BYTES)
        ) as found:
            _, content = next(found)
        with damaged(f"{self.path}: {listed}", "a list of names", UnicodeDecodeError):
            names = content.decode("ascii").split()
        if len(names) != self.sizes[2] or len(set(names)) != len(names):
            raise SourceError(
                f"{self.path}: {listed}: expected {self.sizes[2]} different names, "
                f"found {len(names)} names, {len(set(names))} different"
            )
        return names
