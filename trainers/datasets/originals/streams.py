"""Reading from compressed streams as much as they should hold, and no more.

What is expected is known before a byte is read. So a file that unpacks to more than that is found
out one piece later, whatever it claims, and one that ends early at its end.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trainers.datasets.source import SourceError

PIECE = 2**20

DAMAGED_GZIP = (gzip.BadGzipFile, EOFError, zlib.error)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_exactly(stream: Readable, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The next bytes of a stream as uint8 of a shape; EOFError where it ends before."""
    array = np.empty(shape, dtype=np.uint8)
    whole = array.data.cast("B")
    done = 0
    while done < len(whole):
        # In pieces: the decompressors keep as much of the compressed bytes as is asked for.
        piece = stream.read(min(PIECE, len(whole) - done))
        if not piece:
            raise EOFError(f"an end {len(whole) - done:,} bytes too early")
        whole[done : done + len(piece)] = piece
        done += len(piece)
    return array


@contextmanager
def damaged(where: Path | str, expected: str, *kinds: type[Exception]) -> Iterator[None]:
    """What a library raises about a file's bytes, of the given kinds, is made a SourceError."""
    try:
        yield
    except SourceError:
        raise
    except kinds as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(f"{where}: expected {expected}, found: {found}") from error
