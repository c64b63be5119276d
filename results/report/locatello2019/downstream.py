"""Are disentangled representations useful downstream? (figures 5 and 6)"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from results.published.locatello2019 import DOWNSTREAM
from results.published.locatello2019 import TASKS as PRINTED
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.figures import colour, legend_above, sheet
from results.report.locatello2019.analyses import Analyses
from results.report.locatello2019.matrices import beside, frames, heat_maps, table, with_published
from results.report.locatello2019.runs import GRID_FILE, METRICS, Runs

SCORE, EFFICIENCY = "FactorVAE", "efficiency (GBT)"


def section(runs: Runs, found: Analyses) -> Section:
    return Section("Downstream tasks", _correlations(runs, found) + _efficiency(runs))


def _correlations(runs: Runs, found: Analyses) -> list[Block]:
    if not found.downstream:
        why = (
            f"It takes runs that both `downstream` and one of {', '.join(METRICS)} have scored; "
            f"{GRID_FILE} asks for all of them."
        )
        return [Missing("Metrics against downstream tasks", why)]
    numbers = table(found.downstream, "score", "task", runs, _published)
    return [
        Drawing(
            "downstream_maps",
            "Rank correlation of metrics with accuracy and efficiency of downstream tasks over "
            "runs, times 100",
            heat_maps(frames(found.downstream), columns=2, panel_inches=(5.4, 3.0)),
            numbers,
            "Figure 5 (dSprites). LR: logistic regression, GBT: gradient boosted trees, with "
            "the number of labels; the efficiency is the accuracy by 100 labels over that by "
            "10,000.",
        ),
        Table(
            "downstream",
            "The same, with 95 % bootstrap intervals over seeds",
            with_published(numbers),
            f"{beside(runs)} Published are those of dSprites.",
        ),
    ]


def _published(dataset: str, score: str, task: str) -> float | None:
    of = DOWNSTREAM.get(dataset)
    return None if of is None else of[score][PRINTED.index(task)]


def _efficiency(runs: Runs) -> list[Block]:
    there = runs.rows.dropna(subset=[SCORE, EFFICIENCY])
    if there.empty:
        why = (
            f"It takes runs that `downstream` and `factor_vae` have scored; {GRID_FILE} asks for "
            "both."
        )
        return [Missing("Sample efficiency against the FactorVAE score", why)]
    datasets = list(dict.fromkeys(there["dataset"]))
    columns = ["trial_id", "dataset", "method", "regularisation", "seed", SCORE, EFFICIENCY]
    return [
        Drawing(
            "efficiency",
            "Sample efficiency of boosted trees against the FactorVAE score",
            _scatter(runs, there, datasets),
            there[columns],
            "Figure 6 (dSprites); a dot is a run.",
        )
    ]


def _scatter(runs: Runs, there: pd.DataFrame, datasets: list[str]) -> Figure:
    figure, axes = sheet(len(datasets))
    for panel, dataset in zip(axes, datasets, strict=True):
        of = there[there["dataset"] == dataset]
        for number, method in enumerate(runs.methods):
            points = of[of["method"] == method]
            panel.scatter(
                points[SCORE],
                points[EFFICIENCY],
                s=6,
                alpha=0.6,
                linewidths=0,
                color=colour(number),
                label=method,
                rasterized=True,
            )
        panel.set_title(dataset, fontsize="medium")
        panel.set_xlabel("FactorVAE score", fontsize="small")
        panel.set_ylabel("acc(100) / acc(10,000)", fontsize="small")
    legend_above(figure, axes)
    return figure
