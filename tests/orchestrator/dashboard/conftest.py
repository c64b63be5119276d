"""A study of five trials, one in each state, as a run that goes on leaves it; and asking for it."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from grids.load import Grid
from orchestrator import manifest
from orchestrator.dashboard.app import make_app
from results import lease
from results.ledger import Attempt, new_attempt_id
from results.store import StudyFolder, trial_record_name

NASTY = "Traceback:\n  <script>document.title = 'owned'</script> & 'more'\nValueError: <b>no</b>"
STEPS = 60


@dataclasses.dataclass
class Five:
    """The trials by state; `folder` has the epoch of the lease, which is held."""

    grid: Grid
    folder: StudyFolder
    held: lease.Lease

    @property
    def ids(self) -> dict[str, str]:
        states = ("completed", "diverged", "failed", "running", "waiting")
        return dict(zip(states, (t.trial_id for t in self.grid.trials), strict=True))

    def open(self, trial_id: str, *, steps_done: int = 0, kind: str = "trial") -> Attempt:
        """Ten seconds of training a step on one CPU."""
        seconds = 0.0
        opened = Attempt.open(
            self.folder,
            kind,
            [trial_id],
            attempt_id=new_attempt_id(self.folder.epoch or 0),
            node="node",
            device="cpu: made up",
            gpu_share=0.0,
            cpus=1.0,
            clock=lambda: seconds,
        )
        with opened.stage("train" if kind == "trial" else "score"):
            seconds += 10.0 * steps_done
        opened.beat(steps_done, now=True)
        return opened

    def curve(self, trial_id: str, reports: int, *, diverged: bool = False) -> None:
        rows: list[dict[str, Any]] = [
            {
                "trial_id": trial_id,
                "step": 10 * (at + 1),
                "loss": 100.0 / (at + 1),
                "reconstruction_per_image": 90.0 / (at + 1),
                "kl_nats": 2.0 + at,
                "kl_nats_by_latent": [1.5, 0.5 + at],
            }
            for at in range(reports)
        ]
        if diverged:  # the report that says so is written, too
            rows[-1] |= {
                "loss": float("nan"),
                "reconstruction_per_image": float("inf"),
                "kl_nats_by_latent": [1.5, float("nan")],
            }
        self.folder.write_record("curves", trial_id, rows, durable=False)

    def end(self, trial_id: str, outcome: str, error: str | None = None) -> None:
        opened = self.open(trial_id, steps_done=STEPS)
        self.curve(trial_id, 6, diverged=outcome == "diverged")
        [trial] = [t for t in self.grid.trials if t.trial_id == trial_id]
        row = {
            "study": self.grid.study,
            "trial_id": trial_id,
            **trial.columns(),
            "status": outcome,
            "error": error,
            "steps_done": STEPS,
            "attempt_id": opened.attempt_id,
            "finished_at": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        }
        name = trial_record_name(trial_id, outcome, opened.attempt_id)
        self.folder.write_record("trials", name, [row], durable=False)
        opened.close(outcome, STEPS, error)

    def score(
        self, trial_id: str, step: int, value: float, size: str = "full", **more: Any
    ) -> None:
        opened = self.open(trial_id, kind="score")
        row = {
            "trial_id": trial_id,
            "step": step,
            "representation": "mean",
            "metric": "mig",
            "metric_version": 1,
            "score": "mig",
            "value": value,
            "size": size,
            "seed": 0,
            "attempt_id": opened.attempt_id,
        }
        self.folder.write_record("scores", opened.attempt_id, [row], durable=False)
        opened.close("completed", 0)


@pytest.fixture
def five(tiny_grid: Any, tmp_path: Path) -> Iterator[Five]:
    full = ("final: fast", "final: full")
    grid = tiny_grid("five", steps=STEPS, seeds=[0, 1, 2, 3, 4], every=20, replace=full)
    held = lease.acquire(StudyFolder(tmp_path / "out" / grid.study))
    study = Five(grid, held.folder, held)
    manifest.write(held.folder, grid, {}, "made up")
    ids = study.ids
    study.end(ids["completed"], "completed")
    study.score(ids["completed"], 20, 0.125, "fast")
    study.score(ids["completed"], STEPS, 0.5)
    study.end(ids["diverged"], "diverged")
    study.end(ids["failed"], "failed", NASTY)
    study.open(ids["running"], steps_done=30)
    study.curve(ids["running"], 3)
    log = study.folder.log(ids["running"])
    log.parent.mkdir()
    log.write_text("2026-01-01 began\n2026-01-01 <script>alert(1)</script>\n")
    yield study
    held.release()


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


Ask = Callable[..., list[Answer]]


@pytest.fixture
def ask() -> Ask:
    """ask(root, "/", "/metrics", headers={}) in one process of the dashboard; its answers."""

    async def get(root: Path, paths: tuple[str, ...], options: dict[str, Any]) -> list[Answer]:
        host, method = options.pop("host", "127.0.0.1"), options.pop("method", "GET")
        answers = []
        async with TestClient(TestServer(make_app(root, host))) as client:
            for path in paths:
                response = await client.request(method, path, allow_redirects=False, **options)
                text = await response.text()
                answers.append(Answer(response.status, dict(response.headers), text))
        return answers

    return lambda root, *paths, **options: asyncio.run(get(root, paths, options))
