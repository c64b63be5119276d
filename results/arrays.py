"""The arrays of an .npz file that a trial has left, read with a bound on what they take.

numpy.load makes as much room as a file says that it takes, and unpacks whatever is in it.
"""

from __future__ import annotations

import math
import tokenize
import zipfile
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from results.files import Location, reading
from results.schema import SchemaError

MOST_BYTES = 2**30

# What zipfile and zlib raise for bytes that are not what they claim to be, and what parsing the
# header of an array raises, which is a Python literal.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ArithmeticError,
    ValueError,
    TypeError,
    SyntaxError,
    tokenize.TokenError,
    MemoryError,
)


def read_arrays(path: Location, *names: str) -> dict[str, npt.NDArray[Any]]:
    """All arrays of the file, which has to hold those that are named.

    FileNotFoundError; SchemaError, in one line, where it is damaged, lacks one, or holds more than
    1 GiB.
    """
    try:
        with reading(path) as file, zipfile.ZipFile(file) as archive:
            arrays = _read(archive)
    except FileNotFoundError:
        raise
    except (*DAMAGED, OSError) as error:  # OSError: a seek to before the file's start
        said = " ".join(str(error).split()) or type(error).__name__
        raise SchemaError(f"{path}: not a whole .npz file ({said})") from None
    for name in names:
        if name not in arrays:
            raise SchemaError(f"{path}: no array {name}")
    return arrays


def _read(archive: zipfile.ZipFile) -> dict[str, npt.NDArray[Any]]:
    members = archive.infolist()
    size = sum(member.file_size for member in members)
    if size > MOST_BYTES:
        raise ValueError(f"arrays of {size:,} bytes; valid: at most {MOST_BYTES:,}")
    arrays = {}
    for member in members:
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):  # what numpy writes of arrays like ours
                raise ValueError(f"version {version[0]}.{version[1]} of the format")
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            declared = file.tell() + math.prod(shape) * dtype.itemsize
        if dtype.hasobject or declared != member.file_size:
            raise ValueError(f"{member.filename} is not the array that its header declares")
        with archive.open(member) as file:
            arrays[member.filename.removesuffix(".npy")] = np.lib.format.read_array(
                file, allow_pickle=False
            )
    return arrays
