"""A study's grid as columns for a browser: a cell a trial, in the order of the grid file.

All columns of a study have one order, so that what changes can be sent without what does not: the
parameters once, a letter a trial for the states, a number a trial for a score.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from grids.load import Grid
from grids.trial import Trial
from metrics import METRICS
from results.analysis.swept import swept_parameters

STATES = {
    "w": "waiting",
    "r": "running",
    "c": "completed",
    "d": "diverged",
    "f": "failed",
}
"""The letter of each state; a trial that is tried again after a failure is running."""
LETTERS = {state: letter for letter, state in STATES.items()}


@dataclass(frozen=True)
class Cells:
    """What does not change while a study runs.

    `parameters` gives for each swept parameter its values, in the order in which the grid file has
    them first, and for each trial the position of its value among them.
    """

    study: str
    unit: str  # trial | measurement
    trial_ids: list[str]
    steps: list[int]
    parameters: dict[str, tuple[list[Any], list[int]]]

    def as_json(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "unit": self.unit,
            "trials": self.trial_ids,
            "parameters": [
                {"name": name, "values": values, "codes": codes}
                for name, (values, codes) in self.parameters.items()
            ],
        }

    def words(self, index: int) -> dict[str, Any]:
        """The swept parameters of one trial; those that it does not have are left out."""
        values = {name: values[codes[index]] for name, (values, codes) in self.parameters.items()}
        return {name: value for name, value in values.items() if value is not None}


def cells_of(grid: Grid) -> Cells:
    rows = pd.DataFrame([{"trial_id": t.trial_id, **t.columns()} for t in grid.trials])
    swept = swept_parameters(rows)
    # The parameters of a part stand beside it, wherever its kind stands among the fields.
    kinds = [name.partition(".")[0] for name in rows.columns]
    swept.sort(key=lambda name: kinds.index(name.partition(".")[0]))
    parameters = {}
    for name in swept:
        column = [None if pd.isna(value) else value for value in _own(rows, name).tolist()]
        positions: dict[Any, int] = {}
        codes = [positions.setdefault(value, len(positions)) for value in column]
        parameters[name] = list(positions), codes
    return Cells(
        study=grid.study,
        unit="trial" if isinstance(grid.trials[0], Trial) else "measurement",
        trial_ids=[trial.trial_id for trial in grid.trials],
        steps=[trial.steps for trial in grid.trials],
        parameters=parameters,
    )


def _own(rows: pd.DataFrame, name: str) -> pd.Series[Any]:
    """The parameter, missing where all trials of the same part have one value: it says nothing."""
    part, dot, _ = name.partition(".")
    if not dot:
        return rows[name]
    varies = rows.groupby(part)[name].transform(lambda column: column.nunique(dropna=False) > 1)
    return rows[name].where(varies.astype(bool))


def states_of(cells: Cells, outcomes: Mapping[str, str], running: Set[str]) -> str:
    """A letter of STATES a trial. `outcomes` are those of trials with a row."""
    return "".join(
        "r" if trial_id in running else LETTERS[outcomes.get(trial_id, "waiting")]
        for trial_id in cells.trial_ids
    )


class ScoreChoice(NamedTuple):
    """Which score, of the mean or the sampled representation, at the size fast or full."""

    metric: str
    score: str
    representation: str
    size: str


def score_choices(scores: pa.Table) -> list[ScoreChoice]:
    """Those that the table has, in the order of the metrics' names; a metric's own score first."""
    found = scores.group_by(list(ScoreChoice._fields)).aggregate([])
    choices = [ScoreChoice(**row) for row in found.to_pylist()]

    def place(choice: ScoreChoice) -> tuple[Any, ...]:
        known = METRICS[choice.metric].scores if choice.metric in METRICS else ()
        rank = known.index(choice.score) if choice.score in known else len(known)
        return choice.metric, rank, choice.score, choice.representation, choice.size != "full"

    return sorted(choices, key=place)


def score_column(
    scores: pa.Table, cells: Cells, choice: ScoreChoice, *, seed: int, best: bool
) -> dict[str, Any]:
    """`values`, one a trial, null where there is none, and whether `higher_is_better`.

    At the last step that was scored, or at the best one. Scores of other evaluation seeds than the
    grid's now are left out; of several versions of a metric the newest counts.
    """
    wanted = pc.equal(scores["seed"], seed)
    for name, value in choice._asdict().items():
        wanted = pc.and_(wanted, pc.equal(scores[name], value))
    names = ["trial_id", "step", "metric_version", "value"]
    rows = scores.select(names).filter(wanted).to_pandas()
    rows = rows.sort_values(["step", "metric_version"])
    rows = rows.drop_duplicates(["trial_id", "step"], keep="last")
    metric = METRICS.get(choice.metric)
    higher_is_better = metric is None or metric.higher_is_better
    by_trial = rows.groupby("trial_id")["value"]
    if not best:
        chosen = by_trial.last()
    else:
        chosen = by_trial.max() if higher_is_better else by_trial.min()
    values = chosen.reindex(cells.trial_ids).to_numpy(dtype=float).tolist()
    # Five digits are more than a picture shows.
    rounded = [float(f"{value:.5g}") for value in values]
    return {"values": numbers(rounded), "higher_is_better": higher_is_better}


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """JSON has neither NaN nor infinity: both are None, as what is missing."""
    return [value if value is not None and math.isfinite(value) else None for value in values]
