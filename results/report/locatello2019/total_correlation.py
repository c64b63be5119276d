"""Total correlation of the sampled and of the mean representation (figure 1)."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from results.analysis.intervals import by_group
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.figures import legend_above, sheet, with_intervals
from results.report.locatello2019.analyses import WEAKER_WITH_MORE, Analyses
from results.report.locatello2019.matrices import PERCENT
from results.report.locatello2019.runs import GRID_FILE, TOTAL_CORRELATION, Runs

KEYS = ["representation", "dataset", "method", "strength"]


def section(runs: Runs, found: Analyses) -> Section:
    return Section("Total correlation", _blocks(runs, found))


def _blocks(runs: Runs, found: Analyses) -> list[Block]:
    representations = runs.there(tuple(TOTAL_CORRELATION.values()))
    blocks: list[Block] = []
    if len(representations) < len(TOTAL_CORRELATION):
        lacking = [n for n, score in TOTAL_CORRELATION.items() if score not in representations]
        why = (
            f"No trial here has the metric `unsupervised` of the representation "
            f"{' and '.join(lacking)}; {GRID_FILE} asks for both."
        )
        blocks.append(Missing("Total correlation against regularisation", why))
    lines = _lines(runs)
    if len(lines):
        drawn = lines[~lines["method"].str.startswith(WEAKER_WITH_MORE)]
        note = (
            "Figure 1 (Color-dSprites). Of a Gaussian fitted to the codes; means over seeds "
            f"with 95 % bootstrap intervals. Left out, as there: {WEAKER_WITH_MORE}, whose "
            "parameter weakens the regularisation as it grows."
        )
        title = "Total correlation against regularisation strength, nats"
        blocks.append(Drawing("total_correlation", title, _figure(runs, drawn), lines, note))
    if any(found.trends.values()):
        blocks.append(
            Table(
                "total_correlation_trends",
                "Rank correlation of total correlation and regularisation over runs, times 100",
                _trends(found),
                "Claimed: below 0 of the sampled representation, above 0 of the mean.",
            )
        )
    return blocks


def _lines(runs: Runs) -> pd.DataFrame:
    parts = [
        runs.rows[[*KEYS[1:], "regularisation"]].assign(representation=name, value=runs.rows[score])
        for name, score in TOTAL_CORRELATION.items()
    ]
    long = pd.concat(parts).dropna(subset=["value", "regularisation"])
    return by_group(long, [*KEYS, "regularisation"])


def _figure(runs: Runs, lines: pd.DataFrame) -> Figure:
    datasets = [name for name in runs.datasets if name in set(lines["dataset"])]
    names = list(TOTAL_CORRELATION)
    figure, axes = sheet(len(datasets) * len(names), columns=len(names), panel_inches=(4.2, 2.4))
    for place, panel in enumerate(axes):
        dataset, name = datasets[place // len(names)], names[place % len(names)]
        of = lines[(lines["dataset"] == dataset) & (lines["representation"] == name)]
        for number, method in enumerate(runs.methods):
            line = of[of["method"] == method]
            if len(line):
                with_intervals(panel, line["strength"].tolist(), line, number, method)
        panel.set_title(f"{dataset}, {name}", fontsize="medium")
        panel.set_ylabel("TC, nats", fontsize="small")
        panel.set_xticks(range(int(lines["strength"].max()) + 1))
        if place // len(names) == len(datasets) - 1:
            panel.set_xlabel("place of the regularisation strength", fontsize="small")
    legend_above(figure, axes)
    return figure


def _trends(found: Analyses) -> pd.DataFrame:
    """A row a dataset and method, the representations side by side."""
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for representation, trends in found.trends.items():
        for (dataset, method), rho in trends.items():
            value, low, high, seeds = rho.interval()
            row = rows.setdefault((dataset, method), {"dataset": dataset, "method": method})
            row[representation] = PERCENT * value
            row[f"{representation}, low"] = PERCENT * low
            row[f"{representation}, high"] = PERCENT * high
            row["seeds"] = seeds
    table = pd.DataFrame(rows.values()).round(1)
    return table[[name for name in table.columns if name != "seeds"] + ["seeds"]]
