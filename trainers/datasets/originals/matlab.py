"""One array of a MATLAB file of version 5.

Layout: a header of 128 bytes, the last four the version and the byte order; then one element a
variable, (uint32 type, uint32 bytes, content), which may be compressed by zlib (MathWorks,
MAT-File Format). SciPy reads it, once it is known not to unpack to more than it should.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt

VERSION_5 = b"\x00\x01IM"  # little-endian
HEADER_BYTES = 128
TAG_BYTES = 8
COMPRESSED = 15


def read_uint8(
    content: bytes, key: str, shape: tuple[int, ...], *, unpacked_bytes: int
) -> npt.NDArray[np.uint8]:
    """The uint8 array of a name and a shape.

    unpacked_bytes: the most that all variables may hold. Raises ValueError where there is no such
    array, and whatever SciPy, struct or zlib raise for damaged bytes.
    """
    from scipy.io import loadmat, whosmat

    unpacked = _unpacked(content, unpacked_bytes)
    found = {name: (kind, shape) for name, shape, kind in whosmat(io.BytesIO(unpacked))}
    if key not in found:
        raise ValueError(f"no array {key} among {', '.join(found) or 'none'}")
    kind, found_shape = found[key]
    if (kind, found_shape) != ("uint8", shape):
        raise ValueError(f"{key} is {kind} {list(found_shape)}, not uint8 {list(shape)}")
    array: npt.NDArray[np.uint8] = loadmat(io.BytesIO(unpacked), variable_names=[key])[key]
    if array.dtype != np.uint8 or array.shape != shape:  # complex, or there twice
        raise ValueError(f"{key} is read as {array.dtype} {list(array.shape)}")
    return array


def _unpacked(content: bytes, limit: int) -> bytes:
    """The same file without compression; ValueError where it is more than the limit."""
    if content[HEADER_BYTES - len(VERSION_5) : HEADER_BYTES] != VERSION_5:
        raise ValueError("no MATLAB file of version 5")
    unpacked = bytearray(content[:HEADER_BYTES])
    position = HEADER_BYTES
    while position < len(content):
        kind, size = struct.unpack_from("<II", content, position)
        element = content[position : position + TAG_BYTES + size]
        if len(element) < TAG_BYTES + size:
            raise ValueError("an end within a variable")
        if kind == COMPRESSED:
            zipped = zlib.decompressobj()
            element = zipped.decompress(element[TAG_BYTES:], max(1, limit - len(unpacked) + 1))
            if len(unpacked) + len(element) <= limit and not zipped.eof:
                raise ValueError("an end within a compressed variable")
        unpacked += element
        if len(unpacked) > limit:
            raise ValueError(f"variables of more than {limit:,} bytes")
        position += TAG_BYTES + size
    return bytes(unpacked)
