"""What a study still lacks, and the work unit that carries a part of it to a process."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from grids.data_folder import DataFolder
from grids.load import Grid
from grids.measurement import Measurement
from grids.metrics import CELL
from grids.metrics import METRICS as TAKEN
from grids.settings import MOST_PACKED, Evaluate, Resources
from grids.trial import Trial
from metrics import METRICS
from results.files import Location, location
from results.store import StudyFolder

Work = Literal["train", "encode", "measure"]

# Of a pack of 16, four trials after another: enough to keep it full, few enough to wait for.
MOST_IN_A_PROCESS = 4 * MOST_PACKED

# What one score is identified by, apart from the score's own name: a metric may give several.
ScoreKey = tuple[str, int, str, str, int, str, int]
SCORE_KEY_COLUMNS = (
    "trial_id",
    "step",
    "representation",
    "metric",
    "metric_version",
    "size",
    "seed",
)


def score_key(row: Mapping[str, Any]) -> ScoreKey:
    """The key of a row of the scores table."""
    trial_id, step, representation, metric, version, size, seed = (
        row[name] for name in SCORE_KEY_COLUMNS
    )
    return trial_id, step, representation, metric, version, size, seed


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One trial with all that a process on another machine must know to run it."""

    work: Work
    study: str
    root: Location
    data: DataFolder
    epoch: int
    trial: Trial | Measurement
    resources: Resources
    evaluate: Evaluate
    code_version: str

    @property
    def folder(self) -> StudyFolder:
        return StudyFolder(self.root, self.epoch)

    def to_dict(self) -> dict[str, Any]:
        return {
            "work": self.work,
            "study": self.study,
            "root": str(self.root),
            "data": str(self.data.root),
            "epoch": self.epoch,
            "trial": self.trial.to_dict(),
            "resources": asdict(self.resources),
            "evaluate": asdict(self.evaluate),
            "code_version": self.code_version,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Unit:
        evaluate = dict(fields["evaluate"])
        for name in ("metrics", "representations"):
            evaluate[name] = tuple(evaluate[name])
        evaluate["every_by_metric"] = tuple(map(tuple, evaluate["every_by_metric"]))
        return cls(
            work=fields["work"],
            study=fields["study"],
            root=location(fields["root"]),
            data=DataFolder(Path(fields["data"])),
            epoch=fields["epoch"],
            trial=(Measurement if fields["work"] == "measure" else Trial).from_dict(
                fields["trial"]
            ),
            resources=Resources(**fields["resources"]),
            evaluate=Evaluate(**evaluate),
            code_version=fields["code_version"],
        )


def to_json(units: Sequence[Unit]) -> str:
    """One flat string: Tune silently alters nested configurations."""
    return json.dumps([unit.to_dict() for unit in units], sort_keys=True)


def from_json(text: str) -> list[Unit]:
    return [Unit.from_dict(fields) for fields in json.loads(text)]


def packs(
    units: Sequence[Unit],
    alone: Callable[[Unit], bool],
    places: int,
    *,
    queued: bool = True,
) -> list[list[Unit]]:
    """The units as processes run them, in their order: one by one, or in packs.

    Trials of one precision share a process, at most MOST_IN_A_PROCESS, and fewer where `places`
    processes at once would otherwise have nothing to do; no more than run at once where none are to
    be `queued`. What is to be `alone` is: so are codes, and models that are fitted in closed form.
    """
    together: dict[tuple[object, ...], list[Unit]] = {}
    for unit in units:
        key: tuple[object, ...] = (unit.trial.trial_id,)
        packed = unit.work == "train" and unit.resources.pack != 1 and not alone(unit)
        if packed and isinstance(unit.trial, Trial) and not unit.trial.framework.closed_form:
            key = (unit.resources, unit.trial.precision)
        together.setdefault(key, []).append(unit)
    found: list[list[Unit]] = []
    for group in together.values():
        fair = math.ceil(len(group) / max(1, places))
        smallest = min(group[0].resources.pack or MOST_PACKED, len(group))
        length = min(max(fair, smallest), MOST_IN_A_PROCESS) if queued else smallest
        found += [group[first : first + length] for first in range(0, len(group), length)]
    return found


def due_metrics(step: int, steps: int, evaluate: Evaluate) -> list[str]:
    """The metrics that score a trial's model at `step` of its `steps`: all of them at the end.

    Those of a cell are not of one trial's model: see `cells_of`.
    """
    return [
        metric
        for metric in evaluate.metrics
        if CELL not in TAKEN[metric]
        and (step == steps or step % (evaluate.steps_between(metric) or steps) == 0)
    ]


def cells_of(grid: Grid) -> dict[str, tuple[str, ...]]:
    """By trial id, the trials that are alike but for their seeds: where a metric asks for them."""
    cells: dict[tuple[object, ...], list[str]] = {}
    if any(CELL in TAKEN[metric] for metric in grid.evaluate.metrics):
        for trial in grid.trials:
            cells.setdefault(trial.cell, []).append(trial.trial_id)
    members = [tuple(ids) for ids in cells.values() if len(ids) > 1]
    return {trial_id: ids for ids in members for trial_id in ids}


def representations(metric: str, evaluate: Evaluate) -> tuple[str, ...]:
    """Those that the grid asks for; what is decoded is of samples of the posterior or prior."""
    return evaluate.representations if _of_codes(metric) else ("sampled",)


def _of_codes(metric: str) -> bool:
    return bool(METRICS[metric].shapes & {"table", "votes"})


def final_scores(keys: Iterable[ScoreKey], evaluate: Evaluate) -> set[ScoreKey]:
    """Those of the size that scores at the end have."""
    return {key for key in keys if key[SCORE_KEY_COLUMNS.index("size")] == evaluate.final}


def wanted_scores(trial_id: str, step: int, steps: int, evaluate: Evaluate) -> set[ScoreKey]:
    """The scores that the grid asks of a trial's codes at `step` of its `steps`.

    At the last step those of both sizes where it is one of those scored during training, too: the
    best of the scores during training may be the last one. What is measured for one size (terms of
    the evidence, Inception moments) has that size only.
    """
    keys: set[ScoreKey] = set()
    for metric in due_metrics(step, steps, evaluate):
        sizes: set[str] = {evaluate.final if step == steps else evaluate.during}
        every = evaluate.steps_between(metric)
        if every is not None and step % every == 0 and _of_codes(metric):
            sizes.add(evaluate.during)
        keys |= {
            (trial_id, step, representation, metric, METRICS[metric].version, size, evaluate.seed)
            for size in sizes
            for representation in representations(metric, evaluate)
        }
    return keys


def wanted_cell_scores(
    models: Collection[str], steps: Mapping[str, int], evaluate: Evaluate
) -> set[ScoreKey]:
    """The scores that the grid asks of a cell with these models: none of a single one.

    `steps` gives the length of each trial.
    """
    if len(models) < 2:
        return set()
    return {
        (t, steps[t], "mean", metric, METRICS[metric].version, evaluate.final, evaluate.seed)
        for t in models
        for metric in evaluate.metrics
        if CELL in TAKEN[metric]
    }


def missing_units(
    grid: Grid,
    folder: StudyFolder,
    *,
    data: DataFolder,
    outcomes: Mapping[str, str],
    scored: Set[ScoreKey],
    code_files: Set[str],
    code_version: str,
) -> list[Unit]:
    """The trials to train or measurements to make, then finished trials to encode again.

    A finished trial needs its codes again where a final score is missing (a metric was added to
    the grid, say) and no code file waits to be scored; it is then encoded from its final weights,
    never retrained.
    """
    assert folder.epoch is not None, "only the holder of the lease hands out work"
    cells = cells_of(grid)
    fixed = folder.trials_with_fixed_codes() if cells else set()
    first: list[Unit] = []  # to train or to measure
    encode: list[Unit] = []
    for trial, resources in zip(grid.trials, grid.resources, strict=True):
        trial_id = trial.trial_id
        work: Work = "measure" if isinstance(trial, Measurement) else "train"
        if outcomes.get(trial_id) == "completed":
            wanted = wanted_scores(trial_id, trial.steps, trial.steps, grid.evaluate)
            written = trial_id not in cells or trial_id in fixed
            if written and (
                wanted <= scored or folder.codes(trial_id, trial.steps).name in code_files
            ):
                continue
            work = "encode"
        elif outcomes.get(trial_id) == "diverged":
            continue
        unit = Unit(
            work=work,
            study=grid.study,
            root=folder.root,
            data=data,
            epoch=folder.epoch,
            trial=trial,
            resources=resources,
            evaluate=grid.evaluate,
            code_version=code_version,
        )
        (encode if work == "encode" else first).append(unit)
    return first + encode
