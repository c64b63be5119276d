"""The in-process twin of the sweep: the same units, the same files, one after another, no Ray."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.scoring import score_files
from orchestrator.session import Session
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit
from results.lease import Fenced

ADVANCE_SECONDS = 1.0  # how long Ctrl-C waits at most


def run_local(
    session: Session,
    *,
    make_run: Callable[[Unit], TrialRun] = TrialRun,
    pause_seconds: float = 2.0,
) -> dict[str, str]:
    """Runs what is missing until nothing is, or the session has a reason to stop.

    Returns the code files that could not be scored, with the errors.
    """
    _score(session)
    while session.admits() and (units := session.missing()):
        if tries := session.most_tries():
            time.sleep(pause_seconds * 2.0 ** (tries - 1))
        for unit in units:
            if not session.admits():
                break
            _run(session, unit, make_run)
            _score(session)
    return session.queue.gave_up()


def _run(session: Session, unit: Unit, make_run: Callable[[Unit], TrialRun]) -> None:
    try:
        run = make_run(unit)
        while not run.advance(ADVANCE_SECONDS):
            if session.stop_reason is not None:
                run.interrupt()
                return
    except Fenced as error:
        session.stop(str(error))
    except Exception:
        session.tried(unit, session.error_of(unit.trial.trial_id))
    else:
        session.tried(unit, None)


def _score(session: Session) -> None:
    queue = session.queue
    while session.stop_reason is None and (task := queue.take()):
        try:
            score_files(session.folder, task)
        except Fenced as error:
            session.stop(str(error))
        except Exception as error:
            queue.settle(task, str(error))
        else:
            queue.settle(task, None)
