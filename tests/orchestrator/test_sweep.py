"""The sweep on a real local cluster, undisturbed and with parts of it dying."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest
import ray
from ray.util.state import list_actors, list_tasks

from grids.settings import Resources
from orchestrator import metric_pool, scoring, sweep
from orchestrator.metric_pool import MetricPool
from orchestrator.session import Session
from orchestrator.sweep import placement_of, run_sweep
from orchestrator.trainer_actor import TrainerActor
from orchestrator.trial_run import TrialRun
from results import lease, load
from results.store import StudyFolder
from tests.orchestrator.waiting import wait_for
from trainers.fit import Training

# Workers cannot import this file: what they need of it travels with the actor's class.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_cluster")]


class SlowTraining(Training):
    """Slow enough to be killed in the middle, with the very same answers."""

    def advance(self, steps: int) -> None:
        time.sleep(0.05 * steps)
        super().advance(steps)


class SlowActor(TrainerActor):
    make_run = functools.partial(TrialRun, make_training=SlowTraining)


class Seeds12Misbehave(Training):
    def advance(self, steps: int) -> None:
        if self.trial.seed == 1:
            raise RuntimeError("no such kernel")
        super().advance(steps)
        if self.trial.seed == 2:
            self._sums += float("nan")


class MisbehavingActor(TrainerActor):
    make_run = functools.partial(TrialRun, make_training=Seeds12Misbehave)


fast_sweep = functools.partial(run_sweep, pause_seconds=0.1)


def disturbed(disturb: Callable[[Session], None], **options: Any) -> Callable[[Session], Any]:
    """A sweep with a thread beside it that disturbs it once."""

    def execute(session: Session) -> None:
        with ThreadPoolExecutor(1) as threads:
            disturbance = threads.submit(disturb, session)
            fast_sweep(session, **options)
            assert disturbance.done(), "the sweep ended before it was disturbed"
            disturbance.result()

    return execute


def test_the_sweep_and_the_twin_leave_the_same_tables(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    grid = tiny_grid(every=3, frameworks="[beta_vae, ada_gvae]")
    run(grid, tmp_path / "twin")
    session = run(grid, tmp_path / "ray", fast_sweep)
    assert session.unscored == {}
    same(tmp_path / "twin" / "tiny", tmp_path / "ray" / "tiny")
    assert list((session.folder.root / "codes").glob("*")) == []
    outcomes = load(session.folder.root).attempts["outcome"]
    assert set(outcomes) == {"completed"}


def test_rays_dashboard_shows_study_trial_and_metrics_by_name(
    tiny_grid: Any, tmp_path: Path, run: Any, dashboard: str
) -> None:
    grid = tiny_grid("named")
    run(grid, tmp_path, fast_sweep)
    actors = list_actors(dashboard, detail=True, limit=1000)
    assert "latentgrid named" in {actor.repr_name for actor in actors}
    names = {task.name for task in list_tasks(dashboard, limit=10_000)}
    assert {f"named/{trial.trial_id}" for trial in grid.trials} <= names
    assert "score mig,factor_vae" in names


def test_a_killed_trial_worker_costs_an_attempt_and_no_row(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    grid = tiny_grid(steps=40)

    def kill_trainer(session: Session) -> None:
        def training() -> Any:
            attempts = session.frames().attempts
            found = attempts[(attempts["kind"] == "trial") & (attempts["outcome"] == "running")]
            return found["pid"].tolist()

        os.kill(wait_for(training)[0], signal.SIGKILL)

    run(grid, tmp_path / "a")
    root = run(grid, tmp_path / "b", disturbed(kill_trainer, actor=SlowActor)).folder.root
    same(tmp_path / "a" / "tiny", root)
    attempts = load(root).attempts
    assert attempts[attempts["kind"] == "trial"]["outcome"].tolist().count("lost") == 1
    assert attempts[attempts["outcome"] == "lost"]["lower_bound"].all()


@pytest.mark.slow
def test_a_killed_pack_costs_its_two_attempts_and_no_row(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    grid = tiny_grid(steps=40, seeds="[0, 1, 2, 3, 4, 5]", more="resources: {pack: 2, cpus: 2}")

    def kill_the_pack(session: Session) -> None:
        def training() -> Any:
            attempts = session.frames().attempts
            found = attempts[(attempts["kind"] == "trial") & (attempts["outcome"] == "running")]
            return found["pid"].tolist() if len(found) == 2 else []

        first, second = wait_for(training)
        assert first == second
        os.kill(first, signal.SIGKILL)

    run(grid, tmp_path / "a")
    root = run(grid, tmp_path / "b", disturbed(kill_the_pack, actor=SlowActor)).folder.root
    same(tmp_path / "a" / "tiny", root)
    trained = load(root).attempts.query("kind == 'trial'")
    assert trained["outcome"].value_counts().to_dict() == {"completed": 6, "lost": 2}


@pytest.mark.slow
def test_a_trial_of_a_pack_that_raises_is_tried_again_and_ends_failed_alone(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(seeds="[0, 1, 3]", more="resources: {pack: 3}")
    execute = functools.partial(fast_sweep, actor=MisbehavingActor)
    frames = load(run(grid, tmp_path, execute).folder.root)
    status = frames.trials.set_index("seed")["status"].to_dict()
    assert status == {0: "completed", 1: "failed", 3: "completed"}
    assert "RuntimeError: no such kernel" in frames.trials.set_index("seed").loc[1, "error"]
    tries = frames.attempts[frames.attempts["trial_id"] == grid.trials[1].trial_id]
    assert tries["outcome"].tolist() == ["failed"] * 3


@pytest.mark.parametrize(
    "for_good",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["SIGKILL", "ray.kill"],
)
def test_a_killed_metric_pool_loses_no_score(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any, for_good: bool
) -> None:
    study = "pool-gone" if for_good else "pool-killed"
    grid = tiny_grid(study, steps=20, every=2)

    def kill_pool(session: Session) -> None:
        wait_for(lambda: len(session.frames().scores) > 0)
        [name] = [n for n in ray.util.list_named_actors() if n.startswith(f"metrics {study} ")]
        actor = ray.get_actor(name)
        if for_good:
            ray.kill(actor)
        else:
            os.kill(ray.get(actor.pid.remote()), signal.SIGKILL)

    run(grid, tmp_path / "a")
    run(grid, tmp_path / "b", disturbed(kill_pool, actor=SlowActor))
    same(tmp_path / "a" / study, tmp_path / "b" / study)


def score_and_hang_once(folder: StudyFolder, task: Any) -> None:
    """A scoring task that, after others have written scores, hangs with half of its own made."""
    right, hangs, made = scoring.metrics.score, folder.out / "hangs", []

    def score(*arguments: Any, **options: Any) -> dict[str, float]:
        made.append(right(*arguments, **options))
        if len(made) == 2 and folder.record_names("scores") and not hangs.exists():
            hangs.write_text(str(os.getpid()))
            time.sleep(600)
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring.metrics, "score", score)
        scoring.score_files(folder, task)


class HangingPool(MetricPool):
    def __init__(self, *arguments: Any) -> None:
        # Of the actor's own process both.
        metric_pool.score_task = ray.remote(max_retries=0)(score_and_hang_once)
        scoring.FILES_A_TASK = 2
        super().__init__(*arguments)


@pytest.mark.slow
def test_a_killed_scoring_task_loses_the_scores_of_that_task_only(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = tiny_grid(every=2)
    run(grid, tmp_path / "a")
    before: set[str] = set()

    def kill_scorer(session: Session) -> None:
        hangs = session.folder.out / "hangs"
        pid = int(wait_for(lambda: hangs.exists() and hangs.read_text()))
        before.update(session.frames().scores["attempt_id"])
        os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(sweep, "MetricPool", HangingPool)
    session = run(grid, tmp_path / "b", disturbed(kill_scorer))
    same(tmp_path / "a" / "tiny", tmp_path / "b" / "tiny")
    frames = load(session.folder.root)
    tasks = frames.attempts[frames.attempts["kind"] == "score"].groupby("attempt_id")["outcome"]
    lost = {attempt_id for attempt_id, outcomes in tasks if set(outcomes) == {"lost"}}
    done = {attempt_id for attempt_id, outcomes in tasks if set(outcomes) == {"completed"}}
    assert len(lost) == 1 and lost | done == set(tasks.groups)
    # What was written before it was not scored again, and its own files have all their scores.
    assert before and before <= set(frames.scores["attempt_id"]) <= done
    assert session.unscored == {} and session.queue.files() == set()
    assert set(frames.trials["status"]) == {"completed"}


def test_one_trial_diverges_and_one_always_raises_while_the_rest_complete(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3]")
    sweep_ = functools.partial(run_sweep, actor=MisbehavingActor, pause_seconds=1.0)
    frames = load(run(grid, tmp_path, sweep_).folder.root)
    rows = frames.trials.set_index("seed")
    assert rows["status"].to_dict() == {
        0: "completed",
        1: "failed",
        2: "diverged",
        3: "completed",
    }
    assert "RuntimeError: no such kernel" in rows.loc[1, "error"]
    tries = frames.attempts[frames.attempts["trial_id"] == grid.trials[1].trial_id]
    assert len(tries) == 3
    pauses = tries["started_at"].sort_values().diff().dropna().dt.total_seconds().tolist()
    assert pauses[0] > 0.75 and pauses[1] > 1.5  # it doubles, with a quarter of jitter
    assert len(frames.attempts[frames.attempts["trial_id"] == grid.trials[2].trial_id]) == 1


class NothingBegins(TrainerActor):
    @staticmethod
    def make_run(unit: Any, **options: Any) -> Any:
        raise OSError("no attempt can be written down")


def test_an_error_before_anything_is_written_is_in_the_tables_too(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(seeds="[0]")
    frames = load(
        run(grid, tmp_path, functools.partial(fast_sweep, actor=NothingBegins)).folder.root
    )
    assert frames.trials["status"].tolist() == ["failed"]
    error = frames.trials["error"].item()
    assert error.endswith("OSError: no attempt can be written down")
    assert "in make_run" in error
    assert frames.attempts.empty


def test_an_interrupted_sweep_keeps_checkpoints_and_goes_on_to_the_same_tables(
    tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    grid = tiny_grid(steps=60)

    def interrupt(session: Session) -> None:
        wait_for(lambda: list(session.folder.rows_dir("curves").glob("[!.]*.json")))
        session.interrupt()

    run(grid, tmp_path / "a")
    root = run(grid, tmp_path / "b", disturbed(interrupt, actor=SlowActor)).folder.root
    stopped = load(root)
    assert set(stopped.attempts["outcome"]) == {"interrupted"}
    assert len(list(root.glob("checkpoints/*/*.pt"))) == len(stopped.attempts) > 0
    assert len(stopped.trials) == 0
    run(grid, tmp_path / "b", fast_sweep)
    same(tmp_path / "a" / "tiny", root)
    attempts = load(root).attempts
    assert attempts["resumed_from"].notna().sum() == len(stopped.attempts)


def test_logical_gpus_are_never_oversubscribed_and_their_shares_are_in_the_ledger(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    cases = """
cases:
  - {latents: 2, resources: {gpus: 0.5, cpus: 0.25}}
  - {latents: 3, resources: {gpus: 1, cpus: 0.5, memory: 2GiB}}
