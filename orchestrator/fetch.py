"""Downloading one original file: whole and verified at its place, or one line that says why not.

What has come so far lies in `.<name>.part` beside the target and is resumed, in the same call or a
later one. The checksum at the end decides whether the pieces made one file; a file without a
checksum is therefore never put together from pieces.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

import requests
from urllib3.exceptions import HTTPError

from orchestrator.data_files import Checksum, OriginalFile
from orchestrator.errors import InputError, first_line
from results.files import FULL, sync

PAUSES = (1.0, 3.0, 9.0)
"""Seconds before each new try of a URL; a try that brought PROGRESS bytes starts them anew."""
PROGRESS = 2**20
TIMEOUTS = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "latentgrid (datasets)"}
READ_BYTES = 2**16
DIGEST_BYTES = 2**20
REPORT_SECONDS = 0.1

Report = Callable[[int, int | None], None]
"""Takes the bytes that have come and those of the whole file, None where nobody says."""


class FetchError(InputError):
    """One line: which file or URL, what was expected, what was found."""


class NotDownloaded(FetchError):
    """No address gave the file; what each of them said."""


class _Unfinished(NotDownloaded):
    """The connection kept failing: the part stays, for a later call."""


class _Refused(Exception):
    """What a URL says, and will say again."""


class _Broken(Exception):
    """What a URL says, and may not say again."""


@dataclass(frozen=True)
class _Download:
    file: OriginalFile
    path: Path  # of the part
    part: FileIO
    report: Report
    waiting: Callable[[str], None]
    pauses: Sequence[float]
    timeouts: tuple[float, float]


def fetch(
    file: OriginalFile,
    data_dir: Path,
    *,
    mirrors: Sequence[str] = (),
    report: Report = lambda done_bytes, total_bytes: None,
    waiting: Callable[[str], None] = lambda line: None,
    pauses: Sequence[float] = PAUSES,
    timeouts: tuple[float, float] = TIMEOUTS,
) -> Literal["present", "downloaded"]:
    """See to it that `file` is at its place and verified; says whether it was there already.

    `<mirror>/<name>` is tried for each mirror, then the file's own URLs; `waiting` is told, in a
    line, before each pause. Raises NotDownloaded where no address gave the file, FetchError for
    what else went wrong; also for a wrong file at its place, which may be the user's and stays.
    """
    urls = [*(f"{mirror.rstrip('/')}/{file.name}" for mirror in mirrors), *file.urls]
    for url in urls:
        if not url.lower().startswith(("http://", "https://")):
            raise FetchError(f"{url}: valid: an address that starts with http:// or https://")
    path = file.path(data_dir)
    try:
        if os.path.lexists(path):
            verify(path, file)
            return "present"
        path.parent.mkdir(parents=True, exist_ok=True)
        with _part_of(path) as (part_path, part):
            _download(urls, _Download(file, part_path, part, report, waiting, pauses, timeouts))
            os.fsync(part.fileno())
            os.replace(part_path, path)
            sync(path.parent)
        return "downloaded"
    except OSError as error:
        raise FetchError(f"{path}: {error.strerror or first_line(error)}") from error


def digest(path: Path, checksum: Checksum) -> str:
    """The hash of the file's content by the checksum's algorithm, lower-case hex."""
    with open(path, "rb") as stream:
        if checksum.algorithm == "git-sha1":
            header = b"blob %d\0" % os.fstat(stream.fileno()).st_size
            running = hashlib.new("sha1", header, usedforsecurity=False)
        else:
            running = hashlib.new(checksum.algorithm, usedforsecurity=False)
        while block := stream.read(DIGEST_BYTES):
            running.update(block)
    return running.hexdigest()


def verify(path: Path, file: OriginalFile) -> None:
    """Raises FetchError unless `path` has the size and the checksum of `file`, where known."""
    if wrong := _wrong(path, file):
        raise FetchError(
            f"{path}: {wrong}; move it away and fetch again, or take it with --unverified"
        )


def _wrong(path: Path, file: OriginalFile) -> str | None:
    """How the content differs from what was published, if it does."""
    note = f" ({file.note})" if file.note else ""
    if wrong := file.wrong_size(path):
        return f"{wrong}{note}"
    if file.checksum is not None:
        found = digest(path, file.checksum)
        if found != file.checksum.digest:
            return f"{file.checksum.algorithm} is {found}, expected {file.checksum.digest}{note}"
    return None


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[tuple[Path, FileIO]]:
    """The part of `path`, open at its end and ours alone; gone where resuming cannot help.

    Unbuffered: what has come outlives a kill, and a full disk shows at the write.
    """
    part = path.with_name(f".{path.name}.part")
    with open(part, "ab", buffering=0) as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FetchError(f"{path}: another process is fetching it; wait for that one") from None
        except OSError:
            pass  # a file system without locks
        # Whoever held the lock until now may have renamed or removed what was opened here.
        if not (part.exists() and os.path.samestat(os.fstat(stream.fileno()), part.stat())):
            raise FetchError(f"{path}: another process has just ended fetching it; fetch again")
        try:
            yield part, stream
        except _Unfinished:
            raise
        except Exception:
            part.unlink(missing_ok=True)
            raise


def _empty(part: FileIO) -> None:
    if part.tell():
        part.seek(0)
        part.truncate()


def _download(urls: Sequence[str], download: _Download) -> None:
    """Fill the part from the first URL that has the file; FetchError with what each one said."""
    said, broken = [], False
    for url in urls:
        try:
            _from_url(url, download)
            return
        except (_Refused, _Broken) as error:
            said.append(f"{url}: {error}")
            broken |= isinstance(error, _Broken)
    line = f"{download.file.name} was not downloaded: {'; '.join(said)}"
    kept = download.part.tell()
    if broken and kept and download.file.checksum is not None:
        raise _Unfinished(f"{line}; fetching again resumes after {kept:,} bytes")
    raise NotDownloaded(line)


def _from_url(url: str, download: _Download) -> None:
    """Fill the part with a verified copy. Raises _Refused or _Broken."""
    appended = _fill(url, download)
    wrong = _wrong(download.path, download.file)
    if wrong and appended:  # the pieces may be of different versions
        _empty(download.part)
        _fill(url, download)
        wrong = _wrong(download.path, download.file)
    if wrong:
        _empty(download.part)
        raise _Refused(f"sent a wrong file: {wrong}")


def _fill(url: str, download: _Download) -> bool:
    """Ask until the whole file has come; returns what the last `_request` returned."""
    part = download.part
    longest, tries = part.tell(), 0
    while True:
        try:
            return _request(url, download)
        except _Broken as error:
            if part.tell() >= longest + PROGRESS:
                longest, tries = part.tell(), 0
            if tries == len(download.pauses):
                raise
            download.waiting(f"{url}: {error}; again in {download.pauses[tries]:g} s")
        time.sleep(download.pauses[tries])
        tries += 1


def _request(url: str, download: _Download) -> bool:
    """Ask for what the part lacks; returns whether it was appended to what was there.

    Raises _Refused or _Broken; FetchError if the disk is full.
    """
    file, part = download.file, download.part
    if file.checksum is None:
        _empty(part)
    start = part.tell()
    if start and start == file.size_bytes:
        return True
    headers = {**HEADERS, "Range": f"bytes={start}-"} if start else HEADERS
    try:
        with requests.get(url, headers=headers, stream=True, timeout=download.timeouts) as response:
            status, span = response.status_code, response.headers.get("Content-Range", "")
            if start and status == 416:
                return True  # nothing is lacking, or the part is of something longer
            resumes = status == 206 and span.startswith(f"bytes {start}-")
            if not start or resumes or status != 206:
                _receive(response, download, start if resumes else 0)
                return resumes
    except (requests.ConnectionError, requests.Timeout, HTTPError) as error:
        raise _Broken(_reason(error)) from error
    except requests.RequestException as error:
        raise _Refused(first_line(error)) from error
    _empty(part)  # another range than the one asked for
    return _request(url, download)


def _receive(response: requests.Response, download: _Download, start: int) -> None:
    """Append the body of an answer that begins at byte `start`; the part is emptied for 0."""
    file, part = download.file, download.part
    moved = f" (redirected to {response.url})" if response.history else ""
    if response.status_code != (206 if start else 200):
        again = response.status_code in (408, 429) or response.status_code >= 500
        answer = f"HTTP {response.status_code} {response.reason}{moved}"
        raise _Broken(answer) if again else _Refused(answer)
    if response.headers.get("Content-Type", "").lower().startswith("text/html"):
        raise _Refused(f"sent a web page instead of the file{moved}")
    declared = _declared_bytes(response, start)
    total = declared if file.size_bytes is None else file.size_bytes
    if declared not in (None, total):
        raise _Refused(f"declares {declared:,} bytes, expected {total:,}{moved}")
    if not start:
        _empty(part)
    if total is not None and shutil.disk_usage(download.path.parent).free < total - start:
        raise _no_space(download, total)

    done, reported = start, time.monotonic()
    download.report(done, total)
    try:
        while block := response.raw.read(READ_BYTES, decode_content=False):
            if not done and block.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
                raise _Refused(f"sent a web page instead of the file{moved}")
            if total is not None and done + len(block) > total:
                _empty(part)
                raise _Refused(f"sends more than the {total:,} bytes expected")
            _append(block, download, total)
            done += len(block)
            if time.monotonic() >= reported + REPORT_SECONDS:
                reported = time.monotonic()
                download.report(done, total)
    except HTTPError as error:
        raise _Broken(f"got {_of(done, total)} ({_reason(error)})") from error
    download.report(done, total)
    if total is not None and done < total:
        raise _Broken(f"got {_of(done, total)} (the connection ended)")


def _declared_bytes(response: requests.Response, start: int) -> int | None:
    """Size of the whole file by the headers of an answer that begins at byte `start`."""
    whole = response.headers.get("Content-Range", "").rpartition("/")[2]
    if start and whole.isdigit():
        return int(whole)
    rest = response.headers.get("Content-Length", "")
    return start + int(rest) if rest.isdigit() else None


def _append(block: bytes, download: _Download, total: int | None) -> None:
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[download.part.write(rest) :]
    except OSError as error:
        if error.errno in FULL:
            raise _no_space(download, total) from error
        raise


def _no_space(download: _Download, total: int | None) -> FetchError:
    folder = download.path.parent
    free = shutil.disk_usage(folder).free
    needed = "more" if total is None else f"{total - download.part.tell():,}"
    return FetchError(
        f"{download.file.name}: no space left in {folder}: {free:,} bytes free, {needed} needed"
    )


def _of(done: int, total: int | None) -> str:
    return f"{done:,} bytes" if total is None else f"{done:,} of {total:,} bytes"


def _reason(error: BaseException) -> str:
    """What lies below the errors in which the HTTP libraries have wrapped it."""
    while isinstance(error, (requests.RequestException, HTTPError)):
        if isinstance(error, http.client.IncompleteRead):
            break
        if (cause := error.__cause__ or error.__context__) is None:
            break
        error = cause
    ended = isinstance(error, http.client.IncompleteRead)
    return "the connection ended" if ended else first_line(error)
