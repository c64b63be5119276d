"""A trial's log, `logs/<trial_id>.txt`: what a person reads when a trial failed."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from results.files import is_regular

MAX_BYTES = 1 << 20


class TrialLog:
    """Appends dated lines, up to 1 MiB, so that no trial fills a disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path) and not is_regular(path):  # a link leads elsewhere, a pipe waits
            path.unlink()

    def write(self, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self.path.open("a", encoding="utf-8") as file:
            if file.tell() < MAX_BYTES:
                file.write(f"{stamp} {text.rstrip()}"[:MAX_BYTES] + "\n")
