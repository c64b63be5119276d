"""Faults in any order over one small study, in this process; at the end it is as if none had been.

A driver here is killed by an exception that nothing catches, at some write, before or after the
file has its name; what a killed process cannot do (remove its temporary file, release the lease)
is undone or never done. Time passes in training only, so that the ledger can be told to the second.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import functools
import itertools
import os
import secrets
import shutil
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from grids.data_folder import DataFolder
from grids.load import Grid, load_grid
from grids.trial import Trial
from orchestrator import data_check, manifest, trial_run
from orchestrator.local import run_local
from orchestrator.session import Session
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit
from results import lease
from results.lease import Fenced, Lease
from results.store import StudyFolder
from results.tables import compact
from tests.conftest import TINY
from tests.orchestrator.conftest import answers, run_study
from tests.orchestrator.faults.test_checkpoints import DAMAGE
from tests.orchestrator.faults.watching import Reader, assert_clean, trial_attempts
from trainers.fit import Training

WRITES = st.integers(1, 40)
STEPS = 6
STEP_SECONDS = 10.0  # more than a beat: a process that is lost has told all but its last step


class Killed(BaseException):
    pass


class Clock:
    """Seconds that have passed, those of each trial, and those since another has its study."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.trained: dict[str, float] = defaultdict(float)
        self.fenced: dict[str, float] = defaultdict(float)

    def __call__(self) -> float:
        return self.seconds


class Ticking(Training):
    def __init__(self, clock: Clock, trial: Trial, *arguments: Any) -> None:
        super().__init__(trial, *arguments)
        self.clock = clock

    def advance(self, steps: int) -> None:
        self.clock.seconds += steps * STEP_SECONDS
        self.clock.trained[self.trial.trial_id] += steps * STEP_SECONDS
        super().advance(steps)


def grid_of(metrics: str) -> Grid:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.yaml"
        text = TINY.format(
            study="tiny", steps=STEPS, every=3, frameworks="[beta_vae]", seeds="[0, 1]", more=""
        )
        path.write_text(text.replace("metrics: [mig, factor_vae]", f"metrics: [{metrics}]"))
        return load_grid(path)


@functools.cache
def undisturbed(metrics: str) -> Path:
    out = Path(tempfile.mkdtemp(prefix="latentgrid-undisturbed-"))
    atexit.register(shutil.rmtree, out, True)
    run_study(grid_of(metrics), out)
    return out / "tiny"


@contextlib.contextmanager
def faulty(*, kill_at: int = 0, renamed: bool = False, full: range = range(0)) -> Iterator[None]:
    """The process is killed at its write `kill_at`; its disk is full at the writes `full`."""
    numbers, right = itertools.count(1), StudyFolder.replacing

    @contextlib.contextmanager
    def replacing(self: StudyFolder, path: Path, *, durable: bool = True) -> Iterator[Path]:
        # A beat, which is of a thread of its own, comes in no order.
        number = next(numbers) if threading.current_thread() is threading.main_thread() else -1
        if number in full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        with right(self, path, durable=durable) as temporary:
            yield temporary
            if number == kill_at and not renamed:
                left = temporary.with_name(temporary.name[:-8] + secrets.token_hex(4))
                shutil.copyfile(temporary, left)
                raise Killed
        if number == kill_at:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StudyFolder, "replacing", replacing)
        patch.setattr(trial_run, "CHECKPOINT_SECONDS", 0.0)
        patch.setattr(trial_run, "CHECKPOINT_SECONDS_BEFORE_CODES", 0.0)
        yield


