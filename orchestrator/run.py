"""`latentgrid run`: one study from the command line, with signals, progress and the last word."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.live import Live

from grids.load import Grid
from orchestrator.errors import InputError
from orchestrator.local import run_local
from orchestrator.session import Session, study_session
from orchestrator.show import progress_line, results_view, status_view
from orchestrator.status import read_status, status_of
from results.store import StudyFolder

DONE, FAILED, INTERRUPTED = 0, 1, 130
LINE_SECONDS = 30.0


def run_study(grid: Grid, out: Path, *, address: str | None, local: bool) -> int:
    """Runs what is missing and returns the exit code: 0 done, 1 failed for good, 130 interrupted.

    Raises InputError, SchemaError or LeaseHeld where nothing could be started.
    """
    folder = StudyFolder(out / grid.study)
    console = Console(stderr=True)
    _check_writable(folder)
    folder.check()
    if local:
        if any(resources.gpus > 0 for resources in grid.resources):
            _check_gpu()
        return _run(grid, folder, console, run_local)
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        # As Ray 2.60 does by itself; said here so that no version changes it. Ray reads it when it
        # is imported.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    from orchestrator import sweep
    from orchestrator.cluster import connected

    with connected(address, grid.study, console):
        if refusal := sweep.unmet_request(grid.resources):
            raise InputError(refusal)
        return _run(grid, folder, console, sweep.run_sweep)


def _run(
    grid: Grid,
    folder: StudyFolder,
    console: Console,
    execute: Callable[[Session], dict[str, str]],
) -> int:
    with _progress(console) as each:
        with study_session(grid, folder, waiting=console.print, each=each) as session:
            with _signals(session):
                unscored = execute(session)
    return _last_word(session, unscored, console)


@contextlib.contextmanager
def _signals(session: Session) -> Iterator[None]:
    """The first SIGINT or SIGTERM ends the run cleanly; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        if session.interrupted:
            os._exit(INTERRUPTED)
        print("stopping: trials write their checkpoints ...", file=sys.stderr)
        session.interrupt()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Callable[[Session], None]]:
    """A live view on a terminal, a line every half minute elsewhere (a job's log)."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:

            def redraw(session: Session) -> None:
                frames = session.frames()
                live.update(status_view(status_of(session.grid, frames), frames), refresh=True)

            yield redraw
        return
    last = time.monotonic()

    def line(session: Session) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            console.print(progress_line(status_of(session.grid, session.frames())))

    yield line


def _last_word(session: Session, unscored: dict[str, str], console: Console) -> int:
    folder = session.folder
    status, grid, frames = read_status(folder.root)
    Console().print(results_view(grid, frames))
    console.print(f"{progress_line(status)}\ntables: {folder.root}/*.parquet")
    for name, error in unscored.items():
        console.print(f"not scored: codes/{name}: {error.strip().splitlines()[-1]}")
    again = f"to go on: latentgrid run <the same grid file> --out {folder.out}"
    if session.interrupted:
        console.print(f"interrupted; {again}")
        return INTERRUPTED
    for reason in (session.stop_reason, session.budget_reason):
        if reason:
            console.print(f"stopped: {reason}\n{again}")
            return FAILED
    if status.failed:
        console.print(f"{status.failed} trials failed; why: {folder.root}/logs/, column `error`")
    return FAILED if status.failed or unscored else DONE


def _check_writable(folder: StudyFolder) -> None:
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        probe = folder.root / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"--out {folder.out}: cannot be written ({error.strerror})") from None


def _check_gpu() -> None:
    import torch

    if not torch.cuda.is_available():
        raise InputError("resources: trials ask for a GPU, and this machine has no CUDA device")