"""
    grid = tiny_grid(steps=10, seeds="[0, 1, 2, 3]", more=cases)
    session = run(grid, tmp_path, functools.partial(fast_sweep, actor=SlowActor))
    attempts = load(session.folder.root).attempts
    trials = attempts[attempts["kind"] == "trial"]
    latents = {trial.trial_id: trial.latents for trial in grid.trials}
    share = trials["trial_id"].map(latents).map({2: 0.5, 3: 1.0})
    assert (trials["gpu_share"] == share).all() and (trials["cpus"] == share / 2).all()
    allocated = (trials["allocated_gpu_seconds"] - share * trials["wall_seconds"]).abs()
    assert (allocated < 1e-9).all()
    events = list(zip(trials["started_at"], share, strict=True))
    events += list(zip(trials["ended_at"], -share, strict=True))
    held, most = 0.0, 0.0
    for _, share in sorted(events):
        held += share
        most = max(most, held)
    assert 1.0 < most <= 2.0


def test_a_sweep_ends_well_where_its_working_directory_was_taken_away(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of a job is where a second raylet of the machine unpacks the same files."""
    (there := tmp_path / "there").mkdir()
    monkeypatch.chdir(there)

    def without(session: Session) -> None:
        there.rmdir()
        fast_sweep(session)

    session = run(tiny_grid(), tmp_path, without)
    assert session.stop_reason is None
    assert set(load(session.folder.root).trials["status"]) == {"completed"}


