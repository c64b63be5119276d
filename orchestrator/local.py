"""The in-process twin of the sweep: the same units, the same files, one after another, no Ray."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from orchestrator.runs import Run, start
from orchestrator.scoring import score_files
from orchestrator.session import Session
from orchestrator.work import Unit
from results.lease import Fenced

ADVANCE_SECONDS = 1.0  # how long Ctrl-C waits at most


def run_local(
    session: Session,
    *,
    make_run: Callable[[Unit], Run] = start,
    pause_seconds: float = 2.0,
) -> None:
    """Runs what is missing until nothing is, or the session has a reason to stop."""
    try:
        _score(session)
        while session.admits() and (units := session.missing()):
            if tries := session.tries.most(units):
                session.pause(pause_seconds * 2.0 ** (tries - 1))
            for unit in units:
                if not session.admits():
                    break
                _run(session, unit, make_run)
                _score(session)
    except Fenced as error:
        session.stop(str(error))
    session.unscored = session.queue.gave_up()


def _run(session: Session, unit: Unit, make_run: Callable[[Unit], Run]) -> None:
    try:
        run = make_run(unit)
        while not run.advance(ADVANCE_SECONDS):
            if session.stop_reason is not None:
                run.interrupt()
                return
    except Fenced:
        raise
    except Exception:
        session.failed(unit, traceback.format_exc())
    else:
        session.tries.succeeded()


def _score(session: Session) -> None:
    queue = session.queue
    while session.stop_reason is None and (task := queue.take()):
        try:
            lacking = score_files(session.folder, task)
        except Fenced:
            raise
        except Exception:
            queue.settle(task, traceback.format_exc())
        else:
            queue.settle(task, None, lacking)
    queue.drop_settled()
