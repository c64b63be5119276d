"""Table 4 of the supplement: hours, published and of our ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from results.hours import account
from results.published.michlo2023 import EXPERIMENTS, TOTAL_HOURS
from results.report.blocks import Block, Missing, Section, Table
from results.report.michlo2023.experiments import Experiment
from results.report.studies import Studies

TITLE = "Table 4 of the supplement: compute"
DONE = ("completed", "diverged")


def sections(experiments: Sequence[Experiment], studies: Studies) -> list[Section]:
    table = hours_table(experiments, studies)
    if table.empty:
        why = "No study of this report has trials of table 4: " + ", ".join(
            f"grids/michlo2023/{name}.yaml" for name in ("adversarial", "overlap", "augmented_loss")
        )
        return [Section(TITLE, [Missing("Compute", f"{why}.")])]
    note = (
        "Ours are allocated hours: those that led to the rows of the trials that are done, and "
        "beside them those that were wasted. The ratio is ours over published, a trial each, so "
        "that it means the same while a study runs; GPU hours where any were allocated, else CPU "
        f"hours. Published hours are round (~4 h, ~2 h a trial; ~{TOTAL_HOURS:g} h in all) and of "
        "an unnamed cluster; they stand beside studies of as many trials and steps only."
    )
    blocks: list[Block] = [Table("table_4", "Hours by experiment", table, note)]
    return [Section(TITLE, blocks)]


def hours_table(experiments: Sequence[Experiment], studies: Studies) -> pd.DataFrame:
    """A row a study of figures 6, 9 and 11, and the sum of those of the published size."""
    accounted = account(studies.attempts, studies.trials, studies.scores)
    rows = [_row(experiment, accounted) for experiment in experiments]
    table = pd.DataFrame(rows)
    published = table[table["published hours"].notna()] if len(table) else table
    if len(published) > 1:
        sums = [
            "trials", "done", "steps", "published hours", "ours, GPU hours", "ours, CPU hours",
            "wasted hours",
        ]  # fmt: skip
        total = {"experiment": "total", "study": "", **published[sums].sum()}
        table = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
        table = table.astype({"trials": int, "done": int, "steps": int})
    return table


def _row(experiment: Experiment, accounted: pd.DataFrame) -> dict[str, object]:
    printed = EXPERIMENTS[experiment.figure]
    trials = experiment.trials
    done = trials[trials["status"].isin(DONE)]
    attempts = accounted[accounted["trial_id"].isin(trials["trial_id"])]
    on_gpu = bool(done["gpu_hours"].sum() > 0)
    allocated = attempts["gpu_share"] if on_gpu else attempts["cpus"]
    lost = 1 - attempts["useful_fraction"] - attempts["in_progress_fraction"]
    steps = int(trials["steps"].sum())
    same = (len(trials), steps) == (printed.trials, printed.steps)
    published = printed.hours if same else math.nan
    ours = float(done["gpu_hours" if on_gpu else "cpu_hours"].sum())
    each = ours / len(done) if len(done) else math.nan
    return {
        "experiment": printed.title if same else f"{printed.title}, of another size",
        "study": experiment.study,
        "trials": len(trials),
        "done": len(done),
        "steps": steps,
        "published hours": published,
        "ours, GPU hours": float(done["gpu_hours"].sum()),
        "ours, CPU hours": float(done["cpu_hours"].sum()),
        "wasted hours": float((lost * attempts["wall_seconds"] * allocated).sum()) / 3600,
        "hours a trial": each,
        "published, a trial": published / printed.trials,
        "ratio": each / (published / printed.trials),
        "device": ", ".join(sorted(done["device"].dropna().unique())),
    }
