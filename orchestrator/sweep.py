"""A study on a Ray cluster: list what is missing, run a wave of Tune trials, look again.

Nothing here trusts Tune's memory. What is done is what is on disk; a wave is an explicit list of
work units; a unit that fails comes back in a later wave, after a pause, until its tries are used.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray import tune
from ray.tune import CheckpointConfig, FailureConfig, RunConfig, TuneConfig
from ray.tune.search.basic_variant import BasicVariantGenerator

from grids.settings import Budget, Resources
from orchestrator.metric_pool import MetricPool, PoolState
from orchestrator.session import Session
from orchestrator.trainer_actor import FAILURES, NOT_BEGUN, TrainerActor, bundle, name_of
from orchestrator.tries import last_line
from orchestrator.work import Unit, from_json, packs, to_json
from results.lease import Fenced
from results.scratch import scratch

MAX_WAVE = 2000  # Tune's loop is linear in the trials that it remembers
MAX_BACKLOG = 256  # code files that wait: beyond this no further trial starts
POOL_TIMEOUT_SECONDS = 30.0
POOL_PATIENCE_SECONDS = 300.0
MAX_POOL_DEATHS = 3
DRAIN_SECONDS = 5.0
VANISHED = "the trial's process died without a word (killed, out of memory, or its node lost)"

TUNE_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours ends a sweep, on SIGINT and SIGTERM alike
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",  # Tune's own state is never restored
    "TUNE_RESULT_BUFFER_LENGTH": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new one prints a box even at verbosity 0
}


class Admission(BasicVariantGenerator):
    """An explicit list of packs of units, handed out one by one while the session and `admit`
    agree."""

    def __init__(
        self, packed: Sequence[Sequence[Unit]], session: Session, admit: Callable[[], bool]
    ) -> None:
        super().__init__(points_to_evaluate=[{"units": to_json(units)} for units in packed])
        self.session, self.admit = session, admit

    def next_trial(self) -> Any:
        if not self.session.admits():
            # Without this Tune would wait minutes for a trial that never comes.
            self.set_finished()  # type: ignore[no-untyped-call]
            return None
        if not self.admit():
            return None
        return super().next_trial()  # type: ignore[no-untyped-call]


class Stop(tune.Stopper):
    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.session.stop_reason is not None


class Endings(tune.Callback):
    """Notes how the trials of a wave ended. Tune itself never retries."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.done: list[Unit] = []

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its callbacks; these are never restored

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if trial.last_result.get(tune.result.DONE) and NOT_BEGUN not in trial.last_result:
            failures = json.loads(trial.last_result[FAILURES])
            for unit in from_json(trial.config["units"]):
                if error := failures.get(unit.trial.trial_id):
                    self.session.failed(unit, error)
                else:
                    self.done.append(unit)
                    self.session.tries.succeeded()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        if self.session.stop_reason is None:
            units = from_json(trial.config["units"])
            self.session.lost(units, _error_of(trial))


def _error_of(trial: Any) -> str:
    """What the process raised. Tune's own `get_error` looks where the file is not yet."""
    if trial.pickled_error_file is None:
        return VANISHED
    try:
        with open(trial.pickled_error_file, "rb") as file:
            error = ray.cloudpickle.load(file)
    except Exception:  # an exception may pickle and not come back; Tune has its text as well
        with contextlib.suppress(OSError):
            return Path(str(trial.error_file)).read_text()
        return VANISHED
    return str(error) if isinstance(error, ray.exceptions.RayTaskError) else VANISHED


def run_sweep(
    session: Session,
    *,
    actor: type[TrainerActor] = TrainerActor,
    pause_seconds: float = 2.0,
) -> None:
    """Runs what is missing until nothing is, or the session has a reason to stop.

    Needs an initialised Ray.
    """
    os.environ.update(TUNE_ENVIRONMENT)
    pool = Pool(session)
    try:
        while session.stop_reason is None:
            have = nodes()  # which come and go
            placement = placement_of(session.grid.resources, have)
            os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(max(2, placement.slots))
            pool.resize(placement.spare_cpus, int(sum(node.get("CPU", 0) for node in have)))
            units = session.missing()[:MAX_WAVE] if session.admits() else []
            if units:
                if tries := session.tries.most(units):
                    # Jitter, so that many trials do not come back at once.
                    session.pause(pause_seconds * 2.0 ** (tries - 1) * random.uniform(0.75, 1.25))
                _run_wave(session, units, actor, places=placement.slots, admit=pool.admits)
                session.publish()
            elif not pool.waited():
                break
    except OSError as error:
        session.stop(f"the files of the study cannot be read: {error}")
    finally:
        pool.close()
    try:
        session.queue.drop_settled()
    except Fenced as error:
        session.stop(str(error))


def _run_wave(
    session: Session,
    units: Sequence[Unit],
    actor: type[TrainerActor],
    *,
    places: int,
    admit: Callable[[], bool],
) -> None:
    endings = Endings(session)
    # What a process was given it begins, whatever the budget says by then.
    packed = packs(units, session.alone, places, queued=session.grid.budget == Budget())
    with scratch() as folder, _standing_in(folder):
        tune.Tuner(
            actor,
            param_space={"units": None},
            tune_config=TuneConfig(
                search_alg=Admission(packed, session, admit),
                num_samples=len(packed),
                reuse_actors=True,
                trial_name_creator=lambda t: name_of(from_json(t.config["units"])),
                trial_dirname_creator=lambda t: t.trial_id,
            ),
            run_config=RunConfig(
                name=session.grid.study,
                storage_path=str(folder),
                stop=Stop(session),
                callbacks=[endings],
                failure_config=FailureConfig(max_failures=0),
                checkpoint_config=CheckpointConfig(checkpoint_at_end=False),
                verbose=0,
            ),
        ).fit()
    # What is done is what is on disk.
    missing = {unit.trial.trial_id for unit in session.missing()} if endings.done else set()
    for unit in endings.done:
        if unit.trial.trial_id in missing:
            session.failed(
                unit,
                f"the trial ended, and left nothing under {session.folder.root}; "
                "is --out one folder that all nodes see?",
            )


