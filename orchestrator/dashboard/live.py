"""What a study's page asks for again and again: states, running trials, failures, curves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from grids.parts import COMMON_TERMS
from orchestrator.dashboard.cells import numbers
from orchestrator.dashboard.study import Snapshot
from orchestrator.dashboard.unread import or_unread
from results import curves
from results.schema import CURVES
from results.store import StudyFolder

MOST_CURVES = 12
"""Trials whose curves are sent at once."""
ERROR_CHARACTERS = 300


def state_json(snapshot: Snapshot) -> dict[str, Any]:
    """States, and by their places in the grid the running and the failed trials."""
    place = {trial_id: index for index, trial_id in enumerate(snapshot.cells.trial_ids)}
    running = sorted(snapshot.status.running, key=lambda trial: place[trial.trial_id])
    errors: dict[str, int] = {}
    failed = [
        (index, errors.setdefault(last_line(snapshot.errors.get(trial_id, "")), len(errors)))
        for index, trial_id in enumerate(snapshot.cells.trial_ids)
        if snapshot.states[index] == "f"
    ]
    return {
        "problem": snapshot.problem,
        "driver": snapshot.driver,
        "states": snapshot.states,
        "running": {
            "trials": [place[trial.trial_id] for trial in running],
            "steps_done": [trial.steps_done for trial in running],
            "steps": [trial.steps for trial in running],
            "devices": [trial.device for trial in running],
        },
        "failed": {
            "trials": [index for index, _ in failed],
            "errors": [error for _, error in failed],
        },
        "errors": list(errors),
        "scores": [list(choice) for choice in snapshot.choices],
    }


def last_line(error: str) -> str:
    """Of a traceback the line that says what was wrong."""
    return (error.strip().splitlines() or ["no error was recorded"])[-1][:ERROR_CHARACTERS]


def curve_of(folder: StudyFolder, trial_id: str) -> pa.Table:
    """A trial's curve: the record, which is there while it trains, else from the table."""
    for _, rows in curves.read_records(folder, [trial_id]):
        return rows
    return curves.read(folder, pa.array([trial_id]))


def common_curves(folder: StudyFolder, trial_ids: Sequence[str]) -> dict[str, Any]:
    """By trial: `step`, and the terms that all frameworks report; or `problem`, a line."""
    found = {}
    for trial_id in trial_ids[:MOST_CURVES]:
        rows, problem = or_unread(partial(curve_of, folder, trial_id))
        found[trial_id] = (
            {"problem": problem} if rows is None else _columns(rows, ["step", *COMMON_TERMS])
        )
    return found


def whole_curve(folder: StudyFolder, trial_id: str) -> dict[str, Any]:
    """`step`; every loss term that the trial reports; the KL of each latent, a list a latent."""
    rows = curve_of(folder, trial_id)
    terms = [
        name
        for name in CURVES.names
        if name not in ("trial_id", "step", "kl_nats_by_latent")
        and rows[name].null_count < len(rows)
    ]
    latents = [row or [] for row in rows["kl_nats_by_latent"].to_pylist()]
    return {
        **_columns(rows, ["step", *terms]),
        "kl_nats_by_latent": list(map(numbers, zip(*latents, strict=False))),
    }


def _columns(rows: pa.Table, names: Sequence[str]) -> dict[str, list[float | None]]:
    return {name: numbers(rows[name].to_pylist()) for name in names}
