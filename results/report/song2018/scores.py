"""Scores by beta over the latents or the factors, as figures 4.1 to 4.8 show them."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from results.analysis.intervals import by_group
from results.analysis.spread import cells_of, spread_by_place
from results.published import song2018 as published
from results.report.blocks import Block, Drawing, Table
from results.report.figures import colour, matrix, sheet, with_intervals
from results.report.song2018.experiments import (
    ALONG,
    BETA_VAE,
    KIM_MNIH,
    LEGACY,
    METRICS,
    SELECTIONS,
    Experiment,
)

SHOWN = (LEGACY, KIM_MNIH)
"""The metrics that are drawn; the table has all."""


def scores(experiment: Experiment) -> list[Block]:
    """The figures, and a table of all metrics with each cell's mean beside the published one."""
    means = by_group(experiment.rows, ["metric", "selection", "method", "setting", "beta", "place"])
    # The thesis' standard deviations are numpy's, over n and not over n - 1 runs.
    means["sd"] *= ((means["n"] - 1) / means["n"]) ** 0.5
    is_beta_vae = means["method"] == BETA_VAE
    found: list[Block] = []
    if not is_beta_vae.all():
        found.append(_lines(experiment, means[~is_beta_vae], "other_methods"))
    if is_beta_vae.any():
        of_betas = means[is_beta_vae]
        single = experiment.planned["place"].nunique() == 1
        draw = _over_beta if single else partial(_lines, name=BETA_VAE)
        found.append(draw(experiment, of_betas))
        found += [
            _heat_maps(experiment, of_betas[of_betas["metric"] == metric], metric)
            for metric in SHOWN
        ]
    return [*found, _table(experiment, means)]


def _lines(experiment: Experiment, means: pd.DataFrame, name: str) -> Drawing:
    """Figures 4.1, 4.3 (4.5, 4.7): means, with bands of one standard deviation."""
    figure, axes = sheet(
        len(SHOWN) * len(SELECTIONS), columns=len(SELECTIONS), panel_inches=(4.4, 2.9), share_y=True
    )
    planned = experiment.planned[experiment.planned["method"].isin(means["method"])]
    planned = planned.sort_values(["method", "beta"], kind="stable")
    number_of = {setting: number for number, setting in enumerate(planned["setting"].unique())}
    places = sorted(experiment.planned["place"].unique())
    panels = [(metric, selection) for metric in SHOWN for selection in SELECTIONS]
    for panel, (metric, selection) in zip(axes, panels, strict=True):
        of = means[(means["metric"] == metric) & (means["selection"] == selection)]
        for setting, number in number_of.items():
            line = of[of["setting"] == setting]
            color, x, y = colour(number), line["place"], line["value"]
            style = "-" if number < 7 else "--"
            panel.plot(x, y, style, color=color, label=setting, marker="o", markersize=3)
            sd = line["sd"].fillna(0)
            panel.fill_between(x, y - sd, y + sd, color=color, alpha=0.12, linewidth=0)
        if experiment.published and metric == LEGACY:
            theirs = published.scores(experiment.along)
            for beta, line in theirs[theirs["selection"] == selection].groupby("beta"):
                if (setting := f"beta {beta:g}") in number_of:
                    x, y = line["place"], line["published"]
                    panel.plot(x, y, ":", color=colour(number_of[setting]), linewidth=1)
        panel.set_title(f"{METRICS[metric]}, {SELECTIONS[selection]}", fontsize="medium")
        panel.set_xticks(places)
        panel.set_xlabel(ALONG[experiment.along].axis.removeprefix("the "), fontsize="small")
    for panel in axes[:: len(SELECTIONS)]:
        panel.set_ylabel("score, %", fontsize="small")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize="small", frameon=False)
    numbers = "4.1 and 4.3" if experiment.along == "latents" else "4.5 and 4.7"
    dotted = " Dotted: published." if experiment.published else ""
    return Drawing(
        f"{experiment.name}_lines_{name}",
        f"{name.replace('_', ' ')}: as figures {numbers}",
        figure,
        means[means["metric"].isin(SHOWN)],
        f"Means over the runs, with bands of one standard deviation (ddof 0).{dotted}",
    )


def _over_beta(experiment: Experiment, means: pd.DataFrame) -> Drawing:
    """Of a single place, where lines would be points above one another."""
    figure, axes = sheet(len(SHOWN), panel_inches=(4.4, 2.9), share_y=True)
    for panel, metric in zip(axes, SHOWN, strict=True):
        for number, (selection, title) in enumerate(SELECTIONS.items()):
            of = means[(means["metric"] == metric) & (means["selection"] == selection)]
            of = of.sort_values("beta")
            with_intervals(panel, of["beta"].tolist(), of, number, title)
        panel.set_xscale("log", base=2)
        panel.set_title(METRICS[metric], fontsize="medium")
        panel.set_xlabel("beta", fontsize="small")
    axes[0].set_ylabel("score, %", fontsize="small")
    axes[0].legend(fontsize="small", frameon=False)
    return Drawing(
        f"{experiment.name}_over_beta",
        "beta vae: scores over beta",
        figure,
        means[means["metric"].isin(SHOWN)],
        "Means over the runs, with 95 % bootstrap intervals.",
    )


