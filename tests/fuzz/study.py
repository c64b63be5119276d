"""A small study on disk with a file of every kind, made without training anything."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch

from grids.load import load_grid
from orchestrator import checkpoints, manifest
from results import lease
from results.ledger import Attempt, new_attempt_id
from results.store import PICTURES, StudyFolder, trial_record_name
from results.tables import Tables

GRID = """
study: small
trial:
  dataset: {name: xysquares, grid_size: 2, spacing: 16}
  model: conv64
  latents: 2
  framework: beta_vae
  beta: 1e-3
  steps: 20
grid: {seed: [0, 1, 2]}
evaluate: {metrics: [mig], final: fast}
"""
STEPS = 20


RECORDED = ("_rows/", "attempts/")
"""Where a file is opened only until its rows are in a published table."""


def make_study(out: Path, text: str = GRID, *, published: bool = True) -> StudyFolder:
    """`<out>/small`: a trial that completed and one that runs, in records and in tables."""
    grid_file = out / "grid.yaml"
    out.mkdir(parents=True, exist_ok=True)
    grid_file.write_text(text)
    grid = load_grid(grid_file)
    held = lease.acquire(StudyFolder(out / grid.study))
    folder = held.folder
    manifest.write(folder, grid, {}, "made up")
    first, second, _ = grid.trials
    opened = _attempt(folder, first.trial_id)
    _curve(folder, first.trial_id)
    row = {
        "study": grid.study,
        "trial_id": first.trial_id,
        **first.columns(),
        "status": "completed",
        "steps_done": STEPS,
        "final_kl_nats_by_latent": [1.0, 0.5],
        "attempt_id": opened.attempt_id,
        "finished_at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    }
    name = trial_record_name(first.trial_id, "completed", opened.attempt_id)
    folder.write_record("trials", name, [row], durable=False)
    folder.write_record("scores", opened.attempt_id, [_score(first.trial_id)], durable=False)
    opened.close("completed", STEPS)
    _attempt(folder, second.trial_id)
    _curve(folder, second.trial_id)
    folder.write(folder.log(first.trial_id), b"it began\n", durable=False)
    folder.write(folder.artifacts(first.trial_id) / PICTURES, pictures(), durable=False)
    folder.write(folder.weights(first.trial_id), saved({"w": torch.ones(2)}), durable=False)
    state = {"training": {"w": torch.ones(2)}, "curves": []}
    checkpoints.save(folder, second.trial_id, opened.attempt_id, 10, state)
    if published:
        tables = Tables(folder)
        tables.refresh()
        tables.publish(everything=True)
    held.release()
    grid_file.unlink()
    return StudyFolder(folder.root)


def pictures() -> bytes:
    pixels = np.zeros((8, 3, 8, 8), np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        originals=pixels,
        reconstructions=pixels,
        traversals=np.zeros((2, 7, 3, 8, 8), np.uint8),
    )
    return buffer.getvalue()


def saved(state: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def _attempt(folder: StudyFolder, trial_id: str) -> Attempt:
    opened = Attempt.open(
        folder,
        "trial",
        [trial_id],
        attempt_id=new_attempt_id(folder.epoch or 0),
        node="node",
        device="cpu: made up",
        gpu_share=0.0,
        cpus=1.0,
    )
    opened.beat(10, now=True)
    return opened


def _curve(folder: StudyFolder, trial_id: str) -> None:
    row = {
        "trial_id": trial_id,
        "step": 10,
        "loss": 2.0,
        "reconstruction_per_image": 1.0,
        "kl_nats": 1.0,
        "kl_nats_by_latent": [0.5, 0.5],
    }
    folder.write_record("curves", trial_id, [row, {**row, "step": 20}], durable=False)


def _score(trial_id: str) -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "step": STEPS,
        "representation": "mean",
        "metric": "mig",
        "metric_version": 1,
        "score": "mig",
        "value": 0.5,
        "size": "fast",
        "seed": 0,
        "attempt_id": "000001-00",
    }
