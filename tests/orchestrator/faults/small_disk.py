"""A disk that can be filled up, and is, by whoever first writes a file of a kind."""

from __future__ import annotations

import contextlib
import itertools
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
    "fixed codes": r"artifacts/.*fixed_codes\.npz",
    "curves": r"_rows/curves/.*\.json",
    "scores": r"_rows/scores/.*\.json",
    "row": r"_rows/trials/.*\.json",
    "published trials": r"trials\.parquet",
    "published curves": r"curves\.parquet",
    "published scores": r"scores\.parquet",
    "published attempts": r"attempts\.parquet",
    "opened account": r"attempts/.*\.open\.json",
    "beat": r"attempts/.*\.beat\.json",
    "closed account": r"attempts/.*\.close\.json",
    "claim": r"lease/.*\.json",
    "beat of the lease": r"lease/.*\.json",
    "grid": r"study\.yaml",
    "manifest": r"manifest\.json",
    "log": r"logs/.*\.txt",
    "distances": r"distances/.*\.parquet",
    "marker of compaction": r"_rows/compacted\.json",
}
"""The kinds of files of a study, by their names below its folder."""
OF_RUNS = tuple(WRITES)[:-2]
"""Those that a run of trials writes."""
OF_CELLS = ("fixed codes",)
"""Those that only metrics of several trials want."""
SECOND = ("beat of the lease",)
"""Those that are a file written again, by the process that has written it before."""
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
    disk: SmallDisk, root: Path, kind: str, replace: Callable[[object, str, object], None]
) -> None:
    """Has this process fill the disk, unless it is full, before it writes a file of this kind of a
    study at `root`. `replace` is setattr, or pytest's that is undone."""
    left = itertools.count(kind in SECOND, -1)

    def meet(path: Path) -> None:
        # An attempt that another test has left open beats elsewhere.
        inside = path.is_relative_to(root) and str(path.relative_to(root))
        if inside and re.fullmatch(WRITES[kind], inside) and not disk.is_full and next(left) <= 0:
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
