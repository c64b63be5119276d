"""What SIGINT and SIGTERM do: to a study, and to work that is kept whole or not at all.

An exception that a handler raises is lost where Python is called from C, as while numba compiles or
Ray starts. So a signal is remembered too, and looked for again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from orchestrator.errors import Exit
from results import objects

if TYPE_CHECKING:
    from orchestrator.prepare import Run
    from orchestrator.session import Session

STORE_SECONDS = 5.0  # for an object store that is away: a machine that is taken away waits for none
NUMBERS = {signal.SIGINT, signal.SIGTERM}
STOPPING = (
    "stopping: trials write their checkpoints ... (again: stop at once and lose the steps since "
    "the last one)"
)


class Signals:
    """The first SIGINT or SIGTERM ends the run cleanly; a second one ends the process at once."""

    def __init__(self, stopping: str = STOPPING) -> None:
        self.stopping = stopping
        self.session: Session | None = None

    def attach(self, session: Session) -> None:
        """What a signal interrupts from now on; one that came before interrupts it at once."""
        self.session = session
        with contextlib.suppress(BlockingIOError):
            if NUMBERS & set(self._heard.recv(4096)):
                self._interrupt(session)

    def __enter__(self) -> Signals:
        # Python writes every signal's number there, whoever handles it: Ray, too, while it starts.
        self._heard, self._told = socket.socketpair()
        self._heard.setblocking(False)
        self._told.setblocking(False)
        told = self._told.fileno()
        self._told_before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        self._before = self.install()
        return self

    def __exit__(self, *error: object) -> None:
        objects.hurry(None)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._told_before)
        self._heard.close()
        self._told.close()

    def install(self) -> dict[signal.Signals, Any]:
        """Takes both signals; returns who had them before."""
        return {number: signal.signal(number, self._stop) for number in NUMBERS}

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.session is None:
            raise KeyboardInterrupt
        if self.session.interrupted:
            os._exit(Exit.INTERRUPTED)
        print(self.stopping, file=sys.stderr)
        self._interrupt(self.session)

    def _interrupt(self, session: Session) -> None:
        objects.hurry(STORE_SECONDS)
        session.interrupt()


@contextlib.contextmanager
def terminable() -> Iterator[Callable[[], None]]:
    """SIGTERM ends the work as Ctrl-C does: what is half made is removed first.

    What it yields raises KeyboardInterrupt where a signal has come: numba's compiler calls Python
    from C, and an exception ends there.
    """
    come = False

    def interrupt(number: int, frame: object) -> None:
        nonlocal come
        come = True
        raise KeyboardInterrupt

    def check() -> None:
        if come:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in NUMBERS}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interruptible(run: Run, check: Callable[[], None]) -> Run:
    """The same, with a check after every part."""

    def rows(task: Callable[[int], dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
        for row in run(task, count):
            check()
            yield row

    return rows
