from __future__ import annotations

import errno
import functools
from pathlib import Path
from typing import Any

import pytest

from grids.data_folder import DataFolder
from orchestrator import checkpoints
from orchestrator.local import run_local
from orchestrator.plan import make_plan
from orchestrator.session import Session
from orchestrator.status import read_status
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit
from results import lease, load
from results.hours import account, by_stage
from results.store import StudyFolder
from results.tables import Tables
from trainers.fit import Training


def test_a_study_leaves_complete_tables_weights_pictures_and_no_work_files(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(every=3, frameworks="[beta_vae, ada_gvae]")
    session = run(grid, tmp_path)
    frames = load(session.folder.root)
    assert set(frames.trials["trial_id"]) == {trial.trial_id for trial in grid.trials}
    assert set(frames.trials["status"]) == {"completed"}
    assert len(frames.curves) == 4 * 6
    steps = frames.scores.groupby(["step", "size", "metric"])["trial_id"].nunique()
    assert steps.to_dict() == {
        (step, "fast", metric): 4 for step in (3, 6) for metric in ("mig", "factor_vae")
    }
    for trial in grid.trials:
        assert session.folder.weights(trial.trial_id).exists()
        assert (session.folder.artifacts(trial.trial_id) / "pictures.npz").exists()
    for name in ("codes", "checkpoints"):
        assert list((session.folder.root / name).glob("*")) == []
    assert not list(session.folder.root.rglob(".*"))


def test_running_a_finished_study_again_does_nothing(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid()
    root = run(grid, tmp_path).folder.root
    before = load(root)
    run(grid, tmp_path)
    after = load(root)
    assert after.trials.equals(before.trials)
    assert after.attempts.equals(before.attempts)


def test_a_grown_grid_runs_only_what_is_new(tiny_grid: Any, tmp_path: Path, run: Any) -> None:
    root = run(tiny_grid(), tmp_path).folder.root
    before = set(load(root).attempts["attempt_id"])
    run(tiny_grid(seeds="[0, 1, 2]"), tmp_path)
    frames = load(root)
    assert len(frames.trials) == 3
    new = frames.attempts[~frames.attempts["attempt_id"].isin(before)]
    assert set(new["trial_id"]) == {tiny_grid(seeds="[2]").trials[0].trial_id}


def test_a_metric_added_later_is_scored_from_the_final_weights_without_training(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    run(tiny_grid(replace=("metrics: [mig, factor_vae]", "metrics: [mig]")), tmp_path / "later")
    root = run(tiny_grid(), tmp_path / "later").folder.root
    attempts = load(root).attempts
    second = attempts[(attempts["epoch"] == 2) & (attempts["kind"] == "trial")]
    assert len(second) == 2
    assert (second["train_seconds"] == 0).all()
    run(tiny_grid(), tmp_path / "at once")
    same(root, tmp_path / "at once" / "tiny")


def test_a_trial_finished_in_another_study_is_adopted_with_its_scores_and_no_attempt(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    run(tiny_grid("first"), tmp_path)
    session = run(tiny_grid("second", seeds="[0, 1, 2]"), tmp_path)
    first, second = load(tmp_path / "first"), load(session.folder.root)
    assert second.trials["adopted_from"].tolist().count("first") == 2
    assert second.trials["study"].unique().tolist() == ["second"]
    adopted = set(first.trials["trial_id"])
    assert not adopted & set(second.attempts["trial_id"])
    for trial_id in adopted:
        ours, theirs = session.folder.weights(trial_id), StudyFolder(tmp_path / "first")
        assert ours.read_bytes() == theirs.weights(trial_id).read_bytes()
    columns = ["trial_id", "step", "metric", "score", "value"]
    mine = second.scores[second.scores["trial_id"].isin(adopted)][columns]
    assert mine.sort_values(columns).to_dict("list") == first.scores[columns].sort_values(
        columns
    ).to_dict("list")
    assert len(second.curves) == 3 * 6


def test_what_an_adoption_that_was_cut_short_had_written_is_written_beside_it_again(
    tiny_grid: Any, tmp_path: Path, run: Any, latentgrid: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny_grid("first"), tmp_path)
    grid = tiny_grid("second")
    write = StudyFolder.write_record

    def full_disk_at_a_row(self: StudyFolder, table: str, *record: Any) -> None:
        if table == "trials":
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, table, *record)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(StudyFolder, "write_record", full_disk_at_a_row)
        run(grid, tmp_path)
    place = ["--out", tmp_path, "--data-dir", tmp_path / "data"]
    ended = latentgrid("run", tmp_path / "second.yaml", "--local", *place)
    assert f"adopted from other studies in {tmp_path}: 2 of the trials" in ended.stderr
    ids = [trial.trial_id for trial in grid.trials]
    names = StudyFolder(tmp_path / "second").record_names("scores")
    again = {f"adopted-{trial_id}-000002" for trial_id in ids}
    assert again < set(names) and names.count(f"adopted-{min(ids)}-000001") == 1
    assert len(load(tmp_path / "second").scores) == len(load(tmp_path / "first").scores)


def test_scores_that_came_with_an_adopted_trial_and_were_not_asked_for_do_not_count(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    both = ("final: fast", "final: fast, representations: [mean, sampled]")
    run(tiny_grid("first", replace=both), tmp_path)
    root = run(tiny_grid("second"), tmp_path).folder.root
    assert "sampled" in set(load(root).scores["representation"])
    status, *_ = read_status(root)
    assert (status.scores, status.scores_wanted) == (4, 4)


class SeedOneRaises(Training):
    def advance(self, steps: int) -> None:
        if self.trial.seed == 1:
            raise RuntimeError("no such kernel")
        super().advance(steps)


raising_run = functools.partial(TrialRun, make_training=SeedOneRaises)


def test_a_trial_that_always_raises_ends_failed_with_its_traceback_and_the_rest_complete(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2]")
    session = run(grid, tmp_path, functools.partial(no_pause, make_run=raising_run))
    frames = load(session.folder.root)
    status = frames.trials.set_index("seed")["status"].to_dict()
    assert status == {0: "completed", 1: "failed", 2: "completed"}
    error = frames.trials.set_index("seed").loc[1, "error"]
    assert "Traceback" in error and "RuntimeError: no such kernel" in error
    tries = frames.attempts[frames.attempts["trial_id"] == grid.trials[1].trial_id]
    assert tries["outcome"].tolist() == ["failed"] * 3
    hours = by_stage(account(frames.attempts, frames.trials, frames.scores))
    assert hours["wasted_cpu_hours"].sum() > 0

    run(grid, tmp_path, no_pause)  # the cause is gone: a new run grants new attempts
    assert set(load(session.folder.root).trials["status"]) == {"completed"}


class AllRaise(Training):
    def advance(self, steps: int) -> None:
        raise RuntimeError(f"the disk of {self.trial.dataset.name} is gone")


def test_the_first_trials_failing_alike_stop_the_sweep_with_that_error(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    make_run = functools.partial(TrialRun, make_training=AllRaise)
    grid = tiny_grid(seeds="[0, 1, 2, 3, 4, 5]")
    session = run(grid, tmp_path, functools.partial(no_pause, make_run=make_run))
    assert session.stop_reason == (
        "the first 3 trials failed alike: RuntimeError: the disk of xysquares is gone"
    )
    assert len(load(session.folder.root).attempts) == 3


def test_a_used_up_budget_starts_no_further_trial_and_a_higher_one_goes_on(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    def run_one_then_check(session: Any) -> None:
        def checked(unit: Unit) -> TrialRun:
            run = TrialRun(unit)
            session.check_budget()
            return run

        session.check_budget()
        run_local(session, make_run=checked)

    run(tiny_grid(seeds="[0]"), tmp_path)
    session = run(tiny_grid(more="budget: {cpu_hours: 1.0e-9}"), tmp_path, run_one_then_check)
    assert "budget of 1e-09 cpu_hours is used up" in session.budget_reason
    assert len(load(session.folder.root).trials) == 1
    run(tiny_grid(more="budget: {cpu_hours: 10}"), tmp_path, run_one_then_check)
    assert len(load(session.folder.root).trials) == 2


def test_a_newer_driver_ends_an_older_one_before_it_publishes_again(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "known_dead", lambda holder: True)

    def taken_over(session: Any) -> None:
        lease.acquire(StudyFolder(session.folder.root))
        run_local(session)

    session = run(tiny_grid(), tmp_path, taken_over)
    assert "lost its lease" in session.stop_reason
    assert len(load(session.folder.root).trials) == 0


def test_failed_trials_of_an_earlier_run_never_keep_the_rest_from_running(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    class LowSeedsRaise(Training):
        def advance(self, steps: int) -> None:
            if self.trial.seed < 3:
                raise RuntimeError("no such kernel")
            super().advance(steps)

    execute = functools.partial(
        no_pause, make_run=functools.partial(TrialRun, make_training=LowSeedsRaise)
    )
    run(tiny_grid(seeds="[3]"), tmp_path)
    session = run(tiny_grid(seeds="[0, 1, 2, 3, 4]"), tmp_path, execute)
    assert session.stop_reason is None
    rows = load(session.folder.root).trials.set_index("seed")["status"]
    assert rows.to_dict() == {0: "failed", 1: "failed", 2: "failed", 3: "completed", 4: "completed"}


def test_an_error_before_the_attempt_opens_still_leaves_its_traceback(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    def broken(unit: Unit) -> TrialRun:
        if unit.trial.seed == 1:
            raise ImportError("no module named trainers")
        return TrialRun(unit)

    session = run(tiny_grid(), tmp_path, functools.partial(no_pause, make_run=broken))
    row = load(session.folder.root).trials.set_index("seed").loc[1]
    assert row["status"] == "failed"
    assert "Traceback" in row["error"] and "ImportError: no module named trainers" in row["error"]


def test_a_finished_trial_that_cannot_be_encoded_again_is_reported(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    one_metric = ("metrics: [mig, factor_vae]", "metrics: [mig]")
    session = run(tiny_grid(seeds="[0]", replace=one_metric), tmp_path)
    [trial] = session.grid.trials
    session.folder.weights(trial.trial_id).write_bytes(b"torn")
    session = run(tiny_grid(seeds="[0]"), tmp_path, no_pause)
    assert list(session.unencoded) == [trial.trial_id]
    assert load(session.folder.root).trials["status"].tolist() == ["completed"]


def test_a_checkpoint_that_does_not_fit_is_dropped_and_the_trial_starts_again(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any, same: Any
) -> None:
    grid = tiny_grid(seeds="[0]")
    folder = StudyFolder(tmp_path / "b" / "tiny")
    checkpoints.save(folder, grid.trials[0].trial_id, "000000-old", 4, {"training": {}})
    (folder.checkpoint_dir(grid.trials[0].trial_id) / "foreign.pt").touch()
    run(grid, tmp_path / "b", no_pause)
    run(grid, tmp_path / "a")
    same(tmp_path / "a" / "tiny", folder.root)


def test_a_damaged_neighbour_neither_stops_adoption_nor_planning(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    neighbour = run(tiny_grid("neighbour"), tmp_path).folder
    neighbour.table("trials").write_bytes(b"PAR1 torn")
    [lease_file] = neighbour.lease_dir.iterdir()
    lease_file.write_bytes(b"{")
    grid = tiny_grid("mine")
    assert make_plan(grid, tmp_path, DataFolder(tmp_path)).hours is None
    frames = load(run(grid, tmp_path).folder.root)
    assert frames.trials["status"].tolist() == ["completed"] * 2
    assert frames.trials["adopted_from"].isna().all()


def test_hours_of_rows_and_wasted_hours_add_up_to_all_hours_after_faults(
    tiny_grid: Any, tmp_path: Path, run: Any, no_pause: Any
) -> None:
    session = run(
        tiny_grid(seeds="[0, 1, 2]"), tmp_path, functools.partial(no_pause, make_run=raising_run)
    )
    frames = load(session.folder.root)
    hours = by_stage(account(frames.attempts, frames.trials, frames.scores))
    parts = hours[["useful_cpu_hours", "in_progress_cpu_hours", "wasted_cpu_hours"]].sum(axis=1)
    assert parts.to_numpy() == pytest.approx(hours["total_cpu_hours"].to_numpy(), abs=1e-12)
    wall = (frames.attempts["cpus"] * frames.attempts["wall_seconds"]).sum() / 3600
    assert hours["total_cpu_hours"].sum() == pytest.approx(wall)
    trials = frames.trials[frames.trials["status"] == "completed"]
    stages = hours.loc[["prepare", "train", "encode"], "useful_cpu_hours"].sum()
    assert trials["cpu_hours"].sum() == pytest.approx(stages)


def test_a_try_that_failed_is_looked_up_in_the_ledger_alone(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading what else is new, and all the hours anew, would take a large study half a second."""

    def execute(session: Session) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Tables, "refresh", lambda tables: pytest.fail("all tables for one try"))
            session.failed(session.missing()[0], "gone")

    grid = tiny_grid()
    assert run(grid, tmp_path, execute).tries.of(grid.trials[0].trial_id) == 1
