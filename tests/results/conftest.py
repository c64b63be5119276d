"""Builders of studies on disk: a trial's row, and a study with finished trials."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.ledger import Attempt, new_attempt_id
from results.store import StudyFolder, trial_record_name

Row = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path / "out" / "study")


@pytest.fixture
def trial_row() -> Callable[..., Row]:
    def build(trial_id: str, attempt_id: str, status: str = "completed", **more: Any) -> Row:
        return {
            "study": "study",
            "trial_id": trial_id,
            "beta": 1e-3,
            "seed": 3,
            "status": status,
            "steps_done": 100,
            "final_loss": 0.1,
            "final_kl_nats_by_latent": [0.25, 1 / 3],
            "attempt_id": attempt_id,
            "finished_at": dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC),
            **more,
        }

    return build


class Finisher:
    """Runs a trial as a worker does: attempt, curve, row, close; then its score."""

    def __init__(self, trial_row: Callable[..., Row]) -> None:
        self.trial_row = trial_row

    def __call__(
        self, folder: StudyFolder, trial_id: str, *, status: str = "completed", reports: int = 3
    ) -> str:
        attempt = Attempt.open(
            folder,
            "trial",
            [trial_id],
            attempt_id=new_attempt_id(folder.epoch or 0),
            node="node",
            device="cpu",
            gpu_share=0.0,
            cpus=1.0,
        )
        curve = [
            {"trial_id": trial_id, "step": 10 * step, "loss": 1 / (1 + step)}
            for step in range(reports)
        ]
        folder.write_record("curves", trial_id, curve, durable=False)
        name = trial_record_name(trial_id, status, attempt.attempt_id)
        row = self.trial_row(trial_id, attempt.attempt_id, status)
        folder.write_record("trials", name, [row], durable=False)
        attempt.close(status, 100)
        if status == "completed":
            self.score(folder, trial_id)
        return attempt.attempt_id

    def score(self, folder: StudyFolder, trial_id: str) -> str:
        attempt = Attempt.open(
            folder,
            "score",
            [trial_id],
            attempt_id=new_attempt_id(folder.epoch or 0),
            node="node",
            device="cpu",
            gpu_share=0.0,
            cpus=1.0,
        )
        row = {
            "trial_id": trial_id,
            "step": 100,
            "representation": "mean",
            "metric": "mig",
            "metric_version": 1,
            "score": "mig",
            "value": 0.5,
            "size": "full",
            "seed": 0,
            "attempt_id": attempt.attempt_id,
        }
        folder.write_record("scores", attempt.attempt_id, [row], durable=False)
        attempt.close("completed", 0)
        return attempt.attempt_id


@pytest.fixture
def finish(trial_row: Callable[..., Row]) -> Finisher:
    return Finisher(trial_row)
