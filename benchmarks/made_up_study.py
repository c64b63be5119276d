"""A study of Locatello's as a run leaves it halfway: its tables made up, nothing trained.

Every state that a trial can have is there; which trial has which follows from a seed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from grids.load import load_grid
from grids.measurement import Measurement
from grids.trial import Trial
from metrics import METRICS
from orchestrator import manifest
from results import lease, publishing
from results.ledger import Attempt, new_attempt_id
from results.schema import SCHEMAS
from results.store import StudyFolder

# 7 datasets x 6 methods x 6 values x 50 seeds = 12,600.
GRID = """
study: unsupervised-sized
trial:
  model: conv_locatello
  latents: 10
  reconstruction: bernoulli
  optimizer: {{name: adam, lr: 1e-4}}
  steps: 300000
  batch_size: 64
cases:
  - {{framework: beta_vae, beta_convention: sum, grid: {{beta: [1, 2, 4, 6, 8, 16]}}}}
  - {{framework: annealed_vae, grid: {{framework.capacity_nats: [5, 10, 25, 50, 75, 100]}}}}
  - {{framework: factor_vae, grid: {{framework.gamma: [10, 20, 30, 40, 50, 100]}}}}
  - {{framework: dip_vae_i, grid: {{framework.lambda_od: [1, 2, 5, 10, 20, 50]}}}}
  - {{framework: dip_vae_ii, grid: {{framework.lambda_od: [1, 2, 5, 10, 20, 50]}}}}
  - {{framework: beta_tc_vae, beta_convention: sum, grid: {{beta: [1, 2, 4, 6, 8, 10]}}}}
grid:
  dataset: [dsprites, color_dsprites, noisy_dsprites, scream_dsprites, smallnorb, cars3d, shapes3d]
  seed: {seeds}
evaluate:
  metrics: [beta_vae, factor_vae, mig, dci, modularity, sap, unsupervised]
  every: {{mig: 100000}}
  during: fast
  final: full
