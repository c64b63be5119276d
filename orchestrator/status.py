"""How a study stands, from its files alone: the same words while it runs and afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pandas as pd

from grids.load import Grid
from grids.measurement import Measurement
from grids.trial import Trial
from metrics import METRICS
from orchestrator.work import (
    SCORE_KEY_COLUMNS,
    cells_of,
    final_scores,
    wanted_cell_scores,
    wanted_scores,
)
from results.analysis.swept import swept_besides_seed
from results.files import Location
from results.hours import account, by_stage
from results.store import StudyFolder
from results.tables import Frames, load

COLUMNS = {
    "trials": ["trial_id", "status", "error", "attempt_id"],
    "scores": [*SCORE_KEY_COLUMNS, "attempt_id"],
}
"""Of trials and scores what a status is made of: a large study has a million scores."""
MOST_COLUMNS = 3
"""Of parameters in a table of scores, for a terminal of 80 columns."""


@dataclass(frozen=True)
class RunningTrial:
    trial_id: str
    steps_done: int
    steps: int
    device: str


@dataclass(frozen=True)
class Status:
    """Counts of trials, steps and scores; allocated hours.

    `at_work` is whether any process trains or scores; `eta_hours` is None while unknown.
    """

    study: str
    trials: int
    completed: int
    diverged: int
    failed: int
    running: list[RunningTrial]
    at_work: bool
    steps: int
    steps_done: int
    steps_per_second: float
    eta_hours: float | None
    scores: int
    scores_wanted: int
    cpu_hours: float
    wasted_cpu_hours: float
    gpu_hours: float
    wasted_gpu_hours: float

    @property
    def done(self) -> int:
        return self.completed + self.diverged

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "done": self.done}


def read_status(root: Location) -> tuple[Status, Grid, Frames]:
    """The frames have what is shown of a study, attempts `with_fractions`.

    Raises GridError or SchemaError where the folder is no study that this version can read.
    """
    grid = StudyFolder(root).grid()
    columns = {**COLUMNS, "scores": [*COLUMNS["scores"], "score", "value"]}
    frames = with_fractions(load(root, with_curves=False, columns=columns))
    return status_of(grid, frames, StudyFolder(root).checkpoint_steps()), grid, frames


def with_fractions(frames: Frames) -> Frames:
    """Frames whose attempts say which part of them led to rows: results.hours.account."""
    return frames._replace(attempts=account(frames.attempts, frames.trials, frames.scores))


def status_of(grid: Grid, frames: Frames, checkpoints: Mapping[str, int]) -> Status:
    """Of the trials of the grid; rows of trials that an earlier version of it had do not count.

    The frames are `with_fractions`; `checkpoints` gives the steps that trials without a row have
    kept.
    """
    steps = {trial.trial_id: trial.steps for trial in grid.trials}
    # Series.map takes an eighth of the time of isin, which makes an Arrow scalar of each id.
    trials = frames.trials[frames.trials["trial_id"].map(steps).notna()]
    counts = trials["status"].value_counts()
    finished = trials[trials["status"].isin(["completed", "diverged"])]
    attempts = frames.attempts
    training = attempts[(attempts["outcome"] == "running") & (attempts["kind"] == "trial")]
    training = training[training["trial_id"].map(steps).notna()]
    running = [
        RunningTrial(row["trial_id"], row["steps_done"], steps[row["trial_id"]], row["device"])
        for row in training.to_dict("records")
    ]
    seconds = training["train_seconds"] + training["measure_seconds"].fillna(0.0)
    seconds = seconds.where(seconds > 0)
    trained = (training["steps_done"] - training["start_step"]).astype(float)
    pace = float((trained / seconds).fillna(0.0).sum())
    reached = {trial.trial_id: trial.steps_done for trial in running}
    reached = {**checkpoints, **reached, **{t: steps[t] for t in finished["trial_id"]}}
    done = sum(reached.get(trial_id, 0) for trial_id in steps)
    left = sum(steps.values()) - done
    diverged = trials[trials["status"] == "diverged"]["trial_id"]
    to_score = set(steps) - set(diverged)
    final = frames.scores[frames.scores["step"] == frames.scores["trial_id"].map(steps)]
    of_a_trial = final_scores(wanted_scores("", 1, 1, grid.evaluate), grid.evaluate)
    of_cells = [
        wanted_cell_scores(to_score.intersection(cell), steps, grid.evaluate)
        for cell in set(cells_of(grid).values())
    ]
    wanted = len(to_score) * len(of_a_trial) + sum(map(len, of_cells))
    # Of an adopted trial there may be others, such as those of sampled codes.
    what = SCORE_KEY_COLUMNS[2:]
    asked = final[~final["trial_id"].isin(diverged)].merge(
        pd.DataFrame({key[2:] for key in of_a_trial.union(*of_cells)}, columns=list(what))
    )
    keys = ["trial_id", "representation", "metric"]
    hours = by_stage(attempts)
    return Status(
        study=grid.study,
        trials=len(steps),
        completed=int(counts.get("completed", 0)),
        diverged=int(counts.get("diverged", 0)),
        failed=int(counts.get("failed", 0)),
        running=running,
        at_work=bool((attempts["outcome"] == "running").any()),
        steps=sum(steps.values()),
        steps_done=done,
        steps_per_second=pace,
        eta_hours=_hours_left(left, pace, len(steps) - len(trials), len(running), attempts),
        scores=len(asked.drop_duplicates(keys)),
        scores_wanted=wanted,
        cpu_hours=float(hours["total_cpu_hours"].sum()),
        wasted_cpu_hours=float(hours["wasted_cpu_hours"].sum()),
        gpu_hours=float(hours["total_gpu_hours"].sum()),
        wasted_gpu_hours=float(hours["wasted_gpu_hours"].sum()),
    )


def _hours_left(
    steps: int, steps_per_second: float, trials: int, at_once: int, attempts: pd.DataFrame
) -> float | None:
    """To train the steps and to do with the trials what earlier ones took beside; None: unknown."""
    if steps == 0 or steps_per_second == 0:
        return 0.0 if steps == 0 else None
    ended = attempts[(attempts["outcome"] == "completed") & (attempts["kind"] == "trial")]
    # Where trials are short, they take longer to encode than to train.
    beside_seconds = (ended["wall_seconds"] - ended["train_seconds"]).sum() / max(1, len(ended))
    seconds = steps / steps_per_second + float(beside_seconds) * trials / at_once
    return seconds / 3600


def score_summary(grid: Grid, frames: Frames) -> pd.DataFrame:
    """Final scores over seeds: a row for each combination of swept parameters and each metric.

    Of a metric that gives several scores, the first one, which is its own value.

    Columns: the parameters that tell trials apart (the seed left out, and what follows from the
    name of a part), `score`, `mean`, `sd` (ddof 1, NaN for one seed), `n`.
    """
    first: dict[object, Trial | Measurement] = {}  # of each cell; it stands for the others
    cells = {t.trial_id: first.setdefault(t.cell, t).trial_id for t in grid.trials}
    rows = pd.DataFrame([{"trial_id": t.trial_id, **t.columns()} for t in first.values()])
    steps = {trial.trial_id: trial.steps for trial in grid.trials}
    swept = swept_besides_seed(rows, most=MOST_COLUMNS)
    scores = frames.scores
    own = [METRICS[metric].scores[0] for metric in grid.evaluate.metrics]
    final = scores[
        (scores["step"] == scores["trial_id"].map(steps))
        & (scores["size"] == grid.evaluate.final)
        & scores["score"].isin(own)
    ]
    of_cells = final.assign(trial_id=final["trial_id"].map(cells))
    joined = of_cells.merge(rows[["trial_id", *swept]], on="trial_id")
    if joined["representation"].nunique() > 1:
        swept = [*swept, "representation"]
    grouped = joined.groupby([*swept, "score"], dropna=False, sort=False)["value"]
    table = grouped.agg(mean="mean", sd="std", n="count").reset_index()
    return table.sort_values([*swept, "score"], ignore_index=True, key=lambda c: c.map(str))
