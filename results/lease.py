"""A study has one writer: the process whose claim has the newest epoch.

A claim is a file `lease/<epoch>.json` made by what fails if the name exists (a hard link, a PUT
under that condition): of two claimers exactly one wins. The holder raises a counter in its file
every few seconds. A claim is taken over at once if it was released or if its process is dead on
this very host, else after the counter stood still for three of the slower side's intervals on the
observer's monotonic clock. No wall clock is compared, so none can mislead.

A holder that was only asleep finds the newer epoch before it next publishes, and stops (`Fenced`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from results.files import Location, atomic_write, create, names, read_small

if TYPE_CHECKING:
    from results.store import StudyFolder

_NAME = re.compile(r"([0-9]{6,18})\.json")
STILL_INTERVALS = 3
MOST_BYTES = 2**16
MOST_SECONDS = 3600
"""Of an interval: who would wait for longer is not waited for."""


class Fenced(Exception):
    """A newer epoch holds the study: this process must stop writing."""


class LeaseHeld(Exception):
    """Another process runs the study. One line: who, host, pid, since when."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Holder:
    """The content of a lease file. `beat` counts; `since` is for people; once it is `closed` no
    further trial may begin."""

    epoch: int
    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    pid_start_time: int | None
    interval_seconds: float
    since: str
    beat: int = 0
    released: bool = False
    closed: bool = False

    def __str__(self) -> str:
        return f"host {self.host}, pid {self.pid}, since {self.since}"


def _machine() -> tuple[str, str, str]:
    """Host name, boot id and pid namespace.

    Together they say whose pids one may look up. Empty where unknown.
    """
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        pid_namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot_id, pid_namespace = "", ""
    return socket.gethostname(), boot_id, pid_namespace


