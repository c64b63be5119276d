"""A disk that is full at one kind of write: nothing wrong is read, and a later run finishes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grids.data_folder import DataFolder
from grids.load import load_grid
from orchestrator import trial_run
from orchestrator.errors import InputError
from orchestrator.trial_run import TrialRun
from results import lease, ledger, load
from tests.orchestrator.conftest import answers
from tests.orchestrator.faults.small_disk import (
    BEFORE,
    OF_CELLS,
    OF_RUNS,
    SECOND,
    WRITES,
    SmallDisk,
    fill_at,
)
from tests.orchestrator.faults.test_any_order import STEP_SECONDS, Clock, Ticking
from tests.orchestrator.faults.watching import Polling, assert_clean
from tests.orchestrator.test_measurement_run import GRID as MEASUREMENTS
from tests.orchestrator.test_measurement_run import distances
from tests.orchestrator.test_prepare import COUNT, Scattered, image_set, left, pixels, prepared
from trainers.datasets.source import Batch

QUICK = ("checkpoint", "beat", "fixed codes")


@pytest.fixture(autouse=True)
def processes_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever could not release a lease on a full disk is gone when the next one asks for it."""
    monkeypatch.setattr(lease, "known_dead", lambda holder: True)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=() if k in QUICK else pytest.mark.slow) for k in OF_RUNS],
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
    monkeypatch.setattr(ledger, "BEAT_SECONDS", 0.05)
    metrics = ("factor_vae", "udr") if kind in OF_CELLS else ("", "")
    steps = 150 if kind in SECOND else 6  # the lease is beaten every second
    grid = tiny_grid(steps=steps, every=steps // 2, replace=metrics)
    root = small_disk.path / grid.study
    with Polling(root) as reader:
        with monkeypatch.context() as patch:
            fill_at(small_disk, root, kind, patch.setattr)
            try:
                session = run(grid, small_disk.path, no_pause)
            except OSError as error:
                assert kind in BEFORE and "No space left" in str(error)
            else:
                assert kind not in BEFORE and session.stop_reason is not None
                assert session.stop_reason.startswith("no space is left: OSError: ")
        assert small_disk.is_full, "nothing of the kind was written"
        reader.wait_for_looks()
        small_disk.free()
        session = run(grid, small_disk.path, no_pause)
        assert session.stop_reason is None
    unharmed(grid, root)


@pytest.mark.parametrize("kind", ["weights", "pictures", "curves", "scores", "row"])
def test_a_disk_that_is_full_when_a_trial_is_adopted_costs_another_run_and_no_hour(
    tiny_grid: Any,
    small_disk: SmallDisk,
    run: Any,
    no_pause: Any,
    unharmed: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    run(tiny_grid("first", every=3), small_disk.path, no_pause)
    grid = tiny_grid(every=3)
    root = small_disk.path / grid.study
    with Polling(root) as reader:
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left") as error:
            fill_at(small_disk, root, kind, patch.setattr)
            run(grid, small_disk.path, no_pause)
        assert small_disk.is_full
        assert re.fullmatch(WRITES[kind], str(Path(error.value.filename).relative_to(root)))
        reader.wait_for_looks()
        small_disk.free()
        assert run(grid, small_disk.path, no_pause).stop_reason is None
    unharmed(grid, root)
    tables = load(root)
    assert set(tables.trials["adopted_from"]) == {"first"} and tables.attempts.empty


@pytest.mark.parametrize("kind", ["published curves", "marker of compaction"])
def test_a_disk_that_is_full_when_a_study_is_compacted_costs_no_row(
    tiny_grid: Any,
    small_disk: SmallDisk,
    run: Any,
    unharmed: Any,
    latentgrid: Any,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    grid = tiny_grid(every=3)
    root = run(grid, small_disk.path).folder.root
    (root / "curves.parquet").unlink()  # as if it had not been published yet
    with Polling(root) as reader:
        with monkeypatch.context() as patch:
            fill_at(small_disk, root, kind, patch.setattr)
            ended = latentgrid("compact", root)
        [line] = ended.stderr.strip().splitlines()
        assert ended.returncode == 1 and line.endswith(": No space left on device"), ended
        assert line.startswith(f"latentgrid: {root}/"), line
        assert small_disk.is_full
        reader.wait_for_looks()
        small_disk.free()
        unharmed(grid, root)
        assert latentgrid("compact", root).returncode == 0
        assert not list(root.glob("_rows/*/*"))
    unharmed(grid, root)


def test_a_disk_that_is_full_at_a_measurement_costs_another_run_and_no_row(
    tmp_path: Path,
    small_disk: SmallDisk,
    run: Any,
    no_pause: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "measured.yaml").write_text(MEASUREMENTS.format(study="measured"))
    grid = load_grid(tmp_path / "measured.yaml")
    root = small_disk.path / grid.study
    with Polling(root) as reader:
        with monkeypatch.context() as patch:
            fill_at(small_disk, root, "distances", patch.setattr)
            session = run(grid, small_disk.path, no_pause)
        assert session.stop_reason.startswith("no space is left: OSError: ")
        assert small_disk.is_full and not session.folder.outcomes()
        reader.wait_for_looks()
        small_disk.free()
        assert run(grid, small_disk.path, no_pause).stop_reason is None
    run(grid, tmp_path / "undisturbed")
    undisturbed = tmp_path / "undisturbed" / "measured"
    for found, expected in (
        (distances(root), distances(undisturbed)),
        (answers(root)["trials"], answers(undisturbed)["trials"]),
    ):
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert_clean(root)


def test_on_a_full_disk_a_trial_goes_on_for_no_longer_than_a_beat(
    tiny_grid: Any, small_disk: SmallDisk, run: Any, no_pause: Any
) -> None:
    """Though nothing else of it is to be written for a while: checkpoints are a minute apart,
    reports ten steps."""
    clock = Clock()

    class Filling(Ticking):
        def advance(self, steps: int) -> None:
            super().advance(steps)
            if self.step == 11:
                small_disk.fill()

    def make_run(unit: Any) -> TrialRun:
        return TrialRun(unit, make_training=functools.partial(Filling, clock), clock=clock)

    grid = tiny_grid(seeds="[0]", steps=600)
    session = run(grid, small_disk.path, lambda session: no_pause(session, make_run=make_run))
    assert session.stop_reason.startswith("no space is left: OSError: ")
    small_disk.free()
    [attempt] = load(session.folder.root).attempts.to_dict("records")
    assert (attempt["outcome"], attempt["wall_seconds"]) == ("lost", 10 * STEP_SECONDS)
    assert clock() == 11 * STEP_SECONDS


def test_a_disk_that_fills_up_while_images_are_prepared_is_one_line_and_leaves_nothing(
    small_disk: SmallDisk,
) -> None:
    class Filling(Scattered):
        def read(self, part: int) -> Iterator[Batch]:
            small_disk.fill()
            return super().read(part)

    data = DataFolder(small_disk.path)
    with pytest.raises(InputError, match="No space left on device") as refused:
        prepared(data, image_set(Filling()))
    assert len(str(refused.value).splitlines()) == 1
    assert left(data) == [] and not data.is_prepared("made")
    small_disk.free()
    prepared(data, image_set(Scattered()))
    np.testing.assert_array_equal(
        np.load(data.images("made")), pixels(np.arange(COUNT)), strict=True
    )


def test_a_full_disk_stops_the_sweep_before_every_trial_has_trained_for_nothing(
    tiny_grid: Any,
    small_disk: SmallDisk,
    run: Any,
    no_pause: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3, 4, 5, 6, 7]")
    fill_at(small_disk, small_disk.path / grid.study, "weights", monkeypatch.setattr)
    session = run(grid, small_disk.path, no_pause)
    assert session.stop_reason is not None
    assert session.stop_reason.startswith("no space is left: OSError: [Errno 28]")
    assert not session.folder.outcomes()