@contextlib.contextmanager
def killed_at_unlink(number: int) -> Iterator[None]:
    """The process is killed before it removes a file of the study for the time `number`."""
    numbers, right = itertools.count(1), Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.name[0] != "." and next(numbers) == number:
            raise Killed
        right(self, missing_ok=missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        yield


class Driver:
    """`latentgrid run --local` of one moment, without the threads; it may be killed."""

    def __init__(self, grid: Grid, root: Path, clock: Clock) -> None:
        self.lease: Lease = lease.acquire(StudyFolder(root))
        self.grid, self.clock = grid, clock
        self.session: Session | None = None
        self.runs: list[TrialRun] = []

    def work(self, steps: int | None = None) -> Session:
        """To the end, or until it is interrupted after so many steps."""
        data = DataFolder(self.lease.folder.out / "data")
        session = self.session = Session(self.grid, self.lease, data)
        found = data_check.fingerprints((trial.dataset for trial in self.grid.trials), data)
        fingerprints = data_check.as_json(found)
        manifest.write(session.folder, self.grid, fingerprints, session.code_version)
        session.clear_leftovers()
        session.publish()
        left = itertools.count(steps if steps is not None else 10**9, -1)

        class Stepwise(TrialRun):
            def advance(self, seconds: float) -> bool:
                if next(left) <= 0:
                    session.interrupt()
                session.publish()
                return super().advance(0.0)

        def make_run(unit: Unit) -> TrialRun:
            make_training = functools.partial(Ticking, self.clock)
            run = Stepwise(unit, make_training=make_training, clock=self.clock)
            self.runs.append(run)
            return run

        run_local(session, make_run=make_run, pause_seconds=0.0)
        if session.stop_reason is None:
            session.clear_leftovers()
        self.lease.release()
        session.publish()
        return session

    def wake(self) -> None:
        """A newer driver has the study by now: whatever this one goes on with, it must stop."""
        for run in self.runs:
            if not run.closed:
                before = self.clock()
                with pytest.raises(Fenced):
                    while not run.advance(0.0):
                        pass
                assert self.clock() - before <= STEP_SECONDS
                self.clock.fenced[run.trial.trial_id] += self.clock() - before
        self.lease.release()
        if self.session is not None:
            with contextlib.suppress(Fenced):
                self.session.queue.drop_settled()
            if self.runs:
                for _ in range(3):
                    self.session.failed(self.runs[0].unit, "RuntimeError: woken late")
            self.session.clear_leftovers()
            assert "lost its lease" in (self.session.stop_reason or "")


class AnyOrder(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.out = Path(tempfile.mkdtemp(prefix="latentgrid-faults-"))
        self.root = self.out / "tiny"
        self.metrics = "mig"
        self.sleeping: list[Driver] = []
        self.clock = Clock()
        self.reader = Reader(self.root)
        self.patch = pytest.MonkeyPatch()
        # All drivers have one pid here. Who is alive when another asks for the lease is not.
        self.patch.setattr(lease, "known_dead", lambda holder: True)

    def driver(self) -> Driver:
        return Driver(grid_of(self.metrics), self.root, self.clock)

    @rule(kill_at=WRITES, renamed=st.booleans())
    def a_driver_is_killed_at_a_write(self, kill_at: int, renamed: bool) -> None:
        driver = self.driver()
        try:
            with faulty(kill_at=kill_at, renamed=renamed):
                driver.work()
        except Killed:
            self.sleeping.append(driver)

    @rule(kill_at=st.integers(1, 12))
    def a_driver_is_killed_where_it_removes_a_file(self, kill_at: int) -> None:
        driver = self.driver()
        try:
            with faulty(), killed_at_unlink(kill_at):
                driver.work()
        except Killed:
            self.sleeping.append(driver)

    @rule(steps=st.integers(0, 12))
    def a_driver_is_interrupted(self, steps: int) -> None:
        with faulty():
            self.driver().work(steps)

    @rule(first=WRITES, count=st.integers(1, 12))
    def the_disk_is_full_for_a_while(self, first: int, count: int) -> None:
        driver = self.driver()
        try:
            with faulty(full=range(first, first + count)):
                driver.work()
        except OSError as error:
            assert error.errno == errno.ENOSPC

    @precondition(lambda self: (self.root / "checkpoints").exists())
    @rule(how=st.sampled_from(sorted(DAMAGE)))
    def the_newest_checkpoint_is_damaged(self, how: str) -> None:
        found = sorted(self.root.glob("checkpoints/*/*.pt"), key=lambda p: p.name.split(".")[1])
        if found and found[-1].stat().st_size > 5001:
            found[-1].write_bytes(DAMAGE[how](found[-1].read_bytes()))

    @precondition(lambda self: self.sleeping)
    @rule()
    def a_driver_that_was_only_asleep_wakes_after_another_has_taken_over(self) -> None:
        lease.acquire(StudyFolder(self.root))
        self.sleeping.pop().wake()

    @rule(kill_at=st.none() | st.integers(1, 30))
    def the_study_is_compacted(self, kill_at: int | None) -> None:
        held = lease.acquire(StudyFolder(self.root))
        try:
            with faulty(kill_at=kill_at or 0), killed_at_unlink((kill_at or 10**9) - 5):
                compact(held.folder)
        except Killed:
            return
        held.release()

    @rule()
    def a_metric_is_added(self) -> None:
        self.metrics = "mig, factor_vae"

    @invariant()
    def readers_see_whole_tables_that_only_grow(self) -> None:
        self.reader.look()

    def assert_as_if_nothing_had_been(self) -> None:
        ours, theirs = answers(self.root), answers(undisturbed(self.metrics))
        for table in ours:
            one, other = ours[table], theirs[table]
            if table == "scores":
                # Of a metric that came later, a step that was over has no model to be scored.
                one, other = (
                    rows[(rows["metric"] == "mig") | (rows["step"] == STEPS)]
                    for rows in (one, other)
                )
            pd.testing.assert_frame_equal(
                one.reset_index(drop=True), other.reset_index(drop=True), check_exact=True
            )

    def assert_hours_are_of_the_time_that_passed(self) -> None:
        attempts = trial_attempts(self.root)
        lost = attempts[attempts["outcome"] == "lost"]["trial_id"].value_counts()
        seconds = attempts.groupby("trial_id")["wall_seconds"].sum()
        for trial_id, trained in self.clock.trained.items():
            unwritten = self.clock.fenced[trial_id] + STEP_SECONDS * lost.get(trial_id, 0)
            assert trained - unwritten <= seconds[trial_id] <= trained

    def teardown(self) -> None:
        try:
            session = self.driver().work()
            assert session.stop_reason is None
            self.reader.look()
            self.assert_as_if_nothing_had_been()
            self.assert_hours_are_of_the_time_that_passed()
            assert_clean(self.root)
        finally:
            self.patch.undo()
            shutil.rmtree(self.out)


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


class TestAnyOrder(AnyOrder.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(
        max_examples=5, stateful_step_count=6, deadline=None, suppress_health_check=QUIET
    )


@pytest.mark.slow
class TestAnyOrderAtLength(AnyOrder.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(
        max_examples=100, stateful_step_count=15, deadline=None, suppress_health_check=QUIET
    )
