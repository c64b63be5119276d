"""Studies that were never run: grids of the real loader, with made-up rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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

    def grid(
        self,
        name: str,
        *,
        study: str = "",
        source: str = "made up",
        replace: tuple[str, ...] = (),
        **fields: int,
    ) -> Grid:
        """One of GRIDS under the name of its study; `fields` are numbers of its `trial`, `replace`
        has what stands there and what is to, in turn."""
        study = study or name
        text = GRIDS[name].format(study=study).replace("report:", f'source: "{source}"\nreport:')
        for old, new in zip(replace[::2], replace[1::2], strict=True):
            text = text.replace(old, new)
        for field, value in fields.items():
            text = re.sub(rf"^  {field}: \d+$", f"  {field}: {value}", text, flags=re.MULTILINE)
        path = self.folder / f"{study}.yaml"
        path.write_text(text)
        return load_grid(path)

    def studies(
        self,
        *grids: Grid,
        status: Callable[[Trial], str] = lambda trial: "completed",
        value: ValueOf = lambda trial, score, step: 0.5,
        curves: Sequence[Row] = (),
        distances: Sequence[Row] = (),
        scores: pd.DataFrame | None = None,
        own: tuple[str, ...] = ("mig", "dci_disentanglement"),
    ) -> Studies:
        """`value` gives each score of a trial at a step; only what completed has a final one."""
        shared = {
            trial.trial_id: (grid.study, trial, status(trial))
            for grid in grids
            for trial in grid.trials
            if isinstance(trial, Trial)
        }
        of = list(shared.values())
        scored = [row for _, trial, state in of for row in score_rows(trial, state, value)]
        return Studies(
            grids=grids,
            folders=tuple(StudyFolder(self.folder / grid.study) for grid in grids),
            trials=frame(TRIALS, [trial_row(*row) for row in of]),
            scores=frame(SCORES, scored) if scores is None else scores,
            curves=frame(CURVES, curves),
            attempts=frame(ATTEMPTS, [attempt_row(*row) for row in of]),
            distances=frame(DISTANCES, distances),
            own_scores=own,
        )

    def measured(
        self,
        *,
        loss: str = "mse",
        seeds: Sequence[int] = (777,),
        equal_at: int = 8,
        **means: Mapping[str, float],
    ) -> Studies:
        """`means` has the mean distances of a dataset's factors; all positions of squares are
        equally far from each other at one spacing by mse."""
        more = f"  reconstruction: [{loss}]\n  seed: {list(seeds)}\n"
        grid = self.grid("measured", replace=("grid:\n", f"grid:\n{more}"))
        return self.studies(grid, distances=rows_of(grid, means, equal_at=equal_at))

    def learnt(self, starts: Mapping[str, float], *more: Grid, **rows: Any) -> Studies:
        """A latent a factor, which grows by half a nat with each nat of capacity from its start."""
        grid = self.grid("learning")
        curves: list[Row] = []
        for trial in grid.trials:
            names = trial.dataset.factor_names
            ratios = np.ones((len(names), 7))
            np.fill_diagonal(ratios, 0.1)
            folder = StudyFolder(self.folder / grid.study).artifacts(trial.trial_id)
            folder.mkdir(parents=True, exist_ok=True)
            np.savez(folder / "latents.npz", variance_ratios=ratios)
            for capacity in range(1, 21):
                kl = [max(0.0, (capacity - starts[name]) / 2) for name in names] + [0.0, 0.0]
                curves.append(
                    {
                        "trial_id": trial.trial_id,
                        "step": 5 * capacity,
                        "capacity_nats": float(capacity),
                        "kl_nats_by_latent": kl,
                    }
                )
        return self.studies(grid, *more, curves=curves, **rows)

    def everything(self) -> Studies:
        measured = self.grid("measured")
        return self.learnt(
            {"x": 1.0, "y": 2.0, "scale": 4.0, "shape": 6.0, "orientation": 8.0},
            *(self.grid(name) for name in ("overlap", "adversarial", "augmented_loss")),
            measured,
            distances=rows_of(measured, {}),
        )


def frame(schema: pa.Schema, rows: Sequence[Row]) -> pd.DataFrame:
    found: pd.DataFrame = pa.Table.from_pylist(list(rows), schema).to_pandas()
    return found


def trial_row(study: str, trial: Trial, status: str) -> Row:
    row = {"study": study, "trial_id": trial.trial_id, **trial.columns(), "status": status}
    if status == "completed":
        row |= {"gpu_hours": 2.0, "cpu_hours": 1.0, "device": "made-up", "attempt_id": "1"}
    return row


def attempt_row(study: str, trial: Trial, status: str) -> Row:
    """Of an hour each: completed ones led to the row, those of trials that wait were lost."""
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
        "outcome": {"completed": "completed", "running": "running"}.get(status, "lost"),
    }


def score_rows(trial: Trial, status: str, value: ValueOf) -> list[Row]:
    steps = {"completed": (50, trial.steps), "waiting": ()}.get(status, (50,))
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
        for step in steps
        for metric, score in (("mig", "mig"), ("dci", "dci_disentanglement"))
    ]


def rows_of(
    grid: Grid, means: Mapping[str, Mapping[str, float]], *, equal_at: int = 8
) -> list[Row]:
    return [
        row
        for measurement in grid.trials
        if isinstance(measurement, Measurement)
        for row in distance_rows(
            measurement, means.get(measurement.dataset.name, {}), equal_at=equal_at
        )
    ]


def distance_rows(
    measurement: Measurement, means: Mapping[str, float], *, equal_at: int = 8
) -> list[Row]:
    """Distances that grow with the steps, scaled to the given means of pairs."""
    dataset = measurement.dataset
    by_mse = measurement.reconstruction.name == "mse"
    equal = by_mse and getattr(dataset, "spacing", None) == equal_at
    columns = {k: v for k, v in measurement.columns().items() if k in DISTANCES.names}
    sizes = dict(zip(dataset.factor_names, dataset.factor_sizes, strict=True))
    rows = []
    for factor, size in {**sizes, "random": 0}.items():
        mean = means.get(factor, 0.03 if factor == "random" else 0.01)
        steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
        matrix = (steps > 0).astype(float) if equal else steps
        pairs = matrix[np.triu_indices(size, 1)]
        if factor == "random":  # of three squares, nearly always all move
            pairs = np.repeat([1.0, 2.0, 3.0], [1, 10, 189]) if equal else np.arange(1.0, 100.0)
        scale = mean / pairs.mean()
        quantiles = np.quantile(scale * pairs, np.linspace(0, 1, 201))
        rows.append(
            columns
            | {
                "trial_id": measurement.trial_id,
                "factor": factor,
                "positions": size,
                "pairs": 50_000,
                "distance_mean": mean,
                "distance_sd": float(scale * pairs.std()),
                "distance_quantiles": quantiles.tolist(),
                "distance_matrix": (scale * matrix).tolist() if size else None,
            }
        )
    return rows


@pytest.fixture
def made(tmp_path: Path) -> Maker:
    return Maker(tmp_path)
