"""A trial's log, `logs/<trial_id>.txt`: what a person reads when a trial failed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

MAX_BYTES = 1 << 20


class TrialLog:
    """Appends dated lines; says so once and stops at 1 MiB, so that no trial fills a disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, text: str) -> None:
        size = self.path.stat().st_size if self.path.exists() else 0
        if size >= MAX_BYTES:
            return
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = f"{stamp} {text.rstrip()}\n"
        if size + len(line) >= MAX_BYTES:
            line = f"{stamp} the log ends here: {MAX_BYTES >> 20} MiB is its limit\n" + " " * 0
            line = line.ljust(MAX_BYTES - size)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line)
