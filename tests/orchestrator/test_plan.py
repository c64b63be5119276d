from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grids.data_folder import DataFolder
from orchestrator import checkpoints, machine
from orchestrator.data_files import files_of
from orchestrator.plan import make_plan
from results.store import StudyFolder


def test_a_new_study_has_everything_to_do_and_unknown_hours(tiny_grid: Any, tmp_path: Path) -> None:
    plan = make_plan(tiny_grid(), tmp_path / "nowhere", DataFolder(tmp_path))
    assert (plan.trials, plan.done, plan.adoptable) == (2, 0, 0)
    assert (plan.steps, plan.steps_left) == (12, 12)
    assert (plan.scores, plan.scores_left) == (4, 4)
    assert plan.hours is None
    assert not (tmp_path / "nowhere").exists()


def test_trials_that_another_study_has_finished_are_adoptable_and_need_no_steps(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    run(tiny_grid("first", seeds="[0]"), tmp_path)
    plan = make_plan(tiny_grid("second", seeds="[0, 1]"), tmp_path, DataFolder(tmp_path))
    assert (plan.done, plan.adoptable, plan.steps, plan.steps_left) == (0, 1, 12, 6)


def test_a_metric_added_to_a_finished_study_shows_as_scores_to_go(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    run(tiny_grid(replace=("metrics: [mig, factor_vae]", "metrics: [mig]")), tmp_path)
    plan = make_plan(tiny_grid(), tmp_path, DataFolder(tmp_path))
    assert (plan.done, plan.steps_left) == (2, 0)
    assert (plan.scores, plan.scores_left) == (4, 2)


def test_scores_of_cells_count_too(tiny_grid: Any, tmp_path: Path) -> None:
    udr = ("metrics: [mig, factor_vae]", "metrics: [mig, udr]")
    plan = make_plan(tiny_grid(replace=udr), tmp_path, DataFolder(tmp_path))
    assert (plan.scores, plan.scores_left) == (4, 4)


def test_where_the_network_of_the_fid_is_missing_it_says_how_to_get_it(
    tiny_grid: Any, tmp_path: Path
) -> None:
    data = DataFolder(tmp_path / "data")
    grid = tiny_grid(replace=("metrics: [mig, factor_vae]", "metrics: [mig, fid_sample]"))
    plan = make_plan(grid, tmp_path, data)
    assert plan.missing_datasets == [f"latentgrid data fetch inception --data-dir {data.root}"]
    [file] = files_of("inception", data.root)
    file.path(data.root).parent.mkdir(parents=True)
    file.path(data.root).touch()
    assert make_plan(grid, tmp_path, data).missing_datasets == []
    file.path(data.root).unlink()
    assert make_plan(tiny_grid(), tmp_path, data).missing_datasets == []


def test_steps_in_checkpoints_are_not_to_be_done_again(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid()
    folder = StudyFolder(tmp_path / "tiny", epoch=0)
    for step in (2, 4):
        checkpoints.save(folder, grid.trials[0].trial_id, "000000-a", step, {})
    assert make_plan(grid, tmp_path, DataFolder(tmp_path)).steps_left == 12 - 4


def test_where_no_device_as_here_trained_such_trials_hours_are_those_of_the_last_that_did(
    tiny_grid: Any, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, data = tiny_grid("second", seeds="[5]"), DataFolder(tmp_path)
    other = ("name: xysquares, grid_size: 2, spacing: 16", "name: xyobject, spacing: 48")
    ran = [("cpu: elder", {}), ("cpu: newer", {}), ("cuda: NVIDIA H200", {})]
    ran += [("cpu: of a login node", {"replace": other})]  # tells nothing of other images
    for seed, (device, options) in enumerate(ran):
        monkeypatch.setattr(machine, "device_kind", lambda _, device=device: device)
        run(tiny_grid(f"on-{seed}", seeds=f"[{seed}]", **options), tmp_path)
    monkeypatch.setattr(machine, "device_kind", lambda kind: f"{kind}: of a login node")
    plan = make_plan(grid, tmp_path, data)
    assert plan.device == "cpu: newer" and plan.hours is not None
    on_gpus = tiny_grid("third", seeds="[5]", more="resources: {gpus: 1}")
    assert make_plan(on_gpus, tmp_path, data).device == "cuda: NVIDIA H200"


def test_hours_are_known_of_datasets_without_all_parameters(
    tiny_grid: Any, run: Any, tmp_path: Path
) -> None:
    # xyobject has no `rgb`, which is part of the pace of those that have it.
    other = ("name: xysquares, grid_size: 2, spacing: 16", "name: xyobject, spacing: 48")
    run(tiny_grid("first", replace=other), tmp_path)
    plan = make_plan(
        tiny_grid("second", seeds="[5]", replace=other), tmp_path, DataFolder(tmp_path)
    )
    assert plan.hours is not None and plan.hours > 0