"""
SHARES = {"completed": 0.7, "diverged": 0.01, "failed": 0.02, "waiting": 0.27}
ERRORS = [
    f"Traceback (most recent call last):\n  …\n{line}"
    for line in (
        "torch.OutOfMemoryError: CUDA out of memory",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
        "OSError: [Errno 5] Input/output error: 'data/shapes3d.npy'",
    )
]
STARTED = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
TRAIN_SECONDS, SCORE_SECONDS = 5400.0, 40.0
REPORT_STEPS, MIG_STEPS = 5_000, 100_000
Row = dict[str, Any]


def make_up(out: Path, *, seeds: int = 50, running: int = 64) -> lease.Lease:
    """Writes the study of 252 trials a seed below `out`; the lease is held, as by a run."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "grid.yaml"
    path.write_text(GRID.format(seeds=list(range(seeds))))
    grid = load_grid(path)
    held = lease.acquire(StudyFolder(out / grid.study))
    manifest.write(held.folder, grid, {}, "made up")
    draw = np.random.default_rng(0)
    outcomes = draw.choice(list(SHARES), len(grid.trials), p=list(SHARES.values())).tolist()
    trials = list(zip(grid.trials, outcomes, strict=True))
    ended = [(trial, outcome) for trial, outcome in trials if outcome != "waiting"]
    finished = [(trial, outcome) for trial, outcome in ended if outcome == "completed"]
    _publish(held.folder, "trials", [_row(*trial, draw) for trial in ended])
    _publish(held.folder, "attempts", [row for t in ended for row in _attempts(*t, draw)])
    _publish(held.folder, "scores", [row for trial, _ in finished for row in _scores(trial, draw)])
    _publish(held.folder, "curves", [row for trial, _ in finished for row in _curve(trial, 60)])
    waiting = (trial for trial, outcome in trials if outcome == "waiting")
    for trial in islice(waiting, None, None, max(outcomes.count("waiting") // running, 1)):
        start(held.folder, trial, reports=int(draw.integers(1, 60)))
    return held


def start(folder: StudyFolder, trial: Trial | Measurement, *, reports: int) -> Attempt:
    """An open attempt at the trial, so many of its 60 reports on."""
    opened = Attempt.open(
        folder,
        "trial",
        [trial.trial_id],
        attempt_id=new_attempt_id(folder.epoch or 0),
        node="node-3",
        device="cuda: NVIDIA H200",
        gpu_share=0.25,
        cpus=2.0,
    )
    folder.write_record("curves", trial.trial_id, _curve(trial, reports), durable=False)
    opened._seconds["train"] = TRAIN_SECONDS * reports / 60
    opened.beat(reports * REPORT_STEPS, now=True)
    return opened


def _publish(folder: StudyFolder, table: str, rows: list[Row]) -> None:
    path = folder.table(table)
    with folder.replacing(path, durable=False) as temporary:
        publishing.rewrite(path, temporary, pa.Table.from_pylist(rows, SCHEMAS[table]))


def _attempt_id(trial: Trial | Measurement, kind: str) -> str:
    return f"000001-{trial.trial_id}-{kind}"


def _row(trial: Trial | Measurement, outcome: str, draw: np.random.Generator) -> Row:
    return {
        "study": "unsupervised-sized",
        "trial_id": trial.trial_id,
        **trial.columns(),
        "status": outcome,
        "error": str(draw.choice(ERRORS)) if outcome == "failed" else None,
        "steps_done": trial.steps,
        "attempt_id": _attempt_id(trial, "trial"),
        "finished_at": STARTED + dt.timedelta(seconds=TRAIN_SECONDS),
    }


def _attempts(trial: Trial | Measurement, outcome: str, draw: np.random.Generator) -> Iterator[Row]:
    for kind in ("trial", "score") if outcome == "completed" else ("trial",):
        stage, seconds = ("train", TRAIN_SECONDS) if kind == "trial" else ("score", SCORE_SECONDS)
        seconds *= float(draw.uniform(0.8, 1.2))
        yield {
            "attempt_id": _attempt_id(trial, kind),
            "study": "unsupervised-sized",
            "trial_id": trial.trial_id,
            "kind": kind,
            "epoch": 1,
            "share": 1.0,
            "node": f"node-{draw.integers(8)}",
            "device": "cuda: NVIDIA H200" if kind == "trial" else "cpu",
            "gpu_share": 0.25 if kind == "trial" else 0.0,
            "cpus": 2.0,
            "started_at": STARTED,
            "ended_at": STARTED + dt.timedelta(seconds=seconds),
            "start_step": 0,
            "steps_done": trial.steps if kind == "trial" else 0,
            f"{stage}_seconds": seconds,
            "wall_seconds": seconds * 1.02,
            "outcome": outcome if kind == "trial" else "completed",
            "lower_bound": False,
            "error": None,
        }


def _scores(trial: Trial | Measurement, draw: np.random.Generator) -> Iterator[Row]:
    found = [(step, "mig", "fast") for step in range(MIG_STEPS, trial.steps, MIG_STEPS)]
    found += [
        (trial.steps, name, "full")
        for name in ("beta_vae", "factor_vae", "mig", "dci", "modularity", "sap", "unsupervised")
    ]
    # So that a picture of them has something to see: the method and its strength matter.
    of_method = sum(map(ord, trial.to_dict()["framework"]["name"])) % 10 / 25
    for step, metric, size in found:
        for score in METRICS[metric].scores:
            yield {
                "trial_id": trial.trial_id,
                "step": step,
                "representation": "mean",
                "metric": metric,
                "metric_version": METRICS[metric].version,
                "score": score,
                "value": float(np.clip(of_method + 0.2 * step / 3e5 + draw.normal(0, 0.08), 0, 1)),
                "size": size,
                "seed": 0,
                "seconds": 1.0,
                "attempt_id": _attempt_id(trial, "score"),
            }


def _curve(trial: Trial | Measurement, reports: int) -> list[Row]:
    step = np.arange(1, reports + 1) * REPORT_STEPS
    fall = np.exp(-step / 4e4)
    noise = np.random.default_rng(trial.seed).normal(0, 1.5, (2, reports))
    reconstruction, kl = 40 + 500 * fall + noise[0], 18 * (1 - fall) + noise[1] / 10
    rows = zip(step.tolist(), reconstruction.tolist(), kl.tolist(), strict=True)
    return [
        {
            "trial_id": trial.trial_id,
            "step": at,
            "loss": image + nats,
            "reconstruction_per_image": image,
            "kl_nats": nats,
            "kl_nats_by_latent": [max(0.0, nats * share) for share in (0.4, 0.3, 0.2, 0.1)],
        }
        for at, image, nats in rows
    ]
