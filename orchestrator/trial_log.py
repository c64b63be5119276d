"""A trial's log, `logs/<trial_id>.txt`: what a person reads when a trial failed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

from results.files import Location, atomic_write
from results.objects import ObjectPath

MAX_BYTES = 1 << 20


class TrialLog:
    """Appends dated lines, up to 1 MiB, so that no trial fills a disk.

    An object cannot be appended to: it is put anew, with what the attempts before had written.
    """

    def __init__(self, path: Location) -> None:
        self.path = path
        self._put = b""
        if isinstance(path, ObjectPath):
            with contextlib.suppress(FileNotFoundError):
                self._put = path.read_bytes()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = (f"{stamp} {text.rstrip()}"[:MAX_BYTES] + "\n").encode()
        if isinstance(self.path, ObjectPath):
            if len(self._put) < MAX_BYTES:
                self._put += line
                atomic_write(self.path, self._put)
            return
        with self.path.open("ab") as file:
            if file.tell() < MAX_BYTES:
                file.write(line)
