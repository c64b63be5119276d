"""Rows of an array of an HDF5 file.

h5py's own choice of chunks, which the published files have, spans thousands of images and a few
pixels of each: to read one image is to unpack all of its thousands. So rows are read as many at
once as a chunk is long, and every chunk is unpacked once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.datasets.originals.streams import damaged
from trainers.datasets.source import SourceError

MAX_CHUNK_BYTES = 2**26
"""HDF5 unpacks a chunk whole, however little of it is asked for."""

DAMAGED_HDF5 = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError)


def read_rows(
    path: Path, key: str, start: int, stop: int, *, shapes: Mapping[str, tuple[int, ...]]
) -> npt.NDArray[np.uint8]:
    """uint8 [stop - start, ...], rows of the array `key`.

    shapes: of the arrays that the file has to have, `key` among them. Raises SourceError where one
    is missing or of another shape, and where the file is damaged.
    """
    import h5py

    path.open("rb").close()  # a missing file is an OSError, and not a damaged one
    with damaged(path, "a whole HDF5 file", *DAMAGED_HDF5), h5py.File(path, "r") as file:
        for name, shape in shapes.items():
            found = _array(path, file, name).shape
            if found != shape:
                raise SourceError(
                    f"{path}: expected {name} of shape {list(shape)}, found {list(found)}"
                )
        array = _array(path, file, key)
        if array.dtype != np.uint8:
            raise SourceError(f"{path}: expected {key} to be uint8, found {array.dtype}")
        if array.chunks is not None and math.prod(array.chunks) > MAX_CHUNK_BYTES:
            raise SourceError(
                f"{path}: expected chunks of {key} of at most {MAX_CHUNK_BYTES:,} bytes, "
                f"found {math.prod(array.chunks):,}"
            )
        rows: npt.NDArray[np.uint8] = array[start:stop]
        return rows


def _array(path: Path, file: Any, key: str) -> Any:
    """The h5py dataset of a name; SourceError unless its elements are in this very file."""
    import h5py

    if key not in file:
        found = ", ".join(sorted(file)[:10]) or "none"
        raise SourceError(f"{path}: expected an array {key}, found {found}")
    array = file[key]
    if not isinstance(array, h5py.Dataset):
        raise SourceError(f"{path}: expected {key} to be an array, found a {type(array).__name__}")
    linked = isinstance(file.get(key, getlink=True), h5py.ExternalLink)
    if linked or array.is_virtual or array.external:
        raise SourceError(f"{path}: expected {key} in the file itself, found it in another file")
    return array
