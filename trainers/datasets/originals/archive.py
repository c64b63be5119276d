"""Files out of a .tar.gz, read from its start to its end and never extracted to disk."""

from __future__ import annotations

import gzip
import io
import posixpath
import struct
import tarfile
from collections.abc import Collection, Generator
from pathlib import Path
from typing import Self

from trainers.datasets.originals.streams import DAMAGED_GZIP, PIECE, Readable, damaged
from trainers.datasets.source import SourceError

MAX_HEADER_BYTES = 2**16
"""Of what stands before a member: its long name, its extended header."""
MAX_MEMBERS = 2**16
"""tarfile remembers them all."""

# The last three: numbers and texts of extended headers, which tarfile parses as they come.
DAMAGED_TAR = (*DAMAGED_GZIP, tarfile.TarError, ValueError, IndexError, struct.error)


def read_members(
    path: Path, names: Collection[str], *, member_bytes: int, archive_bytes: int
) -> Generator[tuple[str, bytes]]:
    """(name, content) of the named files, in the order of the archive.

    member_bytes: the most that one of them may hold. archive_bytes: the most that the archive may
    unpack to, the files that are passed over included.

    Raises SourceError where a file is missing, there twice or larger, where the archive is damaged,
    and where a member is anything but a file or folder below the archive's root.
    """
    missing = set(names)
    with gzip.open(path) as unpacked, damaged(path, "a whole .tar.gz file", *DAMAGED_TAR):
        stream = _Bounded(path, unpacked, archive_bytes)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE, tarinfo=_Member) as archive:
            for number, member in enumerate(archive):
                if number == MAX_MEMBERS:
                    raise SourceError(
                        f"{path}: expected at most {MAX_MEMBERS:,} members, found more"
                    )
                name = _checked_name(path, member)
                if not member.isfile() or name not in names:
                    continue
                if name not in missing:
                    raise SourceError(f"{path}: expected {name} once, found it again")
                if member.size > member_bytes:
                    raise SourceError(
                        f"{path}: expected {name} of at most {member_bytes:,} bytes, "
                        f"found {member.size:,}"
                    )
                content = archive.extractfile(member)
                assert content is not None  # it is a file
                missing.remove(name)
                yield name, content.read(member.size)
            # tarfile stops at the mark of the end, gzip's checksum is behind it.
            while stream.read(PIECE):
                pass
    if missing:
        raise SourceError(f"{path}: expected {sorted(missing)[0]}, found no such file in it")


def _checked_name(path: Path, member: tarfile.TarInfo) -> str:
    """The name, without a leading "./"."""
    name = member.name
    if not (member.isfile() or member.isdir()):
        raise SourceError(f"{path}: expected files and folders, found a link or device: {name!r}")
    if name.startswith("/") or ".." in name.split("/"):
        raise SourceError(f"{path}: expected names below its root, found {name!r}")
    return posixpath.normpath(name)


class _Member(tarfile.TarInfo):
    """A header, refused before tarfile reads all that it announces into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        plain = member.type in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE)
        if member.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError(f"a file with holes: {member.name!r}")
        if not plain and member.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {member.size:,} bytes: {member.name!r}")
        return member


class _Bounded(io.BufferedIOBase):
    """A stream that may not go on beyond a number of bytes."""

    def __init__(self, path: Path, stream: Readable, limit: int) -> None:
        self.path, self.stream, self.limit = path, stream, limit
        self.done = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None and size >= 0  # all of it could be any amount
        piece = self.stream.read(size)
        self.done += len(piece)
        if self.done > self.limit:
            raise SourceError(
                f"{self.path}: expected at most {self.limit:,} bytes unpacked, found more"
            )
        return piece
