"""A wall clock that jumps back: it dates rows, and decides nothing."""

from __future__ import annotations

import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest

from results import ledger, load
from results.lease import Beating, acquire, read_holder
from tests.orchestrator.faults.watching import Polling
from tests.orchestrator.waiting import wait_for


class JumpingBack(dt.datetime):
    """An hour earlier every time that it is asked."""

    hours = 0

    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        cls.hours += 1
        return dt.datetime(2026, 1, 1, tzinfo=tz) - dt.timedelta(hours=cls.hours)


@pytest.fixture
def clock_jumps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = type("dt", (), {**vars(dt), "datetime": JumpingBack})
    monkeypatch.setattr(ledger, "dt", fake)
    monkeypatch.setattr(time, "time", lambda: 0.0)


@pytest.mark.usefixtures("clock_jumps_back")
def test_rows_and_hours_are_right_whatever_the_clock_says(
    tiny_grid: Any, tmp_path: Path, run: Any, unharmed: Any
) -> None:
    grid = tiny_grid(every=3)

    with Polling(tmp_path / "tiny"):
        before = time.monotonic()
        folder = run(grid, tmp_path).folder
        passed = time.monotonic() - before
    unharmed(grid, folder.root)
    attempts = load(folder.root).attempts
    assert (attempts["ended_at"] < attempts["started_at"]).all()
    assert (attempts["wall_seconds"] > 0).all()
    assert attempts["wall_seconds"].sum() <= passed


@pytest.mark.usefixtures("clock_jumps_back")
def test_of_two_failures_the_later_one_is_told_though_its_clock_is_earlier(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    grid = tiny_grid(seeds="[0]")
    for error in ("the first", "the second"):

        def broken(unit: Any, error: str = error) -> Any:
            raise RuntimeError(error)

        run(grid, tmp_path, lambda session, make=broken: no_pause(session, make_run=make))
    [row] = load(tmp_path / "tiny").trials.to_dict("records")
    assert row["status"] == "failed" and row["error"].strip().endswith("the second")


def test_a_lease_is_beaten_and_refused_by_counters_whatever_the_clock_says(
    tiny_grid: Any, tmp_path: Path, run: Any, clock_jumps_back: None
) -> None:
    folder = run(tiny_grid(seeds="[0]"), tmp_path).folder
    held = acquire(folder, interval_seconds=0.2)
    with Beating(held):
        wait_for(lambda: read_holder(folder, held.epoch).beat > 2)
    assert json.loads((folder.lease_dir / f"{held.epoch:06d}.json").read_text())["released"]
