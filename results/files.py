"""Files of a study, on a disk or in an object store: written whole or not at all.

On a disk that is a dot-named temporary beside the file, then a rename. A reader never lists the
temporary (names that start with a dot are nobody's), never sees half a file, and after an error
(disk full, no permission, an exception in the writer) finds the old file as it was. An object store
does it in one PUT (results.objects).
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from results.objects import SCHEMES, URL, Identity, ObjectPath
from results.scratch import scratch

Location = Path | ObjectPath
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a full disk, or a quota that is used up, says."""
_OTHER_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def location(given: str | Location) -> Location:
    """A folder or file by its path, or by its URL in an object store.

    ValueError for a URL that names none.
    """
    if isinstance(given, ObjectPath):
        return given
    found = ObjectPath.parse(str(given))
    if found is None and isinstance(given, str) and _OTHER_URL.match(given):
        schemes = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"{given}: is no folder, and no URL that is known; valid: {schemes}")
    return found or Path(given)


def is_url(given: str) -> bool:
    """Whether it is of an object store."""
    return URL.fullmatch(given) is not None


TEMPORARY = re.compile(r"\..+\.[0-9]+-[0-9a-f]{8}")
"""The names of temporary files."""


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


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """An OSError of a write, which knows no file, says which one it was."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def _always() -> None:
    pass


@contextlib.contextmanager
def replacing(
    path: Location, *, durable: bool = True, check: Callable[[], None] = _always
) -> Iterator[Path]:
    """A temporary file to write to, which becomes `path` at the end, in one step.

    `check` is called just before and may raise. `durable=False` skips the syncs: for beats, which
    are worth nothing after a power cut. OSError leaves what was there untouched.
    """
    if isinstance(path, ObjectPath):
        with scratch() as folder:
            written = folder / path.name
            yield written
            path.replace(written.read_bytes(), check)
        return
    with temporary_beside(path) as temporary:
        with _naming(path):
            yield temporary
        try:
            if durable:
                with _naming(path):
                    sync(temporary)
            check()
            os.replace(temporary, path)
        except FileNotFoundError:
            check()  # whoever took over has cleared ours away
            raise
    if durable:
        sync(path.parent)


def atomic_write(path: Location, data: bytes, *, durable: bool = True) -> None:
    """Put `data` at `path` in one step, as `replacing` does."""
    with replacing(path, durable=durable) as temporary:
        write_and_sync(temporary, data, durable=False)


def create(path: Location, data: bytes) -> None:
    """Write a file that is not there yet; FileExistsError if it is: of two, exactly one wins."""
    if isinstance(path, ObjectPath):
        path.create(data)
        return
    with temporary_beside(path) as temporary:
        with _naming(path):
            write_and_sync(temporary, data, durable=True)
        os.link(temporary, path)


@contextlib.contextmanager
def reading(path: Location, *, links: bool = True) -> Iterator[BinaryIO]:
    """The file as it is now, to read in any order, whoever replaces it meanwhile.

    A pipe, which would be waited for, or a device is a ValueError. So is a link without `links`, as
    what it leads to lies elsewhere. FileNotFoundError, OSError where it cannot be opened.
    """
    if isinstance(path, ObjectPath):
        with tempfile.TemporaryFile(prefix="latentgrid-") as copy:
            copy.write(path.read_bytes())
            copy.seek(0)
            yield copy
        return

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


def read_small(path: Location, at_most: int) -> bytes:
    """The content of a file, no link, that holds at most so many bytes; else ValueError."""
    with reading(path, links=False) as file:
        content = file.read(at_most + 1)
    if len(content) > at_most:
        raise ValueError(f"more than {at_most:,} bytes")
    return content


@contextlib.contextmanager
def on_disk(path: Location) -> Iterator[Path]:
    """The file itself, or a copy of the object that is there while inside. FileNotFoundError."""
    if isinstance(path, Path):
        yield path
        return
    with scratch() as folder:
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        yield copy


def identity(path: Location) -> Identity | None:
    """None if there is no such file."""
    if isinstance(path, ObjectPath):
        return path.identity()
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def names(folder: Location) -> list[str]:
    """Names of what is in a folder that may be missing. One listing."""
    if isinstance(folder, ObjectPath):
        return [name for name in folder.children() if name[0] != "."]
    try:
        return [name for name in os.listdir(folder) if name[0] != "."]
    except FileNotFoundError:
        return []


def names_below(folder: Location) -> list[str]:
    """Names, from the folder, of the files in its folders. One listing of an object store."""
    if isinstance(folder, ObjectPath):
        found = folder.below()
    else:
        found = [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]
    return [name for name in found if not name.rpartition("/")[2].startswith(".")]


def remove(paths: Iterable[Location]) -> int:
    """Removes files, those that are missing left out; gives how many there were.

    On a disk in this order. Of objects nobody tells which were there.
    """
    removed = 0
    objects = []
    for path in paths:
        if isinstance(path, ObjectPath):
            objects.append(path)
            continue
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            removed += 1
    ObjectPath.unlink_all(objects)
    return removed + len(objects)


def check_writable(folder: Location) -> None:
    """OSError where no file can be written below a folder, made or not; leaves nothing behind."""
    if isinstance(folder, ObjectPath):
        folder.check_writable()
        return
    probe = folder / f".probe-{os.getpid()}"
    absent = [path for path in probe.parents if not path.exists()]
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    finally:
        for path in absent:
            with contextlib.suppress(OSError):
                path.rmdir()


def remove_folder(folder: Location) -> None:
    """With all that is in it; harmless if it is missing."""
    if isinstance(folder, ObjectPath):
        folder.delete_below()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def is_regular(path: Location) -> bool:
    """Whether there is a file of our kind: no link, folder, pipe or device."""
    if isinstance(path, ObjectPath):
        return path.exists()
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False
