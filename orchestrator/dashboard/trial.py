"""One trial as its page shows it: configuration, outcome, scores by step, attempts, log."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pyarrow.compute as pc

from grids.measurement import Measurement
from metrics import METRICS
from orchestrator.dashboard.cells import STATES, numbers
from orchestrator.dashboard.live import last_line
from orchestrator.dashboard.study import Snapshot
from orchestrator.dashboard.unread import or_unread
from orchestrator.show import duration
from results.distances import read_distances
from results.files import reading
from results.store import PICTURES, StudyFolder

LOG_BYTES = 32 * 1024
OUTCOME = (
    "steps_done",
    "device",
    "train_seconds",
    "gpu_hours",
    "cpu_hours",
    "finished_at",
    "adopted_from",
    "dataset_fingerprint",
    "code_version",
)
"""Columns of a trial's row that are shown as they are named."""


def trial_view(snapshot: Snapshot, folder: StudyFolder, index: int) -> dict[str, Any]:
    """Everything for the template but the curves. Reads the log, and the distances if any."""
    cells = snapshot.cells
    trial_id, trial = cells.trial_ids[index], snapshot.grid.trials[index]
    row = row_of(snapshot, trial_id)
    running = {t.trial_id: t for t in snapshot.status.running}.get(trial_id)
    distances, problem = None, None
    if isinstance(trial, Measurement):
        distances, problem = or_unread(lambda: _distances(folder, trial_id))
    log, log_problem = or_unread(lambda: log_tail(folder, trial_id))
    return {
        "trial_id": trial_id,
        "unit": cells.unit,
        "state": STATES[snapshot.states[index]],
        "swept": cells.words(index),
        "progress": None if running is None else (running.steps_done, running.steps),
        "configuration": {k: v for k, v in trial.columns().items() if v is not None},
        "outcome": {name: row[name] for name in OUTCOME if row.get(name) is not None},
        "error": row.get("error"),
        "scores": _scores(snapshot, trial_id),
        "attempts": _attempts(snapshot, trial_id),
        "distances": distances,
        "has_pictures": (folder.artifacts(trial_id) / PICTURES).exists(),
        "log": log,
        "unread": [line for line in (problem, log_problem) if line],
    }


def row_of(snapshot: Snapshot, trial_id: str) -> dict[str, Any]:
    """The trial's row; empty before there is one."""
    rows = snapshot.trials.filter(pc.equal(snapshot.trials["trial_id"], trial_id)).to_pylist()
    return rows[0] if rows else {}


def log_tail(folder: StudyFolder, trial_id: str) -> str | None:
    """The last lines of the trial's log, None where it has none."""
    try:
        with reading(folder.log(trial_id), links=False) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            tail = file.read().decode(errors="replace")
    except (FileNotFoundError, ValueError):  # a link could lead to any file, and this one is shown
        return None
    return tail if size <= LOG_BYTES else "…\n" + tail.partition("\n")[2]


def score_curves(snapshot: Snapshot, trial_id: str) -> dict[str, dict[str, Sequence[float | None]]]:
    """`step` and `value` of each metric's own score that was taken more than once.

    At the end it may be of more samples than during training.
    """
    curves: dict[str, dict[int, float]] = {}
    for row in _score_rows(snapshot, trial_id):
        if row["metric"] in METRICS and row["score"] == METRICS[row["metric"]].scores[0]:
            name = row["score"]
            name += f", {row['representation']}" if row["representation"] != "mean" else ""
            curves.setdefault(name, {})[row["step"]] = row["value"]
    return {
        name: {"step": sorted(values), "value": numbers(values[step] for step in sorted(values))}
        for name, values in curves.items()
        if len(values) > 1
    }


def _score_rows(snapshot: Snapshot, trial_id: str) -> list[dict[str, Any]]:
    """Of the evaluation seed that the grid has now; newer versions of a metric come later."""
    found = snapshot.scores.filter(pc.equal(snapshot.scores["trial_id"], trial_id)).to_pylist()
    found = [row for row in found if row["seed"] == snapshot.grid.evaluate.seed]
    return sorted(found, key=lambda row: int(row["metric_version"]))


def _scores(snapshot: Snapshot, trial_id: str) -> dict[str, Any]:
    """`steps`, and a row a score with its value at each of them, None where it was not scored."""
    found = _score_rows(snapshot, trial_id)
    steps = sorted({row["step"] for row in found})
    by_score: dict[tuple[str, ...], dict[int, float]] = {}
    for row in found:
        key = row["metric"], row["score"], row["representation"], row["size"]
        by_score.setdefault(key, {})[row["step"]] = row["value"]
    order = {tuple(choice): place for place, choice in enumerate(snapshot.choices)}
    ordered = sorted(by_score, key=lambda key: order.get(key, len(order)))
    return {
        "steps": steps,
        "rows": [(key, [by_score[key].get(step) for step in steps]) for key in ordered],
    }


def _attempts(snapshot: Snapshot, trial_id: str) -> list[dict[str, Any]]:
    attempts = snapshot.attempts
    found = attempts.filter(pc.equal(attempts["trial_id"], trial_id)).to_pylist()
    for row in found:
        row["took"] = duration(row["wall_seconds"] / 3600)
        row["error"] = row["error"] and last_line(row["error"])
    return sorted(found, key=lambda row: (row["started_at"], row["attempt_id"]))


def _distances(folder: StudyFolder, trial_id: str) -> list[dict[str, Any]]:
    """By importance: what a study of measurements is run for."""
    try:
        rows = read_distances(folder.root, trial_id)
    except FileNotFoundError:
        return []
    shown = rows[["factor", "positions", "pairs", "distance_mean", "distance_sd"]]
    by_importance = shown.sort_values("distance_mean", ascending=False, kind="stable")
    return [{str(k): v for k, v in row.items()} for row in by_importance.to_dict("records")]
