"""One study, watched: its files read as they change, into what every view is made from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from grids.load import Grid
from grids.trial import GridError
from orchestrator.dashboard.cells import Cells, ScoreChoice, cells_of, score_choices, states_of
from orchestrator.dashboard.driver import Driver, DriverWatch
from orchestrator.dashboard.unread import unread_line
from orchestrator.errors import first_line
from orchestrator.status import COLUMNS, Status, status_of, with_fractions
from results.files import identity
from results.lease import LeaseHeld
from results.schema import SCHEMAS, SchemaError
from results.store import StudyFolder
from results.tables import HELD, Frames, Tables


@dataclass(frozen=True)
class Snapshot:
    """A study at one moment. `number` grows whenever anything of it has changed.

    `problem` says, in a line, why the study cannot be read now, and the rest is as it was before;
    or which of its files cannot, and the rest is without what they hold.
    `accounted` are the attempts with the fractions of results.hours.
    """

    number: int
    grid: Grid
    cells: Cells
    status: Status
    states: str
    driver: Driver
    choices: list[ScoreChoice]
    trials: pa.Table
    scores: pa.Table
    attempts: pa.Table
    accounted: pd.DataFrame
    errors: dict[str, str]  # by trial, of those that failed
    problem: str | None = None


class WatchedStudy:
    """`refresh` reads what is new; `snapshot` is what was found, None until a study was read."""

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder
        self.snapshot: Snapshot | None = None
        self.problem: str | None = None
        self._number = 0
        self._tables = Tables(folder, lenient=True)
        self._driver = DriverWatch(folder)
        self._grid: tuple[Any, Grid, Cells] | None = None
        self._inputs: list[Any] = []

    def refresh(self) -> None:
        """Blocks for as long as the disk and the sums take. Never raises for what a file says."""
        try:
            problem = self._read()
        except (GridError, SchemaError, LeaseHeld, OSError) as error:
            problem = first_line(error)
        if problem != self.problem:
            self.problem = problem
            if self.snapshot is not None:
                self._number += 1
                self.snapshot = dataclasses.replace(
                    self.snapshot, number=self._number, problem=problem
                )

    def _read(self) -> str | None:
        """Gives the line that says which files were left out."""
        grid, cells = self._read_grid()
        driver = self._driver.look()
        self._tables.refresh()
        tables = [self._tables.table(table) for table in HELD]
        problem = unread_line(self._tables.unread)
        checkpoints = self.folder.checkpoint_steps()
        # A table that did not change is the same object.
        inputs = [grid, driver, checkpoints, *map(id, tables)]
        if inputs == self._inputs:
            return problem
        trials, scores, attempts = tables
        frames = with_fractions(
            Frames(
                trials=trials.select(COLUMNS["trials"]).to_pandas(),
                curves=SCHEMAS["curves"].empty_table().to_pandas(),
                scores=scores.select(COLUMNS["scores"]).to_pandas(),
                attempts=attempts.to_pandas(),
            )
        )
        status = status_of(grid, frames, checkpoints)
        outcomes = dict(zip(frames.trials["trial_id"], frames.trials["status"], strict=True))
        failed = frames.trials[frames.trials["status"] == "failed"]
        self._number += 1
        self.snapshot = Snapshot(
            number=self._number,
            grid=grid,
            cells=cells,
            status=status,
            states=states_of(cells, outcomes, {trial.trial_id for trial in status.running}),
            driver=driver,
            choices=self._choices(scores),
            trials=trials,
            scores=scores,
            attempts=attempts,
            accounted=frames.attempts,
            errors=dict(zip(failed["trial_id"], failed["error"].fillna(""), strict=True)),
            problem=problem,
        )
        self._inputs = inputs
        return problem

    def _choices(self, scores: pa.Table) -> list[ScoreChoice]:
        if self.snapshot is not None and self.snapshot.scores is scores:
            return self.snapshot.choices
        return score_choices(scores)

    def _read_grid(self) -> tuple[Grid, Cells]:
        """Read again only when the file was replaced: by a run with a grown grid."""
        found = identity(self.folder.study_yaml)
        if self._grid is None or self._grid[0] != found:
            grid = self.folder.grid()
            self._grid = found, grid, cells_of(grid)
        return self._grid[1:]
