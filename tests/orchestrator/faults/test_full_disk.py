"""A disk that is full at one kind of write: nothing wrong is read, and a later run finishes."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import trial_run
from tests.orchestrator.faults.small_disk import BEFORE, WRITES, SmallDisk, fill_at
from tests.orchestrator.faults.watching import Polling

QUICK = ("checkpoint",)


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
        with monkeypatch.context() as patch:
            fill_at(small_disk, root, WRITES[kind], patch.setattr)
            try:
                session = run(grid, small_disk.path, no_pause)
            except OSError as error:
                assert kind in BEFORE and "No space left" in str(error)
            else:
                assert kind not in BEFORE and session.stop_reason is not None
                assert session.stop_reason.startswith("no space is left: OSError: ")
        assert small_disk.is_full, "nothing of the kind was written"
        small_disk.free()
        session = run(grid, small_disk.path, no_pause)
        assert session.stop_reason is None
    unharmed(grid, root)


def test_a_full_disk_stops_the_sweep_before_every_trial_has_trained_for_nothing(
    tiny_grid: Any,
    small_disk: SmallDisk,
    run: Any,
    no_pause: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3, 4, 5, 6, 7]")
    fill_at(small_disk, small_disk.path / grid.study, WRITES["weights"], monkeypatch.setattr)
    session = run(grid, small_disk.path, no_pause)
    assert session.stop_reason is not None
    assert session.stop_reason.startswith("no space is left: OSError: [Errno 28]")
    assert not session.folder.outcomes()
