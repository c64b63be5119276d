"""A disk that is full at one kind of write: nothing wrong is read, and a later run finishes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import trial_run
from orchestrator.trial_log import TrialLog
from results import files
from tests.orchestrator.faults.conftest import SmallDisk
from tests.orchestrator.faults.watching import Polling

WRITES = {
    "checkpoint": r"checkpoints/.*\.pt",
    "codes": r"codes/.*\.npz",
    "weights": r"models/.*\.pt",
    "pictures": r"artifacts/.*pictures\.npz",
    "curves": r"_rows/curves/.*\.json",
    "scores": r"_rows/scores/.*\.json",
    "row": r"_rows/trials/.*\.json",
    "published trials": r"trials\.parquet",
    "published curves": r"curves\.parquet",
    "opened account": r"attempts/.*\.open\.json",
    "closed account": r"attempts/.*\.close\.json",
    "claim": r"lease/.*\.json",
    "manifest": r"manifest\.json",
    "log": r"logs/.*\.txt",
}
QUICK = ("checkpoint",)


@contextlib.contextmanager
def full_from(disk: SmallDisk, root: Path, pattern: str) -> Iterator[list[Path]]:
    """The disk is filled up at the first write of a file whose name is like `pattern`, and for as
    long as this is entered."""
    met: list[Path] = []

    def fill_at(path: Path) -> None:
        # An attempt that another test has left open beats elsewhere.
        inside = path.is_relative_to(root) and str(path.relative_to(root))
        if not met and inside and re.fullmatch(pattern, inside):
            met.append(path)
            disk.fill()

    right, right_log = files.temporary_beside, TrialLog.write

    @contextlib.contextmanager
    def temporary_beside(path: Path) -> Iterator[Path]:
        fill_at(path)
        with right(path) as temporary:
            yield temporary

    def write(self: TrialLog, text: str) -> None:
        fill_at(self.path)
        right_log(self, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "temporary_beside", temporary_beside)
        patch.setattr(TrialLog, "write", write)
        yield met
    disk.free()


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=() if k in QUICK else pytest.mark.slow) for k in WRITES],
)
def test_a_disk_that_is_full_at_a_write_costs_another_run_and_no_row(
    tiny_grid: Any,
    small_disk: SmallDisk,
    run: Any,
    no_pause: Any,
    unharmed: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    monkeypatch.setattr(trial_run, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(trial_run, "CHECKPOINT_SECONDS_BEFORE_CODES", 0.0)
    grid = tiny_grid(every=3)
    root = small_disk.path / grid.study
    with Polling(root):
        with full_from(small_disk, root, WRITES[kind]) as met:
            try:
                session = run(grid, small_disk.path, no_pause)
            except OSError as error:
                assert kind in ("claim", "manifest") and "No space left" in str(error)
            else:
                if session.stop_reason is not None:
                    assert session.stop_reason.startswith("no space is left: OSError: ")
        assert met, "nothing of the kind was written"
        session = run(grid, small_disk.path, no_pause)
        assert session.stop_reason is None
    unharmed(grid, root)


def test_a_full_disk_stops_the_sweep_before_every_trial_has_trained_for_nothing(
    tiny_grid: Any, small_disk: SmallDisk, run: Any, no_pause: Any
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3, 4, 5, 6, 7]")
    root = small_disk.path / grid.study

    with full_from(small_disk, root, WRITES["weights"]):
        session = run(grid, small_disk.path, no_pause)
    assert session.stop_reason is not None
    assert session.stop_reason.startswith("no space is left: OSError: [Errno 28]")
    assert not session.folder.outcomes()
