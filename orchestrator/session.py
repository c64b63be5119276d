"""One driver at work on a study: the lease, the published tables, the tries, the reasons to stop.

The twin and the Ray sweep both run inside a Session. Its keeper thread beats the lease and
publishes the tables every few seconds, so that readers see a study grow.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from grids.load import Grid
from orchestrator import adopt, machine, manifest
from orchestrator.scoring import ScoringQueue
from orchestrator.work import Unit, missing_units
from results import lease as leases
from results.lease import Fenced
from results.ledger import utc_now
from results.store import StudyFolder, trial_record_name
from results.tables import Frames, Tables

KEEP_SECONDS = 1.0
PUBLISH_SECONDS = 3.0
PUBLISH_SHARE = 0.05  # of the time: a large study publishes less often
MAX_ATTEMPTS = 3
SAME_ERRORS = 3

logger = logging.getLogger(__name__)


class Session:
    """What a running driver knows. `stop_reason` is set once, by whoever first sees a reason."""

    def __init__(self, grid: Grid, lease: leases.Lease) -> None:
        self.grid, self.lease = grid, lease
        self.folder = lease.folder
        self.code_version = machine.code_version()
        self.tables = Tables(self.folder)
        self.steps = {trial.trial_id: trial.steps for trial in grid.trials}
        self.queue = ScoringQueue(self.folder, grid.evaluate, self.steps)
        self.stop_reason: str | None = None
        self.budget_reason: str | None = None
        self.interrupted = False
        self._tries: Counter[str] = Counter()
        self._errors: list[str] = []
        self._succeeded = False
        self._tables_lock = threading.Lock()

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles what it is handed, and nothing here is ever restored from that."""
        return {}

    def stop(self, reason: str) -> None:
        self.stop_reason = self.stop_reason or reason

    def interrupt(self) -> None:
        """Ctrl-C or SIGTERM: stop cleanly; what was trained is kept in checkpoints."""
        self.interrupted = True
        self.stop("interrupted")

    def admits(self) -> bool:
        """Whether another trial may start: no reason to stop, and budget left."""
        return self.stop_reason is None and self.budget_reason is None

    def missing(self) -> list[Unit]:
        """The units to run now, those that used up their tries left out."""
        units = missing_units(
            self.grid,
            self.folder,
            outcomes=self.folder.outcomes(),
            scored=self.queue.scored(),
            code_version=self.code_version,
        )
        return [unit for unit in units if self._tries[unit.trial.trial_id] < MAX_ATTEMPTS]

    def tried(self, unit: Unit, error: str | None) -> None:
        """Counts a try that ended by itself. The last one writes the trial's `failed` row.

        The first trials of a grid failing with one and the same error stop the sweep: the rest
        would fail like them.
        """
        if error is None:
            self._succeeded = True
            return
        trial_id = unit.trial.trial_id
        self._tries[trial_id] += 1
        if self._tries[trial_id] == MAX_ATTEMPTS and unit.work == "train":
            self._write_failed_row(unit, error)
        self._errors.append(error.strip().rsplit("\n", 1)[-1])
        alike = len(self._errors) >= SAME_ERRORS and len(set(self._errors)) == 1
        if alike and not self._succeeded and len(self._tries) >= SAME_ERRORS:
            self.stop(f"the first {SAME_ERRORS} trials failed alike: {self._errors[0]}")

    def most_tries(self) -> int:
        return max(self._tries.values(), default=0)

    def error_of(self, trial_id: str) -> str:
        """The traceback that the trial's last attempt left, or why there is none."""
        attempts = self.frames().attempts
        own = (attempts["trial_id"] == trial_id) & (attempts["epoch"] == self.lease.epoch)
        last = attempts[own].sort_values("started_at").tail(1)
        if len(last) and last["error"].notna().all():
            return str(last["error"].item())
        return "the trial's process died without a word (killed, out of memory, or its node lost)"

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
                self.budget_reason = f"the budget of {limit:g} {name} is used up ({hours:.2f})"

    def publish(self) -> None:
        """Reads the new records and writes the tables that changed."""
        with self._tables_lock:
            self.tables.refresh()
            self.tables.publish()

    def frames(self) -> Frames:
        """The tables as of now, curves left out."""
        with self._tables_lock:
            self.tables.refresh()
            return self.tables.frames(with_curves=False)

    def keep(self, done: threading.Event, each: Callable[[], None]) -> None:
        """The keeper thread: beats, publishes, redraws the progress; stops the run when fenced."""
        next_publish = 0.0
        while not done.wait(KEEP_SECONDS):
            try:
                self.lease.beat()
                if time.monotonic() >= next_publish:
                    started = time.monotonic()
                    self.publish()
                    self.check_budget()
                    each()
                    seconds = time.monotonic() - started
                    next_publish = started + max(PUBLISH_SECONDS, seconds / PUBLISH_SHARE)
            except Fenced as error:
                self.stop(str(error))
                return
            except Exception as error:
                # The lease must go on beating: a full disk may come back, rows wait in their
                # records, and nothing that is shown is worth losing the study for.
                logger.warning("cannot publish or show the tables now: %r", error)

    def _write_failed_row(self, unit: Unit, error: str) -> None:
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
    waiting: Callable[[str], None],
    each: Callable[[Session], None],
) -> Iterator[Session]:
    """Takes the lease, adopts what other studies finished, keeps the tables fresh, cleans up.

    Raises LeaseHeld where another driver runs the study.
    """
    session = Session(grid, leases.acquire(folder, waiting=waiting))
    done = threading.Event()
    keeper = threading.Thread(target=session.keep, args=(done, lambda: each(session)), daemon=True)
    try:
        manifest.write(session.folder, grid, session.code_version)
        keeper.start()
        adopt.adopt(session.folder, grid)
        session.publish()
        yield session
    finally:
        done.set()
        if keeper.ident is not None:
            keeper.join()
        session.lease.release()
        try:
            session.publish()  # after the release, attempts that never closed count as lost
        except Fenced as error:
            session.stop(str(error))
