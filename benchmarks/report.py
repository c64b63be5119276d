"""`latentgrid report` of a made-up study of Locatello's size, all scores there: seconds, memory.

python -m benchmarks.report [GRID]
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from grids.load import Grid, load_grid
from metrics import METRICS
from orchestrator import machine
from orchestrator.report import make_report
from orchestrator.work import representations
from results.analysis.methods import settings_of
from results.schema import SCHEMAS

GRID = "grids/locatello2019/unsupervised.yaml"
REPORTS = 60
"""In the curve of a trial, the most that there are."""
HOUR_S = 3600.0


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else GRID)
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    print("  ".join(f"{name} {version}" for name, version in machine.versions().items()))
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        make_study(load_grid(path), study)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        page = make_report([study], Path(folder) / "report")
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        size = sum(file.stat().st_size for file in page.parent.rglob("*")) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{wall_s:.1f} s ({cpu_s:.1f} s of CPU), {peak:,.0f} MiB; {size:.0f} MiB of files")


def make_study(grid: Grid, study: Path) -> None:
    """A study of this grid with all its rows, as if it had run."""
    study.mkdir()
    (study / "study.yaml").write_text(grid.text)
    rng = np.random.default_rng(0)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    rows = [
        {
            "study": grid.study,
            "trial_id": trial.trial_id,
            "attempt_id": trial.trial_id,
            **trial.columns(),
            "status": "completed",
            "device": "made up",
        }
        for trial in grid.trials
    ]
    trials = pa.Table.from_pylist(rows, SCHEMAS["trials"])
    attempts = {
        "attempt_id": trials["attempt_id"],
        "study": trials["study"],
        "trial_id": trials["trial_id"],
        "kind": "trial",
        "share": 1.0,
        "epoch": 1,
        "gpu_share": 1.0,
        "cpus": 1.0,
        "started_at": now,
        "ended_at": now + dt.timedelta(hours=2),
        "start_step": 0,
        "steps_done": trials["steps"],
        "train_seconds": 1.9 * HOUR_S,
        "encode_seconds": 0.1 * HOUR_S,
        "wall_seconds": HOUR_S * rng.normal(2, 0.1, len(trials)),
        "outcome": "completed",
        "lower_bound": False,
    }
    _write(study, "trials", trials)
    _write(study, "scores", _scores(grid, trials, rng))
    _write(study, "curves", _curves(trials, rng))
    _write(study, "attempts", _table("attempts", len(trials), attempts))


def _scores(grid: Grid, trials: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Of the method, of the setting, of the run (which all scores share) and of chance, alike."""
    frame = trials.to_pandas()
    settings = settings_of(frame).set_index("trial_id").loc[frame["trial_id"]]
    method = settings.groupby("method").ngroup().to_numpy()
    setting = settings["setting"].to_numpy()
    of_run = rng.normal(size=len(trials))
    parts = []
    for metric in grid.evaluate.metrics:
        for representation in representations(metric, grid.evaluate):
            for score in METRICS[metric].scores:
                effects = rng.normal(size=method.max() + 1)[method]
                effects += rng.normal(size=setting.max() + 1)[setting]
                effects += of_run + rng.normal(size=len(trials))
                columns = {
                    "trial_id": trials["trial_id"],
                    "step": trials["steps"],
                    "representation": representation,
                    "metric": metric,
                    "metric_version": 1,
                    "score": score,
                    "value": 1 / (1 + np.exp(-effects / 2)),
                    "size": "full",
                    "seed": 0,
                    "attempt_id": trials["trial_id"],
                }
                parts.append(_table("scores", len(trials), columns))
    return pa.concat_tables(parts)


def _curves(trials: pa.Table, rng: np.random.Generator) -> pa.Table:
    rows = len(trials) * REPORTS
    columns = {
        "trial_id": np.repeat(trials["trial_id"].to_numpy(), REPORTS),
        "step": np.tile(np.arange(1, REPORTS + 1) * 5_000, len(trials)),
        "loss": rng.random(rows),
        "reconstruction_per_image": rng.random(rows),
        "kl_nats": rng.random(rows),
    }
    return _table("curves", rows, columns)


def _table(table: str, rows: int, columns: dict[str, Any]) -> pa.Table:
    """One value stands for all rows, a column that is not given is empty."""
    arrays = []
    for field in SCHEMAS[table]:
        values = columns.get(field.name)
        if isinstance(values, pa.ChunkedArray):
            arrays.append(values.combine_chunks())
        elif isinstance(values, np.ndarray):
            arrays.append(pa.array(values, field.type))
        else:
            arrays.append(pa.repeat(pa.scalar(values, field.type), rows))
    return pa.table(arrays, schema=SCHEMAS[table])


def _write(study: Path, table: str, rows: pa.Table) -> None:
    pq.write_table(rows, study / f"{table}.parquet")


if __name__ == "__main__":
    main()
