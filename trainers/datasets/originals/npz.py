"""One large array out of an .npz file, a few rows at a time.

numpy.load has no such way: it reads an array of a compressed file whole, and maps none. What the
file declares is compared with what is expected before a row is read; nothing is unpickled.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from trainers.datasets.originals.batches import ranges
from trainers.datasets.originals.streams import damaged, read_exactly
from trainers.datasets.source import SourceError

COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

# What zipfile and zlib raise for bytes that are not what they claim to be. OSError: a seek to a
# place before the file's start; RuntimeError: encrypted, or of a later version of the format.
DAMAGED_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    UnicodeDecodeError,  # a member's name
)
# The header of an array is a Python literal, and these are what parsing one can raise.
BAD_HEADER = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError)


def read_rows(
    path: Path, key: str, shape: tuple[int, ...]
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """(first row, uint8 [n, ...]) of an array of a shape, from its start to its end.

    Layout: a zip archive, stored or deflated, with the array in <key>.npy, C order. Raises
    SourceError where the array is another one, or the file is damaged.
    """
    with open(path, "rb") as file, damaged(path, "a whole .npz file", *DAMAGED_ZIP):
        with zipfile.ZipFile(file) as archive:
            info = _member(path, archive, key)
            with archive.open(info) as stream:
                _check_header(path, key, stream, info, shape)
                for start, stop in ranges(0, shape[0], math.prod(shape[1:])):
                    yield start, read_exactly(stream, (stop - start, *shape[1:]))


def _member(path: Path, archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    members = {info.filename: info for info in archive.infolist()}
    if f"{key}.npy" not in members:
        found = ", ".join(sorted(name.removesuffix(".npy") for name in members)[:10]) or "none"
        raise SourceError(f"{path}: expected an array {key}, found {found}")
    info = members[f"{key}.npy"]
    if info.compress_type not in COMPRESSIONS:
        raise SourceError(
            f"{path}: expected {key} stored or deflated, found compression {info.compress_type}"
        )
    return info


def _check_header(
    path: Path, key: str, stream: IO[bytes], info: zipfile.ZipInfo, shape: tuple[int, ...]
) -> None:
    with damaged(path, f"{key} to be a NumPy array", *BAD_HEADER):
        version = np.lib.format.read_magic(stream)
        if version not in HEADER_READERS:
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        found_shape, fortran, dtype = HEADER_READERS[version](stream)
    expected, found = _said(shape, np.dtype(np.uint8), False), _said(found_shape, dtype, fortran)
    if found != expected:
        raise SourceError(f"{path}: expected {key} to be {expected}, found {found}")
    declared = stream.tell() + math.prod(shape)
    if info.file_size != declared:
        raise SourceError(f"{path}: expected {key} of {declared:,} bytes, found {info.file_size:,}")


def _said(shape: tuple[int, ...], dtype: np.dtype[Any], fortran: bool) -> str:
    return f"{dtype} {list(shape)} in {'Fortran' if fortran else 'C'} order"