def process_start_time(pid: int) -> int | None:
    """Start of a live process in clock ticks since boot.

    None if there is none (a zombie is none), or no /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    state, start_time = fields[0], int(fields[19])
    return None if state in "ZX" else start_time


def known_dead(holder: Holder) -> bool:
    """True only if it ran on this boot of this host, and its process is gone."""
    machine = _machine()
    if not machine[1] or machine != (holder.host, holder.boot_id, holder.pid_namespace):
        return False
    start_time = process_start_time(holder.pid)
    return start_time is None or start_time != holder.pid_start_time


def _path(folder: StudyFolder, epoch: int) -> Location:
    return folder.lease_dir / f"{epoch:06d}.json"


def newest_epoch(folder: StudyFolder) -> int:
    """The newest epoch that was ever claimed, 0 for none. One listing."""
    claims = (_NAME.fullmatch(name) for name in names(folder.lease_dir))
    return max((int(claim[1]) for claim in claims if claim), default=0)


def current(folder: StudyFolder, epoch: int) -> bool:
    """True while no newer epoch than `epoch` was claimed."""
    return newest_epoch(folder) <= epoch


def read_holder(folder: StudyFolder, epoch: int) -> Holder:
    """Who claimed this epoch. LeaseHeld if the file says nothing readable."""
    path = _path(folder, epoch)
    try:
        return _checked(Holder(**json.loads(read_small(path, MOST_BYTES))))
    except (ValueError, TypeError, RecursionError):
        raise LeaseHeld(
            f"{path}: damaged, or not a lease file; when nothing runs the study, delete it"
        ) from None


def _checked(holder: Holder) -> Holder:
    """The holder; ValueError or TypeError where a field holds what no claim does."""
    texts = holder.host, holder.boot_id, holder.pid_namespace, holder.since
    numbers = holder.epoch, holder.pid, holder.beat
    if not all(isinstance(text, str) for text in texts):
        raise TypeError
    flags = holder.released, holder.closed
    if not all(type(number) is int for number in numbers):
        raise TypeError
    if not all(type(flag) is bool for flag in flags):
        raise TypeError
    if not isinstance(holder.pid_start_time, int | None):
        raise TypeError
    if not 0 < holder.interval_seconds <= MOST_SECONDS:
        raise ValueError
    return holder


def held_epoch(folder: StudyFolder) -> int | None:
    """The epoch of a holder that may be alive: not released, and not known to be dead."""
    newest = newest_epoch(folder)
    if newest == 0:
        return None
    holder = read_holder(folder, newest)
    return None if holder.released or known_dead(holder) else newest


def closed(folder: StudyFolder) -> bool:
    """Whether whoever gave out this folder, with its epoch in it, lets no further trial begin.

    False where that cannot be read, which the trial will find out itself.
    """
    assert folder.epoch is not None
    try:
        return read_holder(folder, folder.epoch).closed
    except (OSError, LeaseHeld):
        return False


def acquire(
    folder: StudyFolder,
    *,
    interval_seconds: float = 2.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    waiting: Callable[[str], None] = lambda message: None,
) -> Lease:
    """Become the study's one writer, or raise LeaseHeld.

    `waiting` is told, in one line, when it takes watching another's counter to know whether it
    lives.
    """
    newest = newest_epoch(folder)
    if newest:
        holder = read_holder(folder, newest)
        if not holder.released and not known_dead(holder):
            _outwait(folder, holder, interval_seconds, clock, sleep, waiting)
    host, boot_id, pid_namespace = _machine()
    claim = Holder(
        epoch=newest + 1,
        host=host,
        boot_id=boot_id,
        pid_namespace=pid_namespace,
        pid=os.getpid(),
        pid_start_time=process_start_time(os.getpid()),
        interval_seconds=interval_seconds,
        since=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
    path = _path(folder, claim.epoch)
    try:
        create(path, _content(claim))
    except (FileExistsError, FileNotFoundError):  # or the winner has cleared ours away
        raise _held(folder, read_holder(folder, claim.epoch)) from None
    return Lease(folder, claim, clock)


def _content(holder: Holder) -> bytes:
    return json.dumps(dataclasses.asdict(holder)).encode()


def _held(folder: StudyFolder, holder: Holder) -> LeaseHeld:
    return LeaseHeld(f"study {folder.name} is being run by {holder}; stop that run first")


def _outwait(
    folder: StudyFolder,
    holder: Holder,
    interval_seconds: float,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    waiting: Callable[[str], None],
) -> None:
    """Return once the holder is known to be gone; LeaseHeld as soon as it shows life."""
    patience_seconds = STILL_INTERVALS * max(interval_seconds, holder.interval_seconds)
    waiting(
        f"study {folder.name} was last run by {holder}; "
        f"taking it over if that run shows no life for {patience_seconds:g} s"
    )
    first_seen = clock()
    while True:
        sleep(interval_seconds / 4)
        seen = read_holder(folder, holder.epoch)
        if seen.released or known_dead(seen):
            return
        if seen.beat != holder.beat:
            raise _held(folder, seen)
        if clock() - first_seen >= patience_seconds:
            return


class Lease:
    """The right to write a study; hand `folder`, which has the epoch in it, to every writer.

    `beat` and `release` may be called from several threads.
    """

    def __init__(self, folder: StudyFolder, holder: Holder, clock: Callable[[], float]) -> None:
        self.folder = dataclasses.replace(folder, epoch=holder.epoch)
        self.epoch = holder.epoch
        self.interval_seconds = holder.interval_seconds
        self._holder = holder
        self._clock = clock
        self._written_at = clock()
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Show life, at least every `interval_seconds`; Fenced if a newer epoch was claimed.

        The counter is written at most twice an interval, so calling more often costs one listing.
        """
        with self._lock:
            self.folder.check_fence()
            if self._clock() - self._written_at >= self._holder.interval_seconds / 2:
                self._write(beat=self._holder.beat + 1)

    def close(self) -> None:
        """Let no further trial begin. Raises Fenced, OSError; harmless when repeated."""
        with self._lock:
            if not self._holder.closed:
                self.folder.check_fence()
                self._write(closed=True)

    def release(self) -> None:
        """Let the next run start at once.

        Harmless when repeated, or when the lease is lost already. Where the disk is full the next
        run finds out by itself that this process is gone.
        """
        with self._lock, contextlib.suppress(Fenced, OSError):
            self.folder.check_fence()
            self._write(released=True)

    def _write(self, **changed: int) -> None:
        if self._holder.released:
            return
        holder = dataclasses.replace(self._holder, **changed)  # type: ignore[arg-type]
        atomic_write(_path(self.folder, self.epoch), _content(holder), durable=holder.released)
        self._holder = holder
        self._written_at = self._clock()


class Beating:
    """While entered, a thread of its own beats the lease, whatever else the holder is busy with.

    `on_fenced` is told, once, that a newer epoch holds the study. Leaving releases the lease.
    """

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.on_fenced: Callable[[str], None] = lambda message: None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Beating:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()
        self.lease.release()

    def _beat(self) -> None:
        while not self._done.wait(self.lease.interval_seconds / 2):
            try:
                self.lease.beat()
            except Fenced as error:
                self.on_fenced(str(error))
                return
            except OSError:
                continue  # a full disk or an absent mount; whoever waits for us will tell
