"""A study's place in an object store, as a path: `s3://bucket/runs/quickstart/manifest.json`.

An object is put whole or not at all, and only if it is still what it was before the writer's fence
was checked (`If-Match`, `If-None-Match`): of an answer that was lost, and of a writer that was
held up and lost its lease meanwhile, no object can tell another story than its newest writer's.
Credentials, region and endpoint are those of the environment (`AWS_ACCESS_KEY_ID`, `AWS_REGION`,
`AWS_ENDPOINT_URL`, ...) or of the machine's role. What the network or the server gets wrong is
tried again for `RETRY_SECONDS`, then an OSError; by a process that is to end, only until then
(`hurry`).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import functools
import html
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")
Identity = tuple[Any, ...]
"""Changes whenever a file is replaced, or an object put."""

SCHEMES = ("s3", "gs", "az")
URL = re.compile(rf"(?P<root>(?:{'|'.join(SCHEMES)})://[^/]+)(?:/(?P<key>.*))?", re.DOTALL)
RETRY_SECONDS = 180.0
FIRST_SECONDS = 10.0
TRY_SECONDS = 2.0
"""For which the client itself tries again: Python hears no signal meanwhile."""
PAUSE_SECONDS = 0.5
ANSWER_SECONDS, LAST_ANSWER_SECONDS = 30, 10
MAX_REWRITES = 5
MOST_DELETED = 1000
STALE = {"e_tag": '"00000000000000000000000000000000"', "version": "1"}
"""The identity of no object."""
ROLE = re.compile(r"/(latest/api/token|computeMetadata/v1/\S+|metadata/identity/oauth2/token)[ ?]")
"""Of a cloud's service on its machines, which is asked where the environment has no key."""

_give_up_at = math.inf


def hurry(seconds: float | None) -> None:
    """This process is to end: so many seconds from now none of its calls, whichever thread makes
    it, is tried again. None takes that back.
    """
    global _give_up_at
    _give_up_at = math.inf if seconds is None else time.monotonic() + seconds


