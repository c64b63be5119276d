"""Running a study in a test, in process or on Ray, and comparing what two runs left."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from grids.data_folder import DataFolder
from grids.load import Grid
from orchestrator import trial_run
from orchestrator.cli import main
from orchestrator.local import run_local
from orchestrator.session import Session, study_session
from results import load
from results.files import Location
from results.schema import KEYS, PROVENANCE
from results.store import StudyFolder

Execute = Callable[[Session], None]


def run_study(
    grid: Grid,
    out: Location,
    execute: Execute = run_local,
    each: Callable[[Session], None] = lambda session: None,
) -> Session:
    with study_session(
        grid,
        StudyFolder(out / grid.study),
        data=DataFolder(Path(str(out)) / "data"),
        say=lambda line: None,
        each=each,
    ) as session:
        execute(session)
    return session


def answers(root: Location) -> dict[str, pd.DataFrame]:
    """The tables without how they came to be, in the order of their keys."""
    frames = load(root)
    return {
        table: getattr(frames, table)
        .drop(columns=[*PROVENANCE[table], "study"], errors="ignore")
        .sort_values(list(KEYS[table]), ignore_index=True)
        for table in ("trials", "curves", "scores")
    }


def assert_same_answers(one: Location, other: Location) -> None:
    ours, theirs = answers(one), answers(other)
    for table in ours:
        assert len(ours[table]) > 0, table
        assert not ours[table].duplicated(list(KEYS[table])).any()
        pd.testing.assert_frame_equal(ours[table], theirs[table], check_exact=True)


def command(*arguments: Any) -> subprocess.CompletedProcess[str]:
    """`latentgrid ARGUMENTS` in this process: a new one would import torch first, for seconds."""
    trial_run._opened.clear()  # a new process has no dataset of the last one
    argv = ["latentgrid", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", argv)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
                code = 0
            except SystemExit as exit:
                code = int(exit.code or 0)
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def latentgrid() -> Callable[..., subprocess.CompletedProcess[str]]:
    return command


@pytest.fixture
def run() -> Callable[..., Session]:
    return run_study


@pytest.fixture
def same() -> Callable[[Location, Location], None]:
    return assert_same_answers


@pytest.fixture
def no_pause() -> Any:
    return lambda session, **options: run_local(session, pause_seconds=0.0, **options)
