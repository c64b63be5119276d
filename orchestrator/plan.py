"""What a run would do: trials, steps, hours, disk. Starts no Ray and imports no torch."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

from grids.data_folder import DataFolder
from grids.load import Grid
from grids.measurement import Measurement
from grids.trial import Trial
from orchestrator import machine
from orchestrator.data_check import check_prepared
from orchestrator.data_sets import missing_datasets, missing_network
from orchestrator.scoring import ScoredKeys
from orchestrator.work import (
    ScoreKey,
    cells_of,
    final_scores,
    wanted_cell_scores,
    wanted_scores,
)
from results.files import Location
from results.lease import LeaseHeld
from results.schema import SchemaError
from results.store import FINAL, StudyFolder, studies_in
from results.tables import load

# What decides how long one step takes on a given device.
PACE = ["device", "framework", "model", "dataset", "dataset.rgb", "latents", "reconstruction"]
PACE += ["batch_size", "precision"]
PICTURES_MB = 0.3
ROWS_MB = 0.1


@dataclass(frozen=True)
class Plan:
    """What there is to do; `steps_left` takes checkpoints and adoptable trials into account.

    `hours` is None where no earlier run tells the pace of every trial on one device. `device` is
    what this machine has, or the last that does tell, as on a login node without GPUs.
    """

    study: str
    trials: int
    done: int
    adoptable: int
    steps: int
    steps_left: int
    scores: int
    scores_left: int
    device: str
    hours: float | None
    disk_gb: float
    missing_datasets: list[str]
    trial_ids: list[str]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def disk_mb(trial: Trial | Measurement) -> float:
    """What stays of it: a float32 a parameter of its model, pictures and rows."""
    weights = 0
    if isinstance(trial, Trial):
        weights = trial.model.parameters(math.prod(trial.dataset.image_shape), trial.latents)
    return 4e-6 * weights + PICTURES_MB + ROWS_MB


def make_plan(grid: Grid, out: Location, data: DataFolder) -> Plan:
    """Reads the study under `out`, if there is one, and the ledgers of its neighbours.

    Raises InputError where a run would refuse the data that is there.
    """
    folder = StudyFolder(out / grid.study)
    check_prepared(grid, folder, data)
    outcomes = folder.outcomes()
    done = {t for t, outcome in outcomes.items() if outcome in FINAL}
    adoptable = {t.trial_id for t in grid.trials} & finished_beside(folder) - done
    left = [trial for trial in grid.trials if trial.trial_id not in done | adoptable]
    trained = folder.checkpoint_steps()
    steps_left = {t.trial_id: t.steps - trained.get(t.trial_id, 0) for t in left}
    scored = ScoredKeys(folder).refresh()
    steps = {t.trial_id: t.steps for t in grid.trials}
    scores = set[ScoreKey]().union(
        *(wanted_scores(trial_id, n, n, grid.evaluate) for trial_id, n in steps.items()),
        *(wanted_cell_scores(cell, steps, grid.evaluate) for cell in cells_of(grid).values()),
    )
    uses_gpu = any(resources.gpus > 0 for resources in grid.resources)
    kind = "cuda" if uses_gpu else "cpu"
    own = machine.device_kind(kind)
    others, pace = seconds_a_step(out, kind)
    known = (
        (device, hours)
        for device in [own, *others]
        if (hours := hours_left(left, steps_left, pace, device)) is not None
    )
    device, hours = next(known, (own, None))
    return Plan(
        study=grid.study,
        trials=len(grid.trials),
        done=sum(trial.trial_id in done for trial in grid.trials),
        adoptable=len(adoptable),
        steps=sum(steps.values()),
        steps_left=sum(steps_left.values()),
        scores=len(final_scores(scores, grid.evaluate)),
        scores_left=len(final_scores(scores - scored, grid.evaluate)),
        device=device,
        hours=hours,
        disk_gb=sum(map(disk_mb, grid.trials)) / 1000,
        missing_datasets=missing_datasets((trial.dataset for trial in left), data)
        + (missing_network(grid.evaluate.metrics, data) if scores - scored else []),
        trial_ids=[trial.trial_id for trial in grid.trials],
    )


def seconds_a_step(out: Location, kind: str) -> tuple[list[str], dict[tuple[object, ...], float]]:
    """The GPUs (`kind` cuda) or CPUs (cpu) that trials ran on, the newest first, and by PACE the
    median seconds a step, over all finished trials of all studies under `out`: of training, or of a
    GPU as allocated, of which trials beside each other have a share each.
    """
    frames = []
    for folder in studies_in(out):
        try:
            trials = load(folder.root, with_curves=False).trials
        except (SchemaError, LeaseHeld, OSError):
            continue  # that study's own commands say what is wrong with it
        of_kind = trials["device"].str.startswith(f"{kind}:", na=False)
        frames.append(trials[of_kind & (trials["train_seconds"] > 0)])
    if not frames:
        return [], {}
    rows = pd.concat(frames)
    devices = rows.sort_values("finished_at", ascending=False)["device"].unique().tolist()
    seconds = rows["train_seconds"].where(rows["gpu_hours"] == 0, 3600 * rows["gpu_hours"])
    pace = seconds / rows["steps_done"].astype(float)
    median = pace.groupby([rows[name] for name in PACE], dropna=False).median()
    # A parameter that a part does not have is missing in the table, and None in a trial.
    return devices, {
        tuple(None if pd.isna(value) else value for value in key): seconds
        for key, seconds in zip(median.index.to_list(), median.to_list(), strict=True)
    }


def finished_beside(folder: StudyFolder) -> set[str]:
    """Trials that the other studies under the same `--out` have finished."""
    finished: set[str] = set()
    for other in studies_in(folder.out):
        if other.root != folder.root:
            try:
                outcomes = other.outcomes()
            except (SchemaError, LeaseHeld, OSError):
                continue
            finished.update(t for t, outcome in outcomes.items() if outcome in FINAL)
    return finished


def hours_left(
    left: list[Trial | Measurement],
    steps_left: dict[str, int],
    pace: dict[tuple[object, ...], float],
    device: str,
) -> float | None:
    """Hours of training on one device, or None if the pace of some trial is unknown."""
    seconds = 0.0
    for trial in left:
        columns = trial.columns()
        a_step = pace.get((device, *(columns.get(name) for name in PACE[1:])))
        if a_step is None:
            return None
        seconds += a_step * steps_left[trial.trial_id]
    return seconds / 3600
