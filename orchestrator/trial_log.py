"""A trial's log, `logs/<trial_id>.txt`: what a person reads when a trial failed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

MAX_BYTES = 1 << 20


class TrialLog:
    """Appends dated lines, up to 1 MiB, so that no trial fills a disk.

    Lines that a full one refuses are lost: none is worth a trial.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            if file.tell() < MAX_BYTES:
                file.write(f"{stamp} {text.rstrip()}"[:MAX_BYTES] + "\n")
