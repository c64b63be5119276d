"""Studies that were never run: grids of the real loader, with made-up rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from grids.load import Grid, load_grid
from grids.measurement import Measurement
from grids.trial import Trial
from results.report.studies import Studies
from results.schema import ATTEMPTS, CURVES, DISTANCES, SCORES, TRIALS
from results.store import StudyFolder

ValueOf = Callable[[Trial, str, int], float]
Row = dict[str, Any]
HEAD = """
study: {study}
report: michlo2023
trial:
  dataset: {{name: xysquares, standardise: true}}
  framework: beta_vae
  model: conv64
  latents: 9
  beta: 0.001
  reconstruction: mse
  batch_size: 4
  steps: 100
evaluate: {{metrics: [mig, dci], every: 50, during: fast, final: full}}
"""
OVERLAP = (
    HEAD
    + """
grid:
  dataset.spacing: [8, 3, 1]
  framework: [beta_vae, {{name: ada_gvae, k_rule: uniform}}]
  beta: [0.001, 0.00316]
  seed: [0, 1, 2]
"""
)
ADVERSARIAL = (
    HEAD
    + """
grid:
  dataset: [xysquares, dsprites_rendered, xyobject]
  framework: [beta_vae, {{name: ada_gvae, k_rule: uniform}}]
  latents: [9, 25]
  beta: [0.001, 0.01]
"""
)
AUGMENTED_LOSS = (
    HEAD
    + """
grid:
  reconstruction: [mse, {{name: mse_boxblur, radius: 31, weight: 3969}}]
  framework: [beta_vae, {{name: ada_gvae, k_rule: uniform}}]
  seed: [0, 1, 2]
"""
)
LEARNING = """
study: {study}
report: michlo2023
trial:
  dataset: dsprites_rendered
  framework: {{name: annealed_vae, capacity_nats: 20, anneal_steps: 100}}
  model: conv64
  latents: 7
  reconstruction: bernoulli
  batch_size: 4
  steps: 100
grid: {{seed: [0, 1, 2, 3]}}
"""
MEASURED = """
study: {study}
report: michlo2023
measurement: {{dataset: xysquares}}
grid:
  dataset: [xysquares, {{name: xysquares, spacing: 1}}, dsprites_rendered]
"""
GRIDS = {
    "overlap": OVERLAP,
    "adversarial": ADVERSARIAL,
    "augmented_loss": AUGMENTED_LOSS,
    "learning": LEARNING,
    "measured": MEASURED,
}


class Maker:
    """Grids, and the rows that their trials might have left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def grid(self, name: str, study: str | None = None, more: str = "") -> Grid:
        """One of GRIDS under the name of its study; `more` is laid below it."""
        study = study or name
        path = self.folder / f"{study}.yaml"
        path.write_text(GRIDS[name].format(study=study) + more)
        return load_grid(path)

    def studies(
        self,
        *grids: Grid,
        status: Callable[[Trial], str] = lambda trial: "completed",
        value: ValueOf = lambda trial, score, step: 0.5,
        curves: list[Row] | None = None,
        distances: list[Row] | None = None,
    ) -> Studies:
        """`value` gives each score of a trial at a step; only what completed has a final one."""
        trials, scores, attempts = [], [], []
        for grid in grids:
            for trial in grid.trials:
                if not isinstance(trial, Trial):
                    continue
                state = status(trial)
                trials.append(trial_row(grid.study, trial, state))
                attempts.append(attempt_row(grid.study, trial, state))
                if state != "waiting":
                    scores += score_rows(trial, state, value)
        return Studies(
            grids=grids,
            folders=tuple(StudyFolder(self.folder / grid.study) for grid in grids),
            trials=frame(TRIALS, trials),
            scores=frame(SCORES, scores),
            curves=frame(CURVES, curves or []),
            attempts=frame(ATTEMPTS, [row for row in attempts if row]),
            distances=frame(DISTANCES, distances or []),
            own_scores=("mig", "dci_disentanglement"),
        )


def frame(schema: pa.Schema, rows: list[Row]) -> pd.DataFrame:
    found: pd.DataFrame = pa.Table.from_pylist(rows, schema).to_pandas()
    return found


def trial_row(study: str, trial: Trial, status: str) -> Row:
    row = {"study": study, "trial_id": trial.trial_id, **trial.columns(), "status": status}
    if status == "completed":
        row |= {"gpu_hours": 2.0, "cpu_hours": 1.0, "device": "made-up", "attempt_id": "1"}
    return row


def attempt_row(study: str, trial: Trial, status: str) -> Row:
    """Completed attempts led to the row; those of trials that wait were lost, an hour each."""
    return {
        "attempt_id": "1",
        "study": study,
        "trial_id": trial.trial_id,
        "kind": "trial",
        "gpu_share": 1.0,
        "cpus": 1.0,
        "start_step": 0,
        "steps_done": 100,
        "wall_seconds": 3600.0,
        "outcome": "completed" if status == "completed" else "lost",
    }


def score_rows(trial: Trial, status: str, value: ValueOf) -> list[Row]:
    return [
        {
            "trial_id": trial.trial_id,
            "step": step,
            "representation": "mean",
            "metric": metric,
            "metric_version": 1,
            "score": score,
            "value": value(trial, score, step),
            "size": "fast" if step < trial.steps else "full",
            "seed": 0,
        }
        for step in ((50, trial.steps) if status == "completed" else (50,))
        for metric, score in (("mig", "mig"), ("dci", "dci_disentanglement"))
    ]


def distance_rows(measurement: Measurement, means: Mapping[str, float]) -> list[Row]:
    """Distances that grow with the steps, to the given mean over pairs; equal ones where spacing
    is 8, as it is with squares."""
    dataset = measurement.dataset
    equal = getattr(dataset, "spacing", None) == 8
    columns = {k: v for k, v in measurement.columns().items() if k in DISTANCES.names}
    rows = []
    for factor, size in [
        *zip(dataset.factor_names, dataset.factor_sizes, strict=True),
        ("random", 0),
    ]:
        mean = means.get(factor, 0.01)
        steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
        matrix = (steps > 0).astype(float) if equal else steps
        pairs = matrix[np.triu_indices(size, 1)] if size else np.arange(1.0, 100.0)
        scale = mean / pairs.mean()
        rows.append(
            columns
            | {
                "trial_id": measurement.trial_id,
                "factor": factor,
                "positions": size,
                "pairs": 50_000,
                "distance_mean": mean,
                "distance_sd": float(scale * pairs.std()),
                "distance_quantiles": (scale * np.quantile(pairs, np.linspace(0, 1, 201))).tolist(),
                "distance_matrix": (scale * matrix).tolist() if size else None,
            }
        )
    return rows


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    return Maker(tmp_path)
