"""A disk that can be filled up, and is, by whoever first writes a file of a kind."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.trial_log import TrialLog
from results import files

WRITES = {
    "checkpoint": r"checkpoints/.*\.pt",
    "codes": r"codes/.*\.npz",
    "weights": r"models/.*\.pt",
    "pictures": r"artifacts/.*pictures\.npz",
    "latents": r"artifacts/.*latents\.npz",
    "curves": r"_rows/curves/.*\.json",
    "scores": r"_rows/scores/.*\.json",
    "row": r"_rows/trials/.*\.json",
    "published trials": r"trials\.parquet",
    "published curves": r"curves\.parquet",
    "published scores": r"scores\.parquet",
    "published attempts": r"attempts\.parquet",
    "opened account": r"attempts/.*\.open\.json",
    "closed account": r"attempts/.*\.close\.json",
    "claim": r"lease/.*\.json",
    "grid": r"study\.yaml",
    "manifest": r"manifest\.json",
    "log": r"logs/.*\.txt",
}
"""The kinds of files that a run of trials writes, by their names below the study's folder: all but
beats, which are every few seconds, and what only some metrics want."""
BEFORE = ("claim", "grid", "manifest")
"""Those that are written before there is anything to stop."""


class SmallDisk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (2**20, 2**12):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    @property
    def is_full(self) -> bool:
        return self._ballast.exists()

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


def fill_at(
    disk: SmallDisk, root: Path, pattern: str, replace: Callable[[object, str, object], None]
) -> None:
    """Has this process fill the disk, unless it is full, before it writes a file of a study at
    `root` whose name is like `pattern`. `replace` is setattr, or pytest's that is undone."""

    def meet(path: Path) -> None:
        # An attempt that another test has left open beats elsewhere.
        inside = path.is_relative_to(root) and str(path.relative_to(root))
        if inside and re.fullmatch(pattern, inside) and not disk.is_full:
            disk.fill()

    right, right_log = files.temporary_beside, TrialLog.write

    @contextlib.contextmanager
    def temporary_beside(path: Path) -> Iterator[Path]:
        meet(path)
        with right(path) as temporary:
            yield temporary

    def write(self: TrialLog, text: str) -> None:
        meet(self.path)
        right_log(self, text)

    replace(files, "temporary_beside", temporary_beside)
    replace(TrialLog, "write", write)
