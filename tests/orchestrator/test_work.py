from __future__ import annotations

from pathlib import Path
from typing import Any

from grids.data_folder import DataFolder
from orchestrator.work import (
    MOST_IN_A_PROCESS,
    Unit,
    from_json,
    missing_units,
    packs,
    to_json,
    wanted_scores,
)
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
    assert from_json(to_json([unit, unit])) == [unit, unit]
    assert unit.resources.gpus == 0.25 and unit.resources.memory_bytes == 2**30


def units_of(grid: Any, tmp_path: Path) -> list[Unit]:
    return missing_units(
        grid,
        StudyFolder(tmp_path / "s", epoch=1),
        data=DataFolder(tmp_path / "data"),
        outcomes={},
        scored=set(),
        code_files=set(),
        code_version="test",
    )


def seeds_of(packed: list[list[Unit]]) -> list[list[int]]:
    return [[unit.trial.seed for unit in units] for units in packed]


def test_without_packs_each_unit_is_alone(tiny_grid: Any, tmp_path: Path) -> None:
    units = units_of(tiny_grid(seeds="[0, 1, 2]"), tmp_path)
    assert packs(units, lambda unit: False, places=1) == [[unit] for unit in units]


def test_packs_are_spread_over_the_places_and_are_full(tiny_grid: Any, tmp_path: Path) -> None:
    units = units_of(tiny_grid(seeds=list(range(10)), more="resources: {pack: 2}"), tmp_path)
    spread = seeds_of(packs(units, lambda unit: False, places=3))
    assert spread == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    unqueued = seeds_of(packs(units, lambda unit: False, places=3, queued=False))
    assert unqueued == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    many_places = seeds_of(packs(units, lambda unit: False, places=100))
    assert many_places == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]


def test_a_pack_whose_size_is_found_on_the_device_may_get_the_largest(
    tiny_grid: Any, tmp_path: Path
) -> None:
    grid = tiny_grid(seeds=list(range(200)), more="resources: {pack: auto}")
    lengths = [len(each) for each in packs(units_of(grid, tmp_path), lambda unit: False, places=1)]
    assert lengths == [MOST_IN_A_PROCESS] * 3 + [8]
    lengths = [
        len(each) for each in packs(units_of(grid, tmp_path), lambda unit: False, places=100)
    ]
    assert lengths == [16] * 12 + [8]


def test_what_is_to_be_alone_is_and_precisions_do_not_mix(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid(seeds="[0, 1, 2]\n  precision: [fp32, bf16]", more="resources: {pack: 4}")
    units = units_of(grid, tmp_path)
    packed = packs(units, lambda unit: unit == units[0], places=1)
    assert [len(each) for each in packed] == [1, 3, 2]
    assert packed[0] == [units[0]]
    assert all(len({unit.trial.precision for unit in each}) == 1 for each in packed)


def test_models_in_closed_form_are_fitted_alone(tiny_grid: Any, tmp_path: Path) -> None:
    """A pack would calibrate by their steps, which are whole fits."""
    grid = tiny_grid(
        frameworks="[pca]",
        steps=1,
        more="resources: {pack: 4}",
        replace=("model: conv64\n  latents: 2\n  beta: 1e-3", "model: linear\n  latents: 2"),
    )
    packed = packs(units_of(grid, tmp_path), lambda unit: False, places=1)
    assert [len(each) for each in packed] == [1, 1]


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