@pytest.mark.slow
def test_a_used_up_gpu_budget_admits_no_further_trial_and_a_higher_one_goes_on(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.session.PUBLISH_SECONDS", 0.1)
    monkeypatch.setattr("orchestrator.session.PUBLISH_SHARE", 1.0)
    one_gpu = "resources: {gpus: 1, cpus: 0.5}\nbudget: {gpu_hours: %s}"
    # Ten seconds each: a beat says what they have used before they end.
    eight = {"steps": 200, "every": 100, "seeds": [0, 1, 2, 3, 4, 5, 6, 7]}
    slow = functools.partial(fast_sweep, actor=SlowActor)
    session = run(tiny_grid(**eight, more=one_gpu % "1.0e-9"), tmp_path, slow)
    stopped = load(session.folder.root)
    assert session.budget_reason is not None
    assert "the budget of 1e-09 gpu_hours is used up" in session.budget_reason
    # The two that ran; others were admitted before the ledger said so, and did not begin.
    assert len(stopped.trials) == 2
    assert set(stopped.attempts["outcome"]) == {"completed"}
    used = stopped.attempts["allocated_gpu_seconds"].sum() / 3600
    higher = one_gpu % (used + 10)
    session = run(tiny_grid(**eight, more=higher), tmp_path, fast_sweep)
    assert session.budget_reason is None
    frames = load(session.folder.root)
    assert len(frames.trials) == 8
    trained = frames.attempts[frames.attempts["kind"] == "trial"]
    assert sorted(trained["trial_id"]) == sorted(trial.trial_id for trial in session.grid.trials)


def test_scoring_beside_trainers_that_hold_every_cpu_still_finishes(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_BACKLOG", 2)
    grid = tiny_grid(seeds="[0, 1, 2, 3, 4, 5]", every=1)
    frames = load(run(grid, tmp_path, fast_sweep).folder.root)
    assert len(frames.trials) == 6
    assert len(frames.scores[["trial_id", "step", "metric"]].drop_duplicates()) == 6 * 6 * 2


def test_a_request_that_no_node_can_meet_is_named_with_what_the_nodes_have() -> None:
    assert sweep.unmet_request([Resources(gpus=0.5), Resources(cpus=2)]) is None
    refusal = sweep.unmet_request([Resources(gpus=4)])
    assert refusal is not None
    assert "no node can give a trial 1 CPU, 4 GPU" in refusal
    assert "the nodes have 2 CPU, 2 GPU" in refusal


def test_a_stopped_study_leaves_no_actor_behind(
    tiny_grid: Any, tmp_path: Path, run: Any, dashboard: str
) -> None:
    run(tiny_grid("leaves-none"), tmp_path, fast_sweep)

    def alive() -> list[Any]:
        actors = list_actors(dashboard, detail=True, filters=[("state", "!=", "DEAD")], limit=1000)
        return [a for a in actors if "leaves-none" in f"{a.name} {a.repr_name}"]

    wait_for(lambda: not alive())
    assert StudyFolder(tmp_path / "leaves-none").outcomes()


@pytest.mark.slow
def test_trials_whose_rows_never_appear_are_not_run_for_ever(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    """As where --out is a folder that the nodes do not share."""

    class Elsewhere(TrainerActor):
        @staticmethod
        def make_run(unit: Any) -> TrialRun:
            return TrialRun(dataclasses.replace(unit, root=Path(f"{unit.root}-elsewhere")))

    grid = tiny_grid(seeds="[0]")
    session = run(grid, tmp_path, functools.partial(fast_sweep, actor=Elsewhere))
    [row] = load(session.folder.root).trials.to_dict("records")
    assert row["status"] == "failed"
    assert "is --out one folder that all nodes see?" in row["error"]


def test_a_metric_pool_that_cannot_start_stops_the_sweep(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoPool(MetricPool):
        def __init__(self, *arguments: Any) -> None:
            raise OSError("stale file handle")

    monkeypatch.setattr(sweep, "MetricPool", NoPool)
    monkeypatch.setattr(sweep, "MAX_POOL_DEATHS", 2)  # each takes seconds
    session = run(tiny_grid(steps=2000), tmp_path, fast_sweep)
    assert session.stop_reason.startswith("the metric pool cannot start: ")
    assert "stale file handle" in session.stop_reason


def test_a_newer_driver_ends_a_sweep_with_one_line(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_over(session: Session) -> None:
        wait_for(lambda: list(session.folder.rows_dir("curves").glob("[!.]*.json")))
        with monkeypatch.context() as patched:
            patched.setattr(lease, "known_dead", lambda holder: True)
            lease.acquire(StudyFolder(session.folder.root))

    session = run(tiny_grid(steps=60), tmp_path, disturbed(take_over, actor=SlowActor))
    assert "lost its lease to epoch 2" in session.stop_reason
    assert load(session.folder.root).trials.empty


def test_a_finished_study_starts_no_actor_and_looks_once_at_what_is_missing(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = tiny_grid("all-done", steps=1)
    run(grid, tmp_path)
    looks: list[int] = []
    real = Session.missing
    monkeypatch.setattr(Session, "missing", lambda self: looks.append(1) or real(self))
    monkeypatch.setattr(sweep.Pool, "_start", lambda self: pytest.fail("a pool for nothing"))
    run(grid, tmp_path, fast_sweep)
    assert len(looks) == 1
    # Nor is every trial of the grid gone through twice a second while the last scores come.
    monkeypatch.setattr(Session, "pause", lambda self, seconds: None)
    answers = iter([True] * 5 + [False] * 2)
    monkeypatch.setattr(sweep.Pool, "_works", lambda self: next(answers))
    run(grid, tmp_path, fast_sweep)
    assert len(looks) == 1 + 2


def test_spare_cpus_are_counted_node_by_node() -> None:
    trial = [Resources(cpus=1.5)]
    assert placement_of(trial, [{"CPU": 2.0}, {"CPU": 2.0}]) == (2, 0)
    assert placement_of(trial, [{"CPU": 4.0}]) == (2, 1)
    assert placement_of([Resources(cpus=1, gpus=0.5)], [{"CPU": 8.0, "GPU": 1.0}]) == (2, 6)


def test_nodes_that_join_give_room_from_the_next_wave_on(
    tiny_grid: Any, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waves: list[tuple[int, str]] = []
    resized: list[tuple[int, float]] = []
    remote = SimpleNamespace(remote=lambda *size: resized.append(size))

    def wave(session: Session, *_: Any, places: int, admit: Any) -> None:
        waves.append((places, os.environ["TUNE_MAX_PENDING_TRIALS_PG"]))
        admit.__self__.actor = SimpleNamespace(resize=remote)
        if len(waves) == 3:
            admit.__self__.actor = None
            session.stop("enough")

    have = iter([[{"CPU": 2.0}], [{"CPU": 2.0}, {"CPU": 8.0}], [{"CPU": 2.0}, {"CPU": 8.0}]])
    monkeypatch.setattr(sweep, "nodes", lambda: next(have))
    monkeypatch.setattr(sweep, "_run_wave", wave)
    run(tiny_grid(), tmp_path, fast_sweep)
    assert waves == [(2, "2"), (10, "10"), (10, "10")]
    assert resized == [(5, 0.0)]
