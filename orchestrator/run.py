"""`latentgrid run`: one study from the command line, with signals, progress and the last word."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterator

from rich.live import Live

from grids.data_folder import DataFolder
from grids.load import Grid
from grids.measurement import Measurement
from orchestrator.data_check import check_data
from orchestrator.errors import Exit, InputError, first_line
from orchestrator.session import Session, study_session
from orchestrator.show import progress_line, results_view, status_view
from orchestrator.signals import Signals
from orchestrator.status import read_status, status_of, with_fractions
from orchestrator.terminal import Terminal
from orchestrator.token_source import prepare_token
from orchestrator.tries import last_line
from results import files
from results.files import Location
from results.store import StudyFolder

LINE_SECONDS = 30.0


def run_study(
    grid: Grid, out: Location, data: DataFolder, *, address: str | None, local: bool, command: str
) -> Exit:
    """Runs what is missing and returns how that ended. `command` is what goes on with it.

    Raises InputError, SchemaError or LeaseHeld where nothing could be started.
    """
    folder = StudyFolder(out / grid.study)
    console = Terminal(stderr=True)
    again = f"to go on: {command}"
    signals = Signals()
    try:
        # Inside, so that a signal is ours from the moment that it is caught.
        with signals:
            check_folder(folder)
            check_data(grid, folder, data)
            if local:
                session = run_here(grid, folder, data, console, signals)
            else:
                session = _run_on_ray(grid, folder, data, console, signals, address)
            return _last_word(session, console, again)
    except (KeyboardInterrupt, SystemExit):  # SystemExit: Ray's handler, while it starts
        console.print(f"interrupted before anything was started; {again}", soft_wrap=True)
        return Exit.INTERRUPTED
    except OSError as error:
        if signals.session is None or not signals.session.interrupted:
            raise
        away = f"the study's files could not be reached any more ({first_line(error)})"
        console.print(f"interrupted, and {away}; {again}", soft_wrap=True)
        return Exit.INTERRUPTED


def run_here(
    grid: Grid, folder: StudyFolder, data: DataFolder, console: Terminal, signals: Signals
) -> Session:
    # Imported here, as torch takes seconds: signals are ours by now.
    from orchestrator.local import run_local

    _check_gpu(grid)
    return _run(grid, folder, data, console, signals, run_local)


def _run_on_ray(
    grid: Grid,
    folder: StudyFolder,
    data: DataFolder,
    console: Terminal,
    signals: Signals,
    address: str | None,
) -> Session:
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    prepare_token(address)
    from orchestrator import sweep
    from orchestrator.cluster import connected
    from orchestrator.workers import await_workers

    with connected(address, grid.study, console):
        signals.install()  # Ray puts a handler of its own in the place of ours
        await_workers(grid.resources, console.print)
        if refusal := sweep.unmet_request(grid.resources):
            raise InputError(refusal)
        return _run(grid, folder, data, console, signals, sweep.run_sweep)


def _run(
    grid: Grid,
    folder: StudyFolder,
    data: DataFolder,
    console: Terminal,
    signals: Signals,
    execute: Callable[[Session], None],
) -> Session:
    from orchestrator.bf16_check import slow_bf16

    on_cpus = zip(grid.trials, grid.resources, strict=True)
    if warning := slow_bf16(trial for trial, resources in on_cpus if not resources.gpus):
        console.print(f"warning: {warning}", soft_wrap=True)
    with _progress(console) as each:
        say = functools.partial(console.print, soft_wrap=True)
        with study_session(grid, folder, data=data, say=say, each=each) as session:
            signals.attach(session)
            execute(session)
    return session


@contextlib.contextmanager
def _progress(console: Terminal) -> Iterator[Callable[[Session], None]]:
    """A live view on a terminal, a line every half minute elsewhere (a job's log)."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:

            def redraw(session: Session) -> None:
                frames = with_fractions(session.frames())
                status = status_of(session.grid, frames, session.folder.checkpoint_steps())
                live.update(status_view(status, frames), refresh=True)

            yield redraw
        return
    last = time.monotonic()

    def line(session: Session) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            frames = with_fractions(session.frames())
            status = status_of(session.grid, frames, session.folder.checkpoint_steps())
            console.print(progress_line(status))

    yield line


def _last_word(session: Session, console: Terminal, again: str) -> Exit:
    folder = session.folder
    status, grid, frames = read_status(folder.root)
    Terminal().print(results_view(grid, frames, folder.root))
    where = f"{folder.root}/*.parquet"
    if isinstance(grid.trials[0], Measurement):
        where += f"; distances: {folder.root}/distances/"
    console.print(f"{progress_line(status)}\ntables: {where}", soft_wrap=True)
    if session.interrupted:
        console.print(f"interrupted; {again}", soft_wrap=True)
        return Exit.INTERRUPTED
    complete = status.done == status.trials and status.scores == status.scores_wanted
    if session.stop_reason:
        console.print(f"stopped: {session.stop_reason}\n{again}", soft_wrap=True)
    elif complete:
        return Exit.DONE
    elif session.budget_reason:
        console.print(f"stopped: {session.budget_reason}; raise it\n{again}", soft_wrap=True)
    if status.failed:
        console.print(f"{status.failed} trials failed; why: {folder.root}/logs/, column `error`")
    for trial_id, error in session.unencoded.items():
        console.print(f"could not be encoded again: {trial_id}: {last_line(error)}")
    for name, error in session.unscored.items():
        console.print(f"could not be scored: codes/{name}: {last_line(error)}")
    return Exit.FAILED


def check_folder(folder: StudyFolder) -> None:
    """Refuses what cannot be written, or is no study of ours; leaves nothing behind.

    The run may yet be refused for another reason.
    """
    try:
        files.check_writable(folder.root)
    except OSError as error:
        raise InputError(f"--out {folder.out}: cannot be written ({error.strerror})") from None
    there = files.names(folder.root)
    if there and folder.lease_dir.name not in there:
        raise InputError(f"{folder.root}: not empty, and not a study's folder; move it away")
    folder.check()


def _check_gpu(grid: Grid) -> None:
    if not any(resources.gpus > 0 for resources in grid.resources):
        return
    import torch

    if not torch.cuda.is_available():
        raise InputError("resources: trials ask for a GPU, and this machine has no CUDA device")
