"""The studies that a report is of, as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from grids.load import Grid
from grids.measurement import Measurement
from grids.trial import Trial
from results.distances import read_distances
from results.files import Location
from results.schema import DISTANCES, SCHEMAS, TRIALS
from results.store import StudyFolder
from results.tables import Frames, load


@dataclass(frozen=True, kw_only=True)
class Studies:
    """One or more studies whose trials are shown together; a trial of two of them counts once.

    `trials` has a row for every trial of the grids, run or not: the columns of results.schema,
    `status` `waiting` where there is no row yet, and `steps`. `distances` has the rows of studies
    of measurements. Trials that an earlier version of a grid had are left out.
    """

    grids: tuple[Grid, ...]
    folders: tuple[StudyFolder, ...]
    trials: pd.DataFrame
    scores: pd.DataFrame
    curves: pd.DataFrame
    attempts: pd.DataFrame
    distances: pd.DataFrame
    own_scores: tuple[str, ...]
    """Of each metric, in the order of the grids, the score that is its own value."""
    theorem_1: pd.DataFrame | None = None
    """Scores of a perfect code and of its entangled twin, for the report of Locatello et al. 2019:
    `score`, `supervised`, `z`, `f(z)`. None unless they were asked for."""

    def scored(self, scores: pd.DataFrame) -> pd.DataFrame:
        """Rows of scores (some selection of them) with the parameters of their trials."""
        parameters = self.trials.drop(columns=["attempt_id"]).rename(columns={"seed": "trial_seed"})
        return scores.merge(parameters, on="trial_id")

    def artifacts(self, trial_id: str) -> Location | None:
        """The folder with the trial's arrays; None where no study has any."""
        for folder in self.folders:
            path = folder.artifacts(trial_id)
            if path.is_dir():
                return path
        return None


def read_studies(roots: Sequence[Location], own_scores: dict[str, str]) -> Studies:
    """`own_scores` says which score is a metric's own value.

    Raises GridError or SchemaError where a folder is no study that this version can read.
    """
    folders = tuple(StudyFolder(root) for root in roots)
    grids = tuple(folder.grid() for folder in folders)
    frames = [load(root) for root in roots]
    metrics = dict.fromkeys(metric for grid in grids for metric in grid.evaluate.metrics)
    trials = _trials(grids, frames)
    known = {trial.trial_id for grid in grids for trial in grid.trials}
    return Studies(
        grids=grids,
        folders=folders,
        trials=trials,
        scores=_pooled("scores", [f.scores for f in frames], known),
        curves=_pooled("curves", [f.curves for f in frames], known),
        attempts=_pooled("attempts", [f.attempts for f in frames], known),
        distances=_distances(grids, folders),
        own_scores=tuple(own_scores[metric] for metric in metrics),
    )


def _trials(grids: Sequence[Grid], frames: Sequence[Frames]) -> pd.DataFrame:
    rows = [
        {"study": grid.study, "trial_id": trial.trial_id, **trial.columns(), "status": "waiting"}
        for grid in grids
        for trial in grid.trials
        if isinstance(trial, Trial)
    ]
    planned: pd.DataFrame = pa.Table.from_pylist(rows, TRIALS).to_pandas()
    planned = planned.drop_duplicates("trial_id")
    there = pd.concat([f.trials for f in frames], ignore_index=True)
    there = there[there["trial_id"].isin(planned["trial_id"])]
    # What completed in one study may have failed in another.
    order = there["status"].map({"completed": 0, "diverged": 0}).fillna(1)
    there = there.assign(order=order).sort_values("order", kind="stable").drop(columns="order")
    there = there.drop_duplicates("trial_id")
    waiting = planned[~planned["trial_id"].isin(there["trial_id"])]
    both = pd.concat([there, waiting], ignore_index=True) if len(there) else waiting
    return both.set_index("trial_id").loc[planned["trial_id"]].reset_index()


def _pooled(table: str, frames: Sequence[pd.DataFrame], known: set[str]) -> pd.DataFrame:
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return _empty(SCHEMAS[table])
    pooled = pd.concat(filled, ignore_index=True)
    pooled = pooled[pooled["trial_id"].isin(known)]
    keys = {
        "scores": ["trial_id", "step", "representation", "score", "size", "seed", "metric_version"],
        "curves": ["trial_id", "step"],
        "attempts": ["attempt_id", "trial_id"],
    }[table]
    return pooled.drop_duplicates(keys, ignore_index=True)


def _distances(grids: Sequence[Grid], folders: Sequence[StudyFolder]) -> pd.DataFrame:
    found = [
        read_distances(folder.root, trial.trial_id)
        for grid, folder in zip(grids, folders, strict=True)
        for trial in grid.trials
        if isinstance(trial, Measurement) and folder.distances(trial.trial_id).exists()
    ]
    if not found:
        return _empty(DISTANCES)
    return pd.concat(found, ignore_index=True).drop_duplicates(["trial_id", "factor"])


def _empty(schema: pa.Schema) -> pd.DataFrame:
    frame: pd.DataFrame = schema.empty_table().to_pandas()
    return frame
