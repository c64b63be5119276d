"""How far scores spread, by method and by regularisation (figure 3)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from results.analysis.setting_means import SETTING
from results.report.blocks import Block, Drawing, Missing, Section
from results.report.figures import in_lines, sheet, violins
from results.report.locatello2019.runs import GRID_FILE, METRICS, Runs

SHARED = "FactorVAE"
"""The score of figure 3."""


def section(runs: Runs) -> Section:
    return Section("Spread of scores", _blocks(runs))


def _blocks(runs: Runs) -> list[Block]:
    metrics = runs.there(METRICS)
    if not metrics:
        why = f"No trial here has a score of {', '.join(METRICS)}; {GRID_FILE} asks for all six."
        return [Missing("Scores by method and by regularisation", why)]
    score = SHARED if SHARED in metrics else metrics[0]
    return [
        Drawing(
            "spread_by_method",
            "Scores by method",
            _by_method(runs, metrics),
            _table(runs, metrics, ["method"]),
            "Figure 3, left (FactorVAE on Cars3D); the line is the median. What varies within a "
            "method are its regularisation and the seed.",
        ),
        Drawing(
            "spread_by_regularisation",
            f"{score} score by regularisation",
            _by_regularisation(runs, score),
            _table(runs, [score], SETTING),
            "Figure 3, right (FactorVAE on Cars3D): what varies within a violin is the seed.",
        ),
    ]


def _by_method(runs: Runs, metrics: list[str]) -> Figure:
    datasets, methods = runs.datasets, runs.methods
    figure, axes = sheet(
        len(datasets) * len(metrics),
        columns=len(metrics),
        panel_inches=(max(1.9, 0.32 * len(methods)), 1.7),
    )
    for place, panel in enumerate(axes):
        dataset, score = datasets[place // len(metrics)], metrics[place % len(metrics)]
        of = runs.of(dataset)
        groups = [of.loc[of["method"] == method, score].tolist() for method in methods]
        violins(panel, groups, methods, numbers=range(len(methods)))
        last = place // len(metrics) == len(datasets) - 1
        names = [in_lines(method) if last else "" for method in methods]
        panel.set_xticks(range(len(methods)), names, rotation=90)
        panel.tick_params(labelsize="x-small")
        if place < len(metrics):
            panel.set_title(score, fontsize="medium")
        if place % len(metrics) == 0:
            panel.set_ylabel(in_lines(dataset), fontsize="small")
    return figure


def _by_regularisation(runs: Runs, score: str) -> Figure:
    datasets, methods = runs.datasets, runs.methods
    figure, axes = sheet(
        len(datasets) * len(methods), columns=len(methods), panel_inches=(1.9, 1.6)
    )
    limits = {dataset: _limits(runs.of(dataset)[score]) for dataset in datasets}
    for place, panel in enumerate(axes):
        dataset, number = datasets[place // len(methods)], place % len(methods)
        of = runs.of(dataset)
        of = of[of["method"] == methods[number]]
        by_value = of.groupby("regularisation", dropna=False)[score]
        found = [(float(str(value)), values) for value, values in by_value]
        violins(
            panel,
            [values.tolist() for _, values in found],
            [f"{value:g}".replace("nan", "–") for value, _ in found],
            numbers=[number] * len(found),
        )
        panel.tick_params(labelsize="x-small")
        if not of[score].isna().all():
            panel.set_ylim(*limits[dataset])
        if place < len(methods):
            panel.set_title(in_lines(methods[number]), fontsize="small")
        if number == 0:
            panel.set_ylabel(in_lines(dataset), fontsize="small")
    return figure


def _limits(values: pd.Series) -> tuple[float, float]:
    """The same for all methods of a dataset, so that they can be compared."""
    margin = 0.05 * (values.max() - values.min()) or 0.05
    return values.min() - margin, values.max() + margin


def _table(runs: Runs, metrics: list[str], keys: list[str]) -> pd.DataFrame:
    keys = ["dataset", *keys]
    long = runs.rows.melt(keys, metrics, var_name="score").dropna(subset=["value"])
    table = long.groupby([*keys, "score"], sort=False, dropna=False)["value"].agg(
        ["count", "mean", "std", "min", "median", "max"]
    )
    return table.rename(columns={"count": "runs", "std": "sd"}).reset_index()
