"""A study in words and numbers, as the pages show it above its grid."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from orchestrator.dashboard import formats
from orchestrator.dashboard.cells import STATES
from orchestrator.dashboard.study import Snapshot
from results.hours import by_stage

DRIVERS = {
    "running": "being run",
    "silent": "no sign of life from its run: it may be gone, or this folder is a copy",
    "stopped": "nobody runs it now",
}


@dataclass(frozen=True)
class Hours:
    """Allocated hours of GPUs where any were allocated, else of CPUs; `left` None if unknown."""

    device: str  # GPU | CPU
    used: float
    wasted: float
    left: float | None
    by_stage: pd.DataFrame  # index `stage`, columns `useful`, `in progress`, `wasted`, `total`


def hours_of(snapshot: Snapshot) -> Hours:
    table = by_stage(snapshot.accounted)
    device = "gpu" if table["total_gpu_hours"].sum() > 0 else "cpu"
    parts = ("useful", "in_progress", "wasted", "total")
    stages = table[[f"{part}_{device}_hours" for part in parts]]
    stages.columns = pd.Index([part.replace("_", " ") for part in parts])
    kept = float(stages["useful"].sum() + stages["in progress"].sum())
    return Hours(
        device=device.upper(),
        used=float(stages["total"].sum()),
        wasted=float(stages["wasted"].sum()),
        left=_left(snapshot, kept),
        by_stage=stages[stages["total"] > 0],
    )


def _left(snapshot: Snapshot, kept_hours: float) -> float | None:
    """What the steps left take at the cost of those that were kept, scoring included."""
    left = snapshot.status.steps - snapshot.status.steps_done
    if left == 0:
        return 0.0
    attempts = snapshot.accounted[snapshot.accounted["kind"] == "trial"]
    fraction = attempts["useful_fraction"] + attempts["in_progress_fraction"]
    trained = (attempts["steps_done"] - attempts["start_step"]).astype(float)
    steps = float((trained * fraction).sum())
    return kept_hours / steps * left if steps > 0 else None


def counts_of(snapshot: Snapshot) -> dict[str, int]:
    """Trials by state, every state named."""
    return {state: snapshot.states.count(letter) for letter, state in STATES.items()}


def facts_of(snapshot: Snapshot) -> list[tuple[str, str, str]]:
    """What a person looks for first: name, value, and what explains it."""
    status, hours = snapshot.status, hours_of(snapshot)
    share = status.steps_done / status.steps
    wasted = f" ({hours.wasted / hours.used:.0%})" if hours.used else ""
    pace = f"{status.steps_per_second:,.1f} steps/s" if status.steps_per_second else "none trains"
    return [
        ("done", f"{status.done:,} of {status.trials:,}", f"{snapshot.cells.unit}s, with diverged"),
        ("steps", f"{share:.1%}", f"{status.steps_done:,} of {status.steps:,}"),
        ("final scores", f"{status.scores:,} of {status.scores_wanted:,}", "of all metrics")
        if status.scores_wanted
        else ("final scores", "none", "the grid asks for none"),
        ("time left", formats.hours(status.eta_hours), f"{len(status.running):,} running, {pace}"),
        (f"{hours.device} hours used", f"{hours.used:,.2f}", "allocated"),
        ("wasted", f"{hours.wasted:,.2f}{wasted}", "led to no row"),
        (
            "left",
            "–" if hours.left is None else f"{hours.left:,.2f}",
            f"{hours.device} hours, at the cost so far",
        ),
    ]