@dataclass(frozen=True, order=True)
class ObjectPath:
    """An object, or what all objects below it begin with; like a pathlib.Path, as far as it goes.

    Plain data: picklable. OSError where the store cannot be reached or refuses.
    """

    root: str
    """Scheme and bucket: `s3://bucket`."""
    key: str
    """Without slashes at its ends; empty for the bucket itself."""

    @classmethod
    def parse(cls, url: str) -> ObjectPath | None:
        """None if it is no URL of an object store. ValueError for a key with `.` or `..` in it."""
        match = URL.fullmatch(url)
        if match is None:
            return None
        key = (match["key"] or "").strip("/")
        if any(part in ("", ".", "..") for part in key.split("/") if key):
            raise ValueError(f"{url}: valid: names between single slashes, none of them . or ..")
        return cls(match["root"], key)

    def __str__(self) -> str:
        return f"{self.root}/{self.key}" if self.key else self.root

    def __truediv__(self, name: str) -> ObjectPath:
        return ObjectPath(self.root, f"{self.key}/{name}" if self.key else name)

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]

    @property
    def parent(self) -> ObjectPath:
        return ObjectPath(self.root, self.key.rpartition("/")[0])

    def with_name(self, name: str) -> ObjectPath:
        return self.parent / name

    def absolute(self) -> ObjectPath:
        return self

    def resolve(self) -> ObjectPath:
        return self

    def exists(self) -> bool:
        """Whether there is an object of this very name."""
        return self.identity() is not None

    def is_dir(self) -> bool:
        """Whether it is a bucket, or there is an object below."""
        return not self.key or self._whole(lambda: any(self._store.list(f"{self.key}/")))

    def read_bytes(self) -> bytes:
        """FileNotFoundError."""
        return self._whole(lambda: bytes(self._store.get(self.key).bytes()))

    def read_text(self, encoding: str = "utf-8") -> str:
        return self.read_bytes().decode(encoding)

    def unlink(self, missing_ok: bool = False) -> None:
        """FileNotFoundError where the store tells that there is none, which S3 does not."""
        with contextlib.suppress(*[FileNotFoundError] * missing_ok):
            self._whole(lambda: self._store.delete(self.key))

    def identity(self) -> Identity | None:
        """None if there is no such object."""
        try:
            return self._whole(lambda: _identity(self._store.head(self.key)))
        except FileNotFoundError:
            return None

    def create(self, data: bytes) -> None:
        """FileExistsError if there is another one: of two that create it, exactly one does."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            self._put(data, "create")
        except (AlreadyExistsError, PreconditionError):
            if self.read_bytes() != data:  # else ours, of a try whose answer was lost
                raise FileExistsError(errno.EEXIST, "exists", str(self)) from None

    def replace(self, data: bytes, check: Callable[[], None]) -> None:
        """Put `data` if nobody else puts the object between `check`, which may raise, and the end.

        Where somebody does, it starts again with `check`.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        for _ in range(MAX_REWRITES):
            known = self.identity()
            check()
            try:
                self._put(data, _only_if(known))
                return
            except (AlreadyExistsError, PreconditionError):
                with contextlib.suppress(FileNotFoundError):
                    if self.read_bytes() == data:  # ours, of a try whose answer was lost
                        return
        raise OSError(errno.EAGAIN, "written by another process again and again", str(self))

    def below(self) -> list[str]:
        """The name, from here, of every object below. One listing."""
        start = f"{self.key}/" if self.key else ""
        listed = self._whole(lambda: list(self._store.list(start, chunk_size=1000)))
        return [found["path"][len(start) :] for chunk in listed for found in chunk]

    def children(self) -> list[str]:
        """Names of folders and of objects directly below. One listing."""
        start = f"{self.key}/" if self.key else ""
        found = self._whole(lambda: self._store.list_with_delimiter(start))
        objects = (each["path"] for each in found["objects"])
        return [path.rpartition("/")[2] for path in (*found["common_prefixes"], *objects)]

    def delete_below(self) -> None:
        self.unlink_all([self / name for name in self.below()])

    @staticmethod
    def unlink_all(paths: Sequence[ObjectPath]) -> None:
        """Of one bucket, those that are missing left out; in few requests where a store knows how.

        In no order: of what must not outlive what, call for one after the other.
        """
        many = MOST_DELETED if paths and paths[0].root.startswith("s3:") else 1
        for first in range(0, len(paths), many):
            some = paths[first : first + many]
            keys = [path.key for path in some]
            with contextlib.suppress(FileNotFoundError):
                some[0]._whole(functools.partial(some[0]._store.delete, keys))

    def _put(self, data: bytes, mode: Any) -> None:
        mib = len(data) >> 20
        seconds = 1 << mib.bit_length() if mib else 0  # a power of two, so that clients are few
        self._whole(
            lambda: self._client(seconds).put(self.key, data, mode=mode, use_multipart=False)
        )

    @property
    def _store(self) -> ObjectStore:
        return self._client()

    def _client(self, upload_seconds: int = 0) -> ObjectStore:
        return _store(self.root, TRY_SECONDS if _give_up_at == math.inf else 0.0, upload_seconds)

    def reach(self) -> None:
        """OSError, soon, where the store does not answer or refuses us."""
        with self._errors():
            _store(self.root, FIRST_SECONDS).list_with_delimiter(f"{self.key}/" if self.key else "")

    def check_writable(self) -> None:
        """OSError, soon, where the store lets us put nothing here, or puts whatever the condition.

        Leaves nothing behind.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        store = _store(self.root, FIRST_SECONDS)
        probe = self / f".probe-{secrets.token_hex(8)}"
        refusals = AlreadyExistsError, PreconditionError
        conditions: dict[str, Any] = {"If-None-Match": "create", "If-Match": STALE}
        with probe._errors():
            with contextlib.suppress(*refusals):  # ours, of a try whose answer was lost
                store.put(probe.key, b"", mode="create", use_multipart=False)
            try:
                for header, condition in conditions.items():
                    with contextlib.suppress(*refusals):
                        store.put(probe.key, b"", mode=condition, use_multipart=False)
                        said = f"the store ignores {header}, which keeps two runs of a study apart"
                        raise OSError(errno.ENOTSUP, said, str(self))
            finally:
                with contextlib.suppress(FileNotFoundError):
                    store.delete(probe.key)

    def _whole(self, call: Callable[[], T]) -> T:
        """The call's answer; it is called again where the store fails, or one breaks off."""
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                with self._errors():
                    return call()
            except OSError as error:
                if error.errno != errno.EIO or time.monotonic() > min(deadline, _give_up_at):
                    raise
                time.sleep(PAUSE_SECONDS)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """The store's errors as the OSErrors that a disk would raise, but for failed conditions."""
        from obstore import exceptions

        try:
            yield
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self)) from None
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise PermissionError(errno.EACCES, _one_line(error), str(self)) from None
        except exceptions.BaseError as error:
            raise OSError(errno.EIO, _one_line(error), str(self)) from None


def _identity(found: Mapping[str, Any]) -> Identity:
    return found.get("e_tag"), found.get("version")


def _only_if(known: Identity | None) -> Any:
    """The condition of a put: that the object is still the known one, or none."""
    if known is None:
        return "create"
    named = zip(("e_tag", "version"), known, strict=True)
    return {name: value for name, value in named if value is not None}


def _one_line(error: Exception) -> str:
    """What the store said, without its page of XML and the debugging text around it."""
    text = str(error)
    if ROLE.search(text):
        return (
            "no credentials; valid: those of the store in the environment (of S3 "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or a role of the machine"
        )
    of_the_page = re.search("<Message>([^<]+)", text)
    said = html.unescape(of_the_page[1]) if of_the_page else text.partition("\n")[0]
    return " ".join(said.split())[:300]


@functools.cache
def _store(root: str, retry_seconds: float, upload_seconds: int = 0) -> ObjectStore:
    """The client of a bucket, which all threads of this process share."""
    from obstore.store import from_url

    answer_seconds = (ANSWER_SECONDS if retry_seconds else LAST_ANSWER_SECONDS) + upload_seconds
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return from_url(
        root,
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": "10s" if retry_seconds else "2s",
            # Of a stalled connection, as a large object may take long; what is sent counts in.
            "read_timeout": f"{answer_seconds}s",
            "timeout": "10m",
        },
        retry_config={
            "max_retries": 1000,
            "retry_timeout": dt.timedelta(seconds=retry_seconds),
            "backoff": {
                "init_backoff": dt.timedelta(seconds=0.1),
                "max_backoff": dt.timedelta(seconds=2),
                "base": 2,
            },
        },
    )
