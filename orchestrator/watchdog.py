"""Ends a process whose trial hangs, or holds more memory than it asked for, with an error that says
so.

A chunk of training that takes many times as long as the longest before has hung. How long anything
else takes (reading data, compiling, capturing a graph, encoding) is not known: it is given half an
hour.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

LOOK_SECONDS = 0.5
FLOOR_SECONDS = 60.0
TIMES_THE_LONGEST = 20.0
HANG_SECONDS = 1800.0
ABANDON_SECONDS = 10.0  # for what is written down last, as the disk itself may not answer


class Pace:
    """How long the chunks of a run take. Made and used in the thread that trains; watched from
    another.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._chunks = 0
        self.longest: float | None = None
        """Seconds; None until the second chunk has ended, as the first may compile."""
        self.in_chunk = False
        self.changes = 0
        """Grows at every sign of life."""
        self.thread = threading.get_ident()

    @contextlib.contextmanager
    def chunk(self) -> Iterator[None]:
        started = self._clock()
        self.in_chunk, self.changes = True, self.changes + 1
        try:
            yield
        finally:
            self.in_chunk, self.changes = False, self.changes + 1
        self._chunks += 1
        if self._chunks > 1:
            self.longest = max(self.longest or 0.0, self._clock() - started)

    @property
    def patience(self) -> float:
        """Seconds without a sign of life after which the run has hung."""
        if not self.in_chunk or self.longest is None:
            return HANG_SECONDS
        return min(HANG_SECONDS, max(FLOOR_SECONDS, TIMES_THE_LONGEST * self.longest))

    def hung(self) -> str:
        """The error of a run that has: the stack of its thread, then a line that says so."""
        frame = sys._current_frames().get(self.thread)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        shown = "unknown" if self.longest is None else f"{self.longest:.3g} s"
        what = "a chunk of steps" if self.in_chunk else "what is beside training"
        return (
            f"{stack}TimeoutError: {what} has not ended after {self.patience:.3g} s; "
            f"the longest chunk of steps before: {shown}"
        )


class Watched(Protocol):
    def paces(self) -> Sequence[Pace]: ...

    def abandon(self, error: str) -> None: ...


class Watchdog:
    """Looks at a run until it is stopped; `memory_bytes` is what the process may hold."""

    def __init__(
        self,
        run: Watched,
        memory_bytes: int | None,
        *,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        self.run, self.memory_bytes, self.end_process = run, memory_bytes, end_process
        self._looks: WeakKeyDictionary[Pace, tuple[int, int]] = WeakKeyDictionary()
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def look(self) -> str | None:
        """The error that ends the process now, if there is one."""
        held = own_bytes()
        if self.memory_bytes is not None and held > self.memory_bytes:
            return (
                f"MemoryError: the process holds {held / 2**30:.2f} GiB, and may hold "
                f"{self.memory_bytes / 2**30:.2f} GiB (resources: memory)"
            )
        for pace in self.run.paces():
            # Looks are counted, not seconds: a process that was stopped for a while has not hung.
            changes, looks = self._looks.get(pace, (-1, 0))
            looks = looks + 1 if changes == pace.changes else 0
            self._looks[pace] = pace.changes, looks
            if looks * LOOK_SECONDS > pace.patience:
                return pace.hung()
        return None

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            if error := self.look():
                print(error, file=sys.stderr)
                faulthandler.dump_traceback(sys.stderr)
                writing = threading.Thread(target=self.run.abandon, args=(error,), daemon=True)
                writing.start()
                writing.join(ABANDON_SECONDS)
                self.end_process(1)
                return


def own_bytes() -> int:
    """The memory that is this process's own: pages of files, which all share, are not in it. 0
    where the system does not say (it is no Linux).
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return 1024 * sum(int(lines.get(name, "0").split()[0]) for name in ("RssAnon", "RssShmem"))
