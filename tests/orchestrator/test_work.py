from __future__ import annotations

from pathlib import Path
from typing import Any

from grids.data_folder import DataFolder
from orchestrator.work import Unit, missing_units, wanted_scores
from results.store import StudyFolder


def missing(
    grid: Any,
    folder: StudyFolder,
    outcomes: Any,
    scored: Any = frozenset(),
    code_files: Any = frozenset(),
) -> Any:
    units = missing_units(
        grid,
        folder,
        data=DataFolder(folder.root),
        outcomes=outcomes,
        scored=scored,
        code_files=code_files,
        code_version="test",
    )
    return [(unit.work, unit.trial.trial_id) for unit in units]


def test_a_unit_survives_the_trip_through_json(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid(more="resources: {gpus: 0.25, cpus: 2, memory: 1GiB}")
    folder = StudyFolder(tmp_path / "s", epoch=3)
    [unit, _] = missing_units(
        grid,
        folder,
        data=DataFolder(tmp_path / "data"),
        outcomes={},
        scored=set(),
        code_files=set(),
        code_version="test",
    )
    assert Unit.from_json(unit.to_json()) == unit
    assert unit.resources.gpus == 0.25 and unit.resources.memory_bytes == 2**30


def test_failed_trials_are_missing_and_finished_ones_are_not(
    tiny_grid: Any, tmp_path: Path
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3]", replace=("metrics: [mig, factor_vae], ", ""))
    a, b, c, d = (trial.trial_id for trial in grid.trials)
    outcomes = {a: "completed", b: "diverged", c: "failed"}
    assert missing(grid, StudyFolder(tmp_path, 1), outcomes) == [("train", c), ("train", d)]


def test_a_finished_trial_is_encoded_again_only_where_scores_and_codes_are_gone(
    tiny_grid: Any, tmp_path: Path
) -> None:
    grid = tiny_grid(seeds="[0]")
    folder = StudyFolder(tmp_path, 1)
    [trial] = grid.trials
    outcomes = {trial.trial_id: "completed"}
    wanted = wanted_scores(trial.trial_id, 6, 6, grid.evaluate)
    assert len(wanted) == 2
    assert missing(grid, folder, outcomes) == [("encode", trial.trial_id)]
    assert missing(grid, folder, outcomes, wanted) == []
    assert missing(grid, folder, outcomes, set(list(wanted)[:1])) == [("encode", trial.trial_id)]
    assert missing(grid, folder, outcomes, code_files={f"{trial.trial_id}-6.npz"}) == []


def test_training_comes_before_encoding(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid()
    first, second = (trial.trial_id for trial in grid.trials)
    units = missing(grid, StudyFolder(tmp_path, 1), {first: "completed"})
    assert units == [("train", second), ("encode", first)]
