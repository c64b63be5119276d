"""Folders on this node's own disk, for copies of objects and what else is of a moment."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "latentgrid-scratch-"
YOUNG_SECONDS = 60.0  # a new folder is not locked at once


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A new folder, which is there while inside. What killed processes have left goes, too."""
    clear_once()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, _opened(name) as folder:
        with contextlib.suppress(OSError):  # a disk that knows no locks: `clear` gets none, either
            # The kernel takes it back when the process ends, however that ends.
            fcntl.flock(folder, fcntl.LOCK_SH)
        yield Path(name)


@functools.cache
def clear_once() -> None:
    """`clear`, in the life of a process."""
    clear()


def clear() -> None:
    """Removes the folders that no process holds any more; those of other users are left alone."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _opened(path) as folder:
            found = os.fstat(folder)
            if found.st_uid == os.geteuid() and time.time() - found.st_mtime > YOUNG_SECONDS:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
