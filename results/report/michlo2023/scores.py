"""Figures 6 and 11, violins, and figure 9, scores against spacing: each best and final."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from results.analysis.intervals import by_group
from results.published.michlo2023 import EXPERIMENTS
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.figures import colour, marker, sheet, violins, with_intervals
from results.report.michlo2023.experiments import BEST, SELECTIONS, Experiment
from results.report.michlo2023.overlap import chosen_betas

GRID_FILES = {6: "adversarial", 9: "overlap", 11: "augmented_loss"}
TITLES = {
    6: "Figure 6: scores of squares without overlap and of other images",
    9: "Figure 9: scores against the spacing of the squares",
    11: "Figure 11: scores with and without the blur in the loss",
}
NO_NUMBERS = "The paper prints no numbers for this figure."


def sections(experiments: Sequence[Experiment]) -> list[Section]:
    """One a figure, with the drawing and the table of each study that has its trials."""
    found = []
    for figure, title in TITLES.items():
        of = [experiment for experiment in experiments if experiment.figure == figure]
        blocks: list[Block] = []
        for experiment in of:
            # File names are short where one study has the figure, as most reports are of one.
            name = f"figure_{figure}" if len(of) == 1 else f"figure_{figure}_{experiment.study}"
            blocks += _blocks(experiment, name)
        if not of:
            grids = f"grids/michlo2023/{GRID_FILES[figure]}.yaml or its -small or -as-run variant"
            blocks.append(Missing(title.split(":")[0], f"No study of this report has it: {grids}."))
        found.append(Section(title, blocks))
    return found


def _blocks(experiment: Experiment, name: str) -> list[Block]:
    if experiment.scores.empty:
        why = f"None of the {len(experiment.trials)} trials of {experiment.study} has scores yet."
        return [Missing(f"Figure {experiment.figure} of {experiment.study}", why)]
    draw = {6: _over_datasets, 9: _over_spacings, 11: _over_losses}[experiment.figure]
    keys, figure, note = draw(experiment)
    shown = experiment.scores[experiment.scores["score"].isin(experiment.shown())]
    table = by_group(shown, ["score", "selection", *keys])
    published = EXPERIMENTS[experiment.figure]
    standing = (
        f"{experiment.completed} of {len(experiment.trials)} trials completed; "
        f"the paper's were {published.trials}."
    )
    if not (experiment.scores["selection"] == BEST).any():
        standing += " Scored at the end only: the best in training, as published, is not there."
    return [
        Drawing(name, experiment.study, figure, note=f"{note} {standing} {NO_NUMBERS}"),
        Table(
            f"{name}_scores",
            f"{experiment.study}: means with their 95 % bootstrap intervals, n trials",
            table,
        ),
    ]


def panels(experiment: Experiment) -> tuple[Figure, list[tuple[Axes, pd.DataFrame]]]:
    """A panel for each selection that there is (rows) and each score shown (columns)."""
    shown = experiment.shown()
    scores = experiment.scores
    selections = [s for s in SELECTIONS if (scores["selection"] == s).any()]
    figure, axes = sheet(
        len(selections) * len(shown), columns=len(shown), panel_inches=(5.2, 2.8), share_y=True
    )
    places = [(selection, score) for selection in selections for score in shown]
    filled = []
    for panel, (selection, score) in zip(axes, places, strict=True):
        panel.set_title(f"{score}, {selection}", fontsize="medium")
        of = scores[(scores["selection"] == selection) & (scores["score"] == score)]
        filled.append((panel, of))
    drawn = scores.loc[scores["score"].isin(shown), "value"]
    top = 1.05 * drawn.max() or 1.0
    axes[0].set_ylim(min(-0.03 * top, drawn.min()), top)  # dots at 0 are whole
    return figure, filled


def _pairs_of_violins(
    experiment: Experiment, along: str, groups: Sequence[str], hue: str, hues: Sequence[str]
) -> Figure:
    """For each group on the x axis a violin of each hue, side by side."""
    figure, filled = panels(experiment)
    for panel, rows in filled:
        values = [
            rows.loc[(rows[along] == group) & (rows[hue] == value), "value"].to_list()
            for group in groups
            for value in hues
        ]
        numbers = list(range(len(hues))) * len(groups)
        violins(panel, values, [""] * len(values), numbers=numbers)
        centres = [len(hues) * place + (len(hues) - 1) / 2 for place in range(len(groups))]
        # Names of datasets with their parameters are long.
        names = [group.replace(", ", ",\n") for group in groups]
        panel.set_xticks(centres, names, fontsize="small")
        for centre in centres[1:]:
            panel.axvline(centre - len(hues) / 2, color="0.85", linewidth=0.8)
    handles = [
        Line2D([], [], color=colour(number), marker="o", linestyle="", label=value)
        for number, value in enumerate(hues)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(hues), frameon=False)
    return figure


def _order(frame: pd.DataFrame, column: str) -> list[str]:
    """The values in the order of the grid."""
    return [str(value) for value in frame[column].unique()]


def _over_datasets(experiment: Experiment) -> tuple[list[str], Figure, str]:
    trials = experiment.trials
    figure = _pairs_of_violins(
        experiment, "images", _order(trials, "images"), "framework", _order(trials, "framework")
    )
    note = (
        "A violin is of all trials of a framework on a dataset, whatever their beta and number of "
        "latents, as published; its line is the median."
    )
    return ["images", "framework"], figure, note


def _over_losses(experiment: Experiment) -> tuple[list[str], Figure, str]:
    trials = experiment.trials
    along = "framework" if trials["images"].nunique() == 1 else "images"
    figure = _pairs_of_violins(
        experiment, along, _order(trials, along), "reconstruction", _order(trials, "reconstruction")
    )
    note = (
        f"A violin is of all trials of a loss and {along}, whatever their beta, as published; its "
        "line is the median."
    )
    return ["images", "framework", "reconstruction"], figure, note


def _over_spacings(experiment: Experiment) -> tuple[list[str], Figure, str]:
    lines, note = chosen_betas(experiment.trials)
    figure, filled = panels(experiment)
    for panel, rows in filled:
        for number, (label, trial_ids) in enumerate(lines.items()):
            of = rows[rows["trial_id"].isin(trial_ids)]
            panel.scatter(
                of["dataset.spacing"].astype(float), of["value"], s=6, alpha=0.4,
                color=colour(number),
            )  # fmt: skip
            line = by_group(of, ["dataset.spacing"])
            places = line["dataset.spacing"].astype(float).to_list()
            with_intervals(panel, places, line, number, label)
        panel.set_xticks(sorted(rows["dataset.spacing"].astype(float).unique()))
        panel.set_xlabel("spacing, pixels", fontsize="small")
    handles = [
        Line2D([], [], color=colour(number), marker=marker(number), label=label)
        for number, label in enumerate(lines)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    keys = ["framework", "beta_mean", "dataset.spacing"]
    return keys, figure, f"Means with 95 % bootstrap intervals; dots are trials. {note}"