def _heat_maps(experiment: Experiment, means: pd.DataFrame, metric: str) -> Drawing:
    """Figures 4.2, 4.4 (4.6, 4.8): spread over beta, means, standard deviations."""
    figure, axes = sheet(3 * len(SELECTIONS), panel_inches=(4, 2.7))
    planned = experiment.planned_of()
    places, betas = sorted(planned["place"].unique()), sorted(planned["beta"].unique())
    spreads = []
    for row, selection in enumerate(SELECTIONS):
        line, means_map, sd_map = axes[3 * row : 3 * row + 3]
        spreads.append(_spread(line, experiment, metric, selection))
        of = means[means["selection"] == selection]
        for panel, value, limits, form in (
            (means_map, "value", (40.0, 100.0), "{:.0f}"),
            (sd_map, "sd", (0.0, 12.0), "{:.1f}"),
        ):
            table = of.pivot(index="beta", columns="place", values=value)
            table = table.reindex(index=betas, columns=places)
            matrix(
                panel,
                table,
                [f"{b:g}" for b in betas],
                [f"{p:g}" for p in places],
                limits=limits,
                form=form,
            )
            panel.tick_params(axis="x", rotation=0)
            panel.set_ylabel("beta", fontsize="small")
        means_map.set_title(f"mean, {SELECTIONS[selection]}", fontsize="medium")
        sd_map.set_title(f"standard deviation, {SELECTIONS[selection]}", fontsize="medium")
    for panel in axes[-3:]:
        panel.set_xlabel(ALONG[experiment.along].axis.removeprefix("the "), fontsize="small")
    numbers = "4.2 and 4.4" if experiment.along == "latents" else "4.6 and 4.8"
    dotted = " Dotted: published." if experiment.published and metric == LEGACY else ""
    return Drawing(
        f"{experiment.name}_spread_{metric}",
        f"beta_vae, {METRICS[metric]}: as figures {numbers}",
        figure,
        pd.concat(spreads, ignore_index=True),
        "Left: the standard deviation over the betas of their means, with 95 % bootstrap "
        "intervals, where every beta has a run; runs that differ add to it. Middle and right: per "
        f"cent, over the runs (ddof 0).{dotted}",
    )


def _spread(panel: Axes, experiment: Experiment, metric: str, selection: str) -> pd.DataFrame:
    cells = cells_of(experiment.of(metric, selection), experiment.planned_of())
    ours = spread_by_place(cells)
    with_intervals(panel, ours["place"].tolist(), ours, 0, "ours")
    frame = ours.assign(selection=selection, betas=", ".join(f"{b:g}" for b in cells.betas))
    if experiment.published and metric == LEGACY:
        theirs = published.scores(experiment.along)
        by_place = theirs[theirs["selection"] == selection].groupby("place")["published"]
        spreads = by_place.std(ddof=0)
        panel.plot(spreads.index, spreads, ":", color="black", linewidth=1, label="published")
        frame["published"] = frame["place"].map(spreads)
    panel.set_title(f"spread over beta, {SELECTIONS[selection]}", fontsize="medium")
    panel.set_xticks(sorted(experiment.planned["place"].unique()))
    panel.set_ylim(bottom=0)
    return frame


def _table(experiment: Experiment, means: pd.DataFrame) -> Table:
    theirs = published.scores(experiment.along).assign(metric=LEGACY, method=BETA_VAE)
    ours = means.merge(theirs, how="left", on=["metric", "selection", "method", "beta", "place"])
    if not experiment.published:
        ours = ours.assign(published=math.nan, published_sd=math.nan)
    ours["difference"] = ours["value"] - ours["published"]
    places = {name: place for place, name in enumerate([*METRICS, *SELECTIONS])}
    ours = ours.sort_values(
        ["metric", "selection", "method", "place", "beta"],
        key=lambda column: column.map(places) if column.name in ("metric", "selection") else column,
    )
    ours = ours.rename(columns={"place": experiment.along, "value": "mean"}).drop(columns="beta")
    return Table(
        f"{experiment.name}_scores",
        "Scores in per cent: mean over the runs, its 95 % bootstrap interval, and the published",
        ours.replace({"metric": METRICS, "selection": SELECTIONS}).round(2),
        "sd and published_sd have ddof 0; the published are of two runs.",
    )
