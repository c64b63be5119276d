"""Table 4 of the supplement: hours, published and of our ledger."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from grids.load import Grid
from results.hours import account, by_stage
from results.published.michlo2023 import EXPERIMENTS, TOTAL_HOURS
from results.report.blocks import Block, Missing, Section, Table
from results.report.michlo2023.experiments import Experiment
from results.report.studies import Studies

TITLE = "Table 4 of the supplement: compute"
DONE = ("completed", "diverged")
VARIANTS = ("as printed", "as run")
SUMMED = (
    "trials",
    "done",
    "steps",
    "published hours",
    "ours, GPU hours",
    "ours, CPU hours",
    "of it scoring, GPU hours",
    "of it scoring, CPU hours",
    "wasted, GPU hours",
    "wasted, CPU hours",
)
Row = dict[str, Any]


def sections(experiments: Sequence[Experiment], studies: Studies) -> list[Section]:
    table = hours_table(experiments, studies)
    if table.empty:
        why = "No study of this report has trials of table 4: " + ", ".join(
            f"grids/michlo2023/{name}.yaml" for name in ("adversarial", "overlap", "augmented_loss")
        )
        return [Section(TITLE, [Missing("Compute", f"{why}.")])]
    note = (
        "Ours are allocated hours of the trials that are done, all that their rows and scores "
        "took: training, encoding and scoring, as the published hours (C.4) are of models and "
        "of the plots and results made with them. Of an adopted trial that another study's "
        "ledger has, they are those of its row, without scoring. Wasted hours stand beside "
        "them. The ratio is ours over published, a trial each, so that it means the same while "
        "a study runs: of GPU hours where any were allocated, and then without what was scored "
        "on CPUs; else of CPU hours. Published hours are round (~4 h, ~2 h a trial; "
        f"~{TOTAL_HOURS:g} h in all) and of an unnamed cluster; they stand beside studies of as "
        "many trials and steps only. A total is of one variant."
    )
    blocks: list[Block] = [Table("table_4", "Hours by experiment", table, note)]
    return [Section(TITLE, blocks)]


def hours_table(experiments: Sequence[Experiment], studies: Studies) -> pd.DataFrame:
    """A row a study of figures 6, 9 and 11, and by variant the sum of those of published size."""
    accounted = account(studies.attempts, studies.trials, studies.scores)
    rows = [_row(experiment, accounted) for experiment in experiments]
    return pd.DataFrame([*rows, *_totals(experiments, rows)])


def _totals(experiments: Sequence[Experiment], rows: Sequence[Row]) -> Iterator[Row]:
    """None across variants, nor of two runs of one experiment: the paper has each once."""
    for variant in VARIANTS:
        of = [
            (experiment.figure, row)
            for experiment, row in zip(experiments, rows, strict=True)
            if variant_of(experiment.grid) == variant and not math.isnan(row["published hours"])
        ]
        if len(of) > 1 and len({figure for figure, _ in of}) == len(of):
            sums = {name: sum(row[name] for _, row in of) for name in SUMMED}
            expected = sum(row["done"] * row["published, a trial"] for _, row in of)
            if len({row["ours, GPU hours"] > 0 for _, row in of if row["done"]}) > 1:
                expected = math.nan  # hours of GPUs and of CPUs have no sum
            devices = ", ".join(sorted({row["device"] for _, row in of}))
            yield _with_ratio(
                {"experiment": f"total, {variant}", "study": "", **sums, "device": devices},
                expected,
            )


def variant_of(grid: Grid) -> str:
    """What a grid's source ends with, "as printed" or "as run"."""
    return (grid.source or "").rpartition("; ")[2]


def _row(experiment: Experiment, accounted: pd.DataFrame) -> Row:
    printed = EXPERIMENTS[experiment.figure]
    trials = experiment.trials
    done = trials[trials["status"].isin(DONE)]
    attempts = accounted[accounted["trial_id"].isin(trials["trial_id"])]
    of_done = by_stage(attempts[attempts["trial_id"].isin(done["trial_id"])])
    scoring = of_done.to_dict("index")["score"]
    # Adopted trials have brought their hours with them, and left their attempts in another study.
    adopted = done[~done["trial_id"].isin(attempts["trial_id"])]
    ours = {
        kind: float(of_done[f"useful_{kind}_hours"].sum() + adopted[f"{kind}_hours"].sum())
        for kind in ("gpu", "cpu")
    }
    wasted = by_stage(attempts)[["wasted_gpu_hours", "wasted_cpu_hours"]].sum()
    steps = int(trials["steps"].sum())
    same = (len(trials), steps) == (printed.trials, printed.steps)
    each = printed.hours / printed.trials if same else math.nan
    row = {
        "experiment": printed.title if same else f"{printed.title}, of another size",
        "study": experiment.study,
        "trials": len(trials),
        "done": len(done),
        "steps": steps,
        "published hours": printed.hours if same else math.nan,
        "ours, GPU hours": ours["gpu"],
        "ours, CPU hours": ours["cpu"],
        "of it scoring, GPU hours": scoring["useful_gpu_hours"],
        "of it scoring, CPU hours": scoring["useful_cpu_hours"],
        "wasted, GPU hours": float(wasted["wasted_gpu_hours"]),
        "wasted, CPU hours": float(wasted["wasted_cpu_hours"]),
        "published, a trial": each,
        "device": ", ".join(sorted(done["device"].dropna().unique())),
    }
    return _with_ratio(row, len(done) * each)


def _with_ratio(row: Row, expected: float) -> Row:
    """`expected` are the published hours of as many trials as are done."""
    ours = row["ours, GPU hours"] or row["ours, CPU hours"]
    return row | {
        "hours a trial": ours / row["done"] if row["done"] else math.nan,
        "ratio": ours / expected if expected > 0 else math.nan,
    }
