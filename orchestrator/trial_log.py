"""A trial's log, `logs/<trial_id>.txt`: what a person reads when a trial failed."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime

from results.files import Location, atomic_write, is_regular
from results.objects import ObjectPath

MAX_BYTES = 1 << 20


class TrialLog:
    """Appends dated lines, up to 1 MiB, so that no trial fills a disk.

    Lines that a full one refuses are lost: none is worth a trial. An object cannot be appended to:
    it is put anew, with what the attempts before had written.
    """

    def __init__(self, path: Location) -> None:
        self.path = path
        self._put = b""
        with contextlib.suppress(OSError):
            if isinstance(path, ObjectPath):
                self._put = path.read_bytes()
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            if os.path.lexists(path) and not is_regular(path):  # a link, or a pipe that waits
                path.unlink()

    def write(self, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = (f"{stamp} {text.rstrip()}"[:MAX_BYTES] + "\n").encode()
        with contextlib.suppress(OSError):
            if isinstance(self.path, ObjectPath):
                if len(self._put) < MAX_BYTES:
                    self._put += line
                    atomic_write(self.path, self._put)
                return
            with self.path.open("ab") as file:
                if file.tell() < MAX_BYTES:
                    file.write(line)
