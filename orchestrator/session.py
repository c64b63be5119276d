"""One driver at work on a study: the lease, the published tables, the tries, the reasons to stop.

The twin and the Ray sweep both run inside a Session. While it lasts, one thread beats the lease and
another publishes the tables every few seconds, so that readers see a study grow.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc

from grids.data_folder import DataFolder
from grids.load import Grid
from orchestrator import adopt, data_check, machine, manifest
from orchestrator.scoring import ScoringQueue
from orchestrator.status import COLUMNS
from orchestrator.tries import Tries, last_line
from orchestrator.work import Unit, cells_of, missing_units
from results import lease as leases
from results import leftovers
from results.files import FULL
from results.lease import Fenced
from results.ledger import utc_now
from results.store import FINAL, StudyFolder, trial_record_name
from results.tables import Frames, Tables

PUBLISH_SECONDS = 3.0
MOST_SECONDS_UNPUBLISHED = 60.0
PUBLISH_SHARE = 0.05  # of the time: a large study publishes less often

logger = logging.getLogger(__name__)


class Session:
    """What a running driver knows. `stop_reason` is set once, by whoever first sees a reason.

    `unencoded` and `unscored` say what has failed for good without a row of its own: the error by
    trial id and by code file.
    """

    def __init__(self, grid: Grid, lease: leases.Lease, data: DataFolder) -> None:
        self.grid, self.lease, self.data = grid, lease, data
        self.folder = lease.folder
        self.code_version = machine.code_version()
        self.tables = Tables(self.folder)
        self.steps = {trial.trial_id: trial.steps for trial in grid.trials}
        self.queue = ScoringQueue(self.folder, grid.evaluate, self.steps, cells_of(grid))
        self.stop_reason: str | None = None
        self.budget_reason: str | None = None
        self.interrupted = False
        self.unencoded: dict[str, str] = {}
        self.unscored: dict[str, str] = {}
        outcomes = self.folder.outcomes()
        self.tries = Tries(
            succeeded=any(outcomes.get(trial_id) in FINAL for trial_id in self.steps),
            give_up=self._give_up,
            stop=self.stop,
        )
        self._tables_lock = threading.RLock()

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles what it is handed, and nothing here is ever restored from that."""
        return {}

    def stop(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason

    def interrupt(self) -> None:
        """Ctrl-C or SIGTERM: stop cleanly; what was trained is kept in checkpoints."""
        self.interrupted = True
        self.stop("interrupted")

    def pause(self, seconds: float) -> None:
        """Sleeps; a reason to stop ends it early."""
        end = time.monotonic() + seconds
        while self.stop_reason is None and time.monotonic() < end:
            time.sleep(0.1)

    def admits(self) -> bool:
        """Whether another trial may start: no reason to stop, and budget left."""
        return self.stop_reason is None and self.budget_reason is None

    def missing(self) -> list[Unit]:
        """The units to run now, those that used up their tries left out."""
        # Code files before scores: a file that is scored and deleted meanwhile is seen either way.
        code_files = self.queue.files()
        units = missing_units(
            self.grid,
            self.folder,
            data=self.data,
            outcomes=self.folder.outcomes(),
            scored=self.queue.scored(),
            code_files=code_files,
            code_version=self.code_version,
        )
        return [unit for unit in units if self.tries.left(unit)]

    def failed(self, unit: Unit, error: str, *, shared: bool = False) -> None:
        """A try of the unit ended without what it was to leave. `error` is what the caller saw of
        it; the traceback that the attempt itself wrote down comes first. It is `shared` where one
        process ended for several units, which says nothing of each of them.
        """
        try:
            written = self._errors_of(unit.trial.trial_id)
            raised = len(written) > self.tries.of(unit.trial.trial_id)
            told = written[-1] if raised else error
            self.tries.failed(unit, told, raised=raised and not shared)
        except Fenced as fenced:
            self.stop(str(fenced))
        except OSError as trouble:
            logger.warning("cannot write down that a trial failed: %s", trouble)

    def lost(self, units: Sequence[Unit], error: str) -> None:
        """Their process ended without a result. Those of a pack that were finished by then, or
        not begun, have lost no try; if none was begun, the process itself is what failed.
        """
        if len(units) > 1:
            try:
                outcomes = self.folder.outcomes()
                units = [u for u in units if outcomes.get(u.trial.trial_id) not in FINAL]
                begun = [unit for unit in units if self._begun(unit)]
                units = begun or units
            except OSError as trouble:
                logger.warning("cannot tell which trials of a lost pack were begun: %s", trouble)
        for unit in units:
            self.failed(unit, error, shared=len(units) > 1)

    def alone(self, unit: Unit) -> bool:
        """Whether it is not to take other trials with it: it has raised an error, or was in two
        processes that were lost."""
        tries = self.tries.of(unit.trial.trial_id)
        return tries > 1 or (tries == 1 and bool(self._errors_of(unit.trial.trial_id)))

    def _begun(self, unit: Unit) -> bool:
        """Whether an attempt was open when its process was lost."""
        outcomes = self._attempts_at(unit.trial.trial_id)["outcome"].to_pylist()
        tried = sum(outcome != "interrupted" for outcome in outcomes)
        return bool(tried > self.tries.of(unit.trial.trial_id))

    def _errors_of(self, trial_id: str) -> list[str]:
        """The tracebacks of the trial's attempts in this run, oldest first."""
        rows = self._attempts_at(trial_id)
        raised = rows.filter(pc.is_valid(rows["error"])).sort_by("started_at")
        return [str(error) for error in raised["error"].to_pylist()]

    def _attempts_at(self, trial_id: str) -> pa.Table:
        """All attempts at the trial in this run."""
        with self._tables_lock:
            rows = self.tables.attempts()  # alone: a study may have many tries and many rows
        own = pc.and_(
            pc.equal(rows["trial_id"], trial_id), pc.equal(rows["epoch"], self.lease.epoch)
        )
        return rows.filter(pc.and_(own, pc.equal(rows["kind"], "trial")))

    def check_budget(self) -> None:
        """Closes admission once the ledger has reached the budget; running trials go on."""
        budget = self.grid.budget
        if budget.gpu_hours is None and budget.cpu_hours is None:
            return
        attempts = self.frames().attempts
        used = {
            "gpu_hours": float(attempts["allocated_gpu_seconds"].sum()) / 3600,
            "cpu_hours": float((attempts["cpus"] * attempts["wall_seconds"]).sum()) / 3600,
        }
        for name, hours in used.items():
            limit = getattr(budget, name)
            if limit is not None and hours >= limit:
                self.budget_reason = f"the budget of {limit:g} {name} is used up ({hours:.3g})"
                # Some were admitted before, and wait for a place.
                self.lease.close()

    def publish(self) -> None:
        """Reads the new records and writes the tables that changed.

        Where another driver has taken over, the session stops; a full disk may come back, and the
        rows wait in their records.
        """
        try:
            with self._tables_lock:
                self.tables.refresh()
                self.tables.publish()
        except Fenced as fenced:
            self.stop(str(fenced))
        except OSError as trouble:
            logger.warning("cannot publish the tables now: %s", trouble)

    def clear_leftovers(self) -> None:
        """Removes what killed processes have left. For a time when no trial of ours runs."""
        try:
            with self._tables_lock:  # a table that is being published has a temporary file
                leftovers.clear(self.folder)
        except Fenced as fenced:
            self.stop(str(fenced))
        except OSError as trouble:
            logger.warning("cannot clear what killed processes have left: %s", trouble)

    def frames(self) -> Frames:
        """The tables as of now: what a status is made of."""
        with self._tables_lock:
            self.tables.refresh()
            return self.tables.frames(with_curves=False, columns=COLUMNS)

    def keep_publishing(self, done: threading.Event, each: Callable[[], None]) -> None:
        """The keeper thread: publishes, checks the budget, redraws the progress."""
        wait = PUBLISH_SECONDS
        while not done.wait(wait):
            started = time.monotonic()
            try:
                self.publish()
                self.check_budget()
                each()
            except Exception:  # nothing that is shown is worth ending a run for
                logger.warning("cannot show the progress now", exc_info=True)
            took = time.monotonic() - started  # at a store that was away, minutes
            wait = min(max(PUBLISH_SECONDS, took / PUBLISH_SHARE), MOST_SECONDS_UNPUBLISHED)

    def _give_up(self, unit: Unit, error: str) -> None:
        if any(os.strerror(number) in error for number in FULL):
            # The others would train, each until its first write, for nothing.
            self.stop(f"no space is left: {last_line(error)}")
            return
        if unit.work == "encode":
            self.unencoded[unit.trial.trial_id] = error
            return
        attempt_id = f"{self.lease.epoch:06d}-failed"
        row = {
            "study": unit.study,
            "trial_id": unit.trial.trial_id,
            **unit.trial.columns(),
            "status": "failed",
            "error": error,
            "code_version": unit.code_version,
            "attempt_id": attempt_id,
            "finished_at": utc_now(),
        }
        name = trial_record_name(unit.trial.trial_id, "failed", attempt_id)
        self.folder.write_record("trials", name, [row])


@contextmanager
def study_session(
    grid: Grid,
    folder: StudyFolder,
    *,
    data: DataFolder,
    say: Callable[[str], None],
    each: Callable[[Session], None],
) -> Iterator[Session]:
    """Takes the lease, adopts what other studies finished, keeps the tables fresh, cleans up.

    Raises LeaseHeld where another driver runs the study.
    """
    lease = leases.acquire(folder, waiting=say)
    done = threading.Event()
    with leases.Beating(lease) as beating:
        session = Session(grid, lease, data)
        beating.on_fenced = session.stop
        found = data_check.fingerprints((trial.dataset for trial in grid.trials), data)
        manifest.write(session.folder, grid, data_check.as_json(found), session.code_version)
        session.clear_leftovers()
        if adopted := adopt.adopt(session.folder, grid, found):
            say(f"adopted from other studies in {folder.out}: {len(adopted):,} of the trials")
        session.publish()
        session.check_budget()
        keeper = threading.Thread(
            target=session.keep_publishing, args=(done, lambda: each(session)), daemon=True
        )
        keeper.start()
        try:
            yield session
            if session.stop_reason is None:  # else processes may be at their last checkpoints
                session.clear_leftovers()
        finally:
            done.set()
            keeper.join()
            lease.release()  # first: attempts that never closed then count as lost
            session.publish()
