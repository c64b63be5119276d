"""`latentgrid report` of a made-up study of Locatello's size, all scores there: seconds, memory.

python -m benchmarks.report [GRID]

Scores are drawn: an effect of the method, one of its parameter, and the seed's.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from grids.load import Grid, load_grid
from metrics import METRICS
from orchestrator import machine
from orchestrator.report import make_report
from orchestrator.work import representations
from results.schema import CURVES, SCHEMAS

GRID = "grids/locatello2019/unsupervised.yaml"
REPORTS = 60


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else GRID)
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        made_up(load_grid(path), study)
        started = time.perf_counter(), time.process_time()
        page = make_report([study], Path(folder) / "report")
        wall_s, cpu_s = time.perf_counter() - started[0], time.process_time() - started[1]
        size = sum(file.stat().st_size for file in page.parent.rglob("*")) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{wall_s:.1f} s ({cpu_s:.1f} s of CPU), {peak:,.0f} MiB, report of {size:.0f} MiB")


def made_up(grid: Grid, study: Path) -> None:
    """A finished study of this grid, with scores that were drawn."""
    study.mkdir()
    (study / "study.yaml").write_text(grid.text)
    rng = np.random.default_rng(0)
    trials = [trial for trial in grid.trials]
    rows = [
        {
            "study": grid.study,
            "trial_id": trial.trial_id,
            **trial.columns(),
            "status": "completed",
            "steps_done": trial.steps,
            "train_seconds": 7200.0,
            "gpu_hours": 2.0 + rng.normal(0, 0.1),
            "cpu_hours": 2.0,
            "device": "made up",
            "attempt_id": trial.trial_id,
        }
        for trial in trials
    ]
    write(study, "trials", pa.Table.from_pylist(rows, SCHEMAS["trials"]))
    write(study, "scores", scores_of(grid, rows, rng))
    write(study, "curves", curves_of(rows, rng))
    write(
        study,
        "attempts",
        pa.Table.from_pylist([attempt_of(row) for row in rows], SCHEMAS["attempts"]),
    )


def write(study: Path, table: str, rows: pa.Table) -> None:
    pq.write_table(rows, study / f"{table}.parquet")


def attempt_of(row: dict) -> dict:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return {
        "attempt_id": row["attempt_id"],
        "study": row["study"],
        "trial_id": row["trial_id"],
        "kind": "trial",
        "share": 1.0,
        "epoch": 1,
        "node": "node",
        "device": "made up",
        "gpu_share": 1.0,
        "cpus": 1.0,
        "started_at": now,
        "ended_at": now + dt.timedelta(hours=2),
        "start_step": 0,
        "steps_done": row["steps_done"],
        "wall_seconds": 7200.0,
        "train_seconds": 7000.0,
        "prepare_seconds": 10.0,
        "encode_seconds": 100.0,
        "score_seconds": 0.0,
        "measure_seconds": 90.0,
        "allocated_gpu_seconds": 7200.0,
        "useful_gpu_seconds": 7200.0,
        "cpu_seconds": 7200.0,
        "outcome": "completed",
        "lower_bound": False,
    }


def scores_of(grid: Grid, rows: list[dict], rng: np.random.Generator) -> pa.Table:
    kinds = [
        (metric, score, representation)
        for metric in grid.evaluate.metrics
        for representation in representations(metric, grid.evaluate)
        for score in METRICS[metric].scores
    ]
    method = np.unique([str(row["framework"]) for row in rows], return_inverse=True)[1]
    setting = np.unique(
        [
            str(
                (
                    row["dataset"],
                    row["framework"],
                    row["beta"],
                    row.get("framework.gamma"),
                    row.get("framework.lambda_od"),
                    row.get("framework.capacity_nats"),
                )
            )
            for row in rows
        ],
        return_inverse=True,
    )[1]
    common = rng.normal(size=len(rows))
    parts = []
    ids = pa.array([row["trial_id"] for row in rows])
    steps = pa.array([row["steps"] for row in rows])
    for metric, score, representation in kinds:
        value = 0.5 * (
            rng.normal(size=method.max() + 1)[method]
            + rng.normal(size=setting.max() + 1)[setting]
            + common
            + rng.normal(size=len(rows))
        )
        value = 1 / (1 + np.exp(-value))
        count = len(rows)
        columns = {
            "trial_id": ids,
            "step": steps,
            "representation": [representation] * count,
            "metric": [metric] * count,
            "metric_version": [1] * count,
            "score": [score] * count,
            "value": value,
            "size": ["full"] * count,
            "seed": [0] * count,
            "attempt_id": ids,
        }
        parts.append(
            pa.table(
                [
                    pa.array(columns[f.name], f.type)
                    if f.name in columns
                    else pa.nulls(count, f.type)
                    for f in SCHEMAS["scores"]
                ],
                schema=SCHEMAS["scores"],
            )
        )
    return pa.concat_tables(parts)


def curves_of(rows: list[dict], rng: np.random.Generator) -> pa.Table:
    count = len(rows) * REPORTS
    columns = {
        "trial_id": np.repeat([row["trial_id"] for row in rows], REPORTS),
        "step": np.tile(np.arange(1, REPORTS + 1) * 5000, len(rows)),
        "loss": rng.random(count),
        "reconstruction_per_image": rng.random(count),
        "kl_nats": rng.random(count),
    }
    return pa.table(
        [
            pa.array(columns[f.name], f.type) if f.name in columns else pa.nulls(count, f.type)
            for f in CURVES
        ],
        schema=CURVES,
    )


if __name__ == "__main__":
    main()