@contextlib.contextmanager
def _standing_in(folder: Path) -> Iterator[None]:
    """In the end Tune asks for the working directory. That of a job is taken away under it where
    another raylet of the same machine unpacks the same files."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    try:
        yield
    finally:
        os.fchdir(before)
        os.close(before)


def nodes() -> list[dict[str, float]]:
    """The resources of every node that is alive."""
    listed: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in listed if node["Alive"]]


def unmet_request(requests: Sequence[Resources]) -> str | None:
    """One line for the first request that no node of the cluster can ever meet, or None."""
    have = nodes()
    for request in dict.fromkeys(requests):
        asked = bundle(request)
        if not any(all(node.get(k, 0) >= v for k, v in asked.items()) for node in have):
            each = "; ".join(_shown(node) for node in have)
            return f"resources: no node can give a trial {_shown(asked)}; the nodes have {each}"
    return None


def _shown(resources: dict[str, float]) -> str:
    parts = [f"{resources.get(name, 0):g} {name}" for name in ("CPU", "GPU")]
    return ", ".join([*parts, f"{resources.get('memory', 0) / 2**30:.1f} GiB memory"])


class Placement(NamedTuple):
    """How many of the smallest trials fit on the cluster at once, and whole CPUs that none of them
    can ever hold."""

    slots: int
    spare_cpus: int


def placement_of(requests: Sequence[Resources], nodes: Sequence[dict[str, float]]) -> Placement:
    """Node by node, since a task that asks for a CPU needs a whole one on some node."""
    asked = [bundle(request) for request in dict.fromkeys(requests)]
    slots = spare_cpus = 0
    for node in nodes:
        fitting = [int(min(node.get(k, 0) / v for k, v in each.items())) for each in asked]
        held = max(n * each.get("CPU", 0) for n, each in zip(fitting, asked, strict=True))
        slots += max(fitting)
        spare_cpus += int(node.get("CPU", 0) - held)
    return Placement(slots, spare_cpus)


class Pool:
    """The sweep's hold on the metric pool: makes the actor, and makes it again when it died."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.size = (1, 0.0)
        self.last = PoolState(0, {}, None)
        self.actor: Any = None
        self._deaths = 0
        self._looked = 0.0
        self._well = time.monotonic()

    def resize(self, spare_cpus: int, all_cpus: int) -> None:
        """Tasks at once, and CPUs a task, for the CPUs that there are now."""
        # Where trainers can hold every CPU, scoring has to run beside them or never (it is niced).
        size = (spare_cpus, 1.0) if spare_cpus else (max(1, all_cpus // 2), 0.0)
        if size != self.size and self.actor is not None:
            self.actor.resize.remote(*size)
        self.size = size

    def _start(self) -> None:
        # Never the name of a pool before it: Ray frees a name some time after a death.
        name = f"metrics {self.session.grid.study} {secrets.token_hex(3)}"
        self.actor = (
            ray.remote(MetricPool)
            .options(name=name, num_cpus=0)
            .remote(
                self.session.folder,
                self.session.grid.evaluate,
                self.session.steps,
                self.session.queue.cells,
                *self.size,
            )
        )

    def state(self) -> PoolState:
        """The pool's own count, from a new pool where the old one is dead.

        A pool that cannot start, or cannot look at its files for minutes, stops the session.
        """
        if not self.session.grid.evaluate.metrics:
            return self.last
        if self.actor is None:
            self._start()
        try:
            self.last = ray.get(self.actor.status.remote(), timeout=POOL_TIMEOUT_SECONDS)
            self._deaths = 0
        except ray.exceptions.GetTimeoutError:
            pass  # busy, or still starting; the last count stands
        except ray.exceptions.RayError as death:
            self.actor = None
            self._deaths += 1
            if self._deaths >= MAX_POOL_DEATHS:
                self.session.stop(f"the metric pool cannot start: {last_line(str(death))}")
        if self.last.error is None:
            self._well = time.monotonic()
        elif time.monotonic() - self._well > POOL_PATIENCE_SECONDS:
            self.session.stop(f"scoring cannot go on: {last_line(self.last.error)}")
        self.session.unscored = self.last.gave_up
        return self.last

    def waited(self) -> bool:
        """Waits while scores are still to come, or the session stops; False if none were."""
        waited = False
        while self.session.stop_reason is None and self._works():
            self.session.pause(0.5)
            waited = True
        return waited

    def _works(self) -> bool:
        waiting = {part.label for part in self.session.queue.waiting()}
        # A pool is not started for nothing.
        return bool(waiting) and bool(waiting - self.state().gave_up.keys())

    def admits(self) -> bool:
        """False while scoring is far behind; looks at most once a second."""
        if time.monotonic() - self._looked > 1.0:
            self._looked = time.monotonic()
            self.state()
        return self.last.waiting < MAX_BACKLOG

    def close(self) -> None:
        """Lets running tasks end, so that what they have scored is kept and accounted for."""
        if self.actor is None:
            return
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self.actor.drain.remote(DRAIN_SECONDS), timeout=DRAIN_SECONDS + 1)
        ray.kill(self.actor)
