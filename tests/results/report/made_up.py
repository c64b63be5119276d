"""Studies whose scores are made up, on disk as a run leaves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from grids.load import Grid, load_grid
from grids.trial import Trial
from metrics.registry import METRICS
from orchestrator.work import representations
from results.report.studies import Studies, read_studies
from results.schema import SCHEMAS
from results.store import StudyFolder

Scores = Callable[[Trial, int], Mapping[str, float]]
"""The scores of a trial at a step."""


def made_up_study(
    root: Path,
    text: str,
    scores: Scores,
    *,
    steps: Callable[[Trial], Iterable[int]] = lambda trial: (trial.steps,),
    finished: Callable[[Trial], bool] = lambda trial: True,
    **columns: Callable[[Trial], Any],
) -> Path:
    """The study of a grid file's text; `columns` are further ones of the trials."""
    root.mkdir(parents=True)
    folder = StudyFolder(root)
    folder.study_yaml.write_text(text)
    grid = load_grid(folder.study_yaml)
    trials = [trial for trial in grid.trials if isinstance(trial, Trial) and finished(trial)]
    attempt = {"attempt_id": "1-a"}
    trial_rows = [
        {
            "study": grid.study,
            "trial_id": trial.trial_id,
            **trial.columns(),
            "status": "completed",
            "steps_done": trial.steps,
            "cpu_hours": 0.5,
            **attempt,
            **{name: value(trial) for name, value in columns.items()},
        }
        for trial in trials
    ]
    score_rows = [
        {
            "trial_id": trial.trial_id,
            "step": step,
            "representation": _representation(score, grid),
            "metric": score,
            "metric_version": 1,
            "score": score,
            "value": value,
            "size": "full",
            "seed": 0,
            **attempt,
        }
        for trial in trials
        for step in steps(trial)
        for score, value in scores(trial, step).items()
    ]
    for name, rows in (("trials", trial_rows), ("scores", score_rows)):
        pq.write_table(pa.Table.from_pylist(rows, SCHEMAS[name]), folder.table(name))
    return root


def _representation(score: str, grid: Grid) -> str:
    """As it is stored; of a metric with scores of other names, that of codes."""
    return representations(score, grid.evaluate)[0] if score in METRICS else "mean"


def write_pictures(root: Path, trial: Trial, factors: int, **more: np.ndarray[Any, Any]) -> None:
    """The arrays that a trial leaves: grey pictures, and ratios of latents that follow factors."""
    folder = StudyFolder(root).artifacts(trial.trial_id)
    folder.mkdir(parents=True)
    shape = trial.dataset.image_shape
    rng = np.random.default_rng(0)
    np.savez(
        folder / "pictures.npz",
        originals=rng.integers(0, 255, (8, *shape), dtype=np.uint8),
        reconstructions=rng.integers(0, 255, (8, *shape), dtype=np.uint8),
        traversals=rng.integers(0, 255, (trial.latents, 7, *shape), dtype=np.uint8),
    )
    ratios = 1 - np.eye(factors, trial.latents) * 0.9
    np.savez(folder / "latents.npz", variance_ratios=ratios, **more)


def read(*roots: Path, own: Mapping[str, str] | None = None) -> Studies:
    """`own` has the names of the scores that are their metrics' own values, where they differ."""

    class Own(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return (own or {}).get(name, name)

    return read_studies(roots, Own())
