"""Every file is written whole or not at all: a dot-named temporary beside it, then a rename.

A reader never lists the temporary (names that start with a dot are nobody's), never sees half a
file, and after an error (disk full, no permission, an exception in the writer) finds the old file
as it was.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` (made if missing) to write to.

    Whatever still lies there at the end is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_and_sync(path: Path, data: bytes, *, durable: bool) -> None:
    """Write `data` to a new file; with `durable`, return only when it is on the disk."""
    with open(path, "xb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())


def sync(path: Path) -> None:
    """Return when the content of the file, or the names in the folder, `path` are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def atomic_write(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path` in one step; OSError leaves what was there untouched.

    `durable=False` skips the syncs: for beats, which are worth nothing after a power cut.
    """
    with temporary_beside(path) as temporary:
        write_and_sync(temporary, data, durable=durable)
        os.replace(temporary, path)
    if durable:
        sync(path.parent)


def is_regular(path: Path) -> bool:
    """Whether there is a file of our kind: no link, folder, pipe or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def open_file(path: Path, *, links: bool = True) -> Iterator[BinaryIO]:
    """The file, to read; a pipe, which would be waited for, or a device is a ValueError.

    So is a link without `links`, as what it leads to lies elsewhere. OSError where it cannot be
    opened.
    """

    def opened(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NONBLOCK | (0 if links else os.O_NOFOLLOW))

    try:
        file = open(path, "rb", opener=opened)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("a link") from None
        raise
    with file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("a pipe or device")
        yield file


def read_small(path: Path, at_most: int) -> bytes:
    """The content of a file, no link, that holds at most so many bytes; else ValueError."""
    with open_file(path, links=False) as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise ValueError(f"more than {at_most:,} bytes")
    return content
