"""FID and reconstruction loss: table 3, figures 7 to 10, and disentanglement against them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from results.analysis.intervals import interval
from results.analysis.rank_agreement import rank_agreement
from results.published import fil2021 as published
from results.report.blocks import Block, Drawing, Missing, Table
from results.report.figures import colour, marker, sheet
from results.report.fil2021.runs import FID, LOSS, SAMPLE_FID, Group, accuracy
from results.report.pictures import FRAME, pictures_of, read_pictures, tiled
from results.report.studies import Studies

TERMS = {FID: "FID", LOSS: "reconstruction loss"}


def images(study: str, studies: Studies, mine: Sequence[Group]) -> list[Block]:
    """FID, and the loss by step, of the groups of a study that are scored more than once."""
    curves = {group.name: by_step(studies, group) for group in mine if not group.baseline}
    with_fid = [g for g in mine if g.name in curves and curves[g.name][FID].notna().any()]
    several = [g for g in mine if g.name in curves and curves[g.name]["step"].nunique() > 1]
    blocks: list[Block] = []
    if with_fid:
        blocks.append(_fid(study, with_fid))
    elif any(FID in grid.evaluate.metrics for grid in studies.grids if grid.study == study):
        blocks.append(Missing("FID (table 3, figures 7 and 8)", "No trial has been scored yet."))
    if several:
        blocks.append(_curves(study, several, curves))
    if with_fid:
        blocks.append(_agreement(study, with_fid, curves))
    return blocks


def by_step(studies: Studies, group: Group) -> pd.DataFrame:
    """trial_id, step, setting, FID, LOSS: of the steps that have either."""
    scores = studies.scores
    scores = scores[
        scores["trial_id"].isin(group.trials["trial_id"])
        & scores["score"].isin([FID, "reconstruction"])
    ]
    # Of a step that has scores of both sizes the full one.
    scores = scores.sort_values("size").drop_duplicates(["trial_id", "step", "score"], keep="last")
    table = scores.pivot(index=["trial_id", "step"], columns="score", values="value").reset_index()
    table = table.rename(columns={"reconstruction": LOSS})
    settings = group.trials.set_index("trial_id")["setting"]
    table = table.reindex(columns=["trial_id", "step", FID, LOSS])
    return table.assign(setting=table["trial_id"].map(settings))


def _fid(study: str, groups: Sequence[Group]) -> Table:
    rows = []
    for group in groups:
        for setting in group.settings:
            ours = interval(group.of(FID, setting))
            known = published.FID.get(group.dataset, {}) if group.as_published else {}
            theirs = next((v for b, v in known.items() if f"{b:g}-VAE" == setting), math.nan)
            samples = group.of(SAMPLE_FID, setting)
            rows.append(
                {
                    "dataset": group.shown_dataset,
                    "setting": setting,
                    "n": ours.n,
                    "FID of reconstructions": ours.value,
                    "low": ours.low,
                    "high": ours.high,
                    "published": theirs,
                    "difference": ours.value - theirs,
                    "FID of samples": float(np.mean(samples)) if samples else math.nan,
                }
            )
    return Table(
        f"fil_fid_{study}",
        "FID, mean over seeds (table 3; lower is better)",
        pd.DataFrame(rows),
        f"WGAN-GP has {published.FID_OF_WGAN_GP} and a modern VAE {published.FID_OF_A_MODERN_VAE} "
        "on CIFAR10 (section 2.2.1), which are of samples, as the last column is. The published "
        "numbers are of two seeds.",
    )


def _curves(study: str, groups: Sequence[Group], curves: dict[str, pd.DataFrame]) -> Drawing:
    terms = [t for t in (FID, LOSS) if any(curves[g.name][t].notna().any() for g in groups)]
    figure, axes = sheet(len(terms) * len(groups), columns=len(groups), panel_inches=(4.2, 2.8))
    drawn = []
    for column, group in enumerate(groups):
        rows = curves[group.name]
        for row, term in enumerate(terms):
            axis = axes[row * len(groups) + column]
            for number, setting in enumerate(group.settings):
                by_step = rows[rows["setting"] == setting].groupby("step")[term]
                line = by_step.agg(["mean", "min", "max", "count"])
                color = colour(number)
                axis.plot(line.index, line["mean"], "o-", color=color, markersize=3, label=setting)
                axis.fill_between(line.index, line["min"], line["max"], color=color, alpha=0.15)
                drawn.append(
                    line.reset_index().assign(
                        dataset=group.shown_dataset, setting=setting, term=term
                    )
                )
            axis.set_title(f"{TERMS[term]}, {group.shown_dataset}", fontsize="medium")
            axis.set_xlabel("step", fontsize="small")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize="small", frameon=False)
    return Drawing(
        f"fil_curves_{study}",
        f"{' and '.join(TERMS[term] for term in terms)} by step (as figures 7 and 8)",
        figure,
        pd.concat(drawn, ignore_index=True),
        "Means over seeds, with bands from the least to the largest.",
    )


def _agreement(study: str, groups: Sequence[Group], curves: dict[str, pd.DataFrame]) -> Table:
    rows = []
    for group in groups:
        of_dataset = curves[group.name]
        each = [("all", of_dataset)] + [
            (setting, of_dataset[of_dataset["setting"] == setting]) for setting in group.settings
        ]
        for setting, of in each:
            found = rank_agreement(of, FID, LOSS)
            rows.append({"dataset": group.shown_dataset, "setting": setting, **found._asdict()})
    table = pd.DataFrame(rows).rename(columns={"value": "rank correlation", "n": "trials"})
    return Table(
        f"fil_agreement_{study}",
        "Rank correlation of FID and reconstruction loss over steps and trials",
        table,
        "Spearman's; 95 % bootstrap intervals over whole trials.",
    )


def pictures(study: str, studies: Studies, mine: Sequence[Group]) -> list[Block]:
    """Figures 9 and 10: of each dataset a row of originals, and of each beta a trial's."""
    blocks: list[Block] = []
    for group in mine:
        rows: list[np.ndarray] = []
        names: list[str] = []
        for setting in group.settings:
            for trial_id in group.trials.loc[group.trials["setting"] == setting, "trial_id"]:
                if path := pictures_of(studies, trial_id):
                    arrays = read_pictures(path)
                    if not rows:
                        rows, names = [arrays["originals"]], ["originals"]
                    rows.append(arrays["reconstructions"])
                    names.append(setting)
                    break
        if rows:
            figure = _rows(np.stack(rows), names)
            title = f"Reconstructions of {group.title} (as figures 9 and 10)"
            blocks.append(Drawing(f"fil_reconstructions_{group.name}", title, figure))
    return blocks


def _rows(images: np.ndarray, names: Sequence[str]) -> Figure:
    figure = Figure(figsize=(8, 0.9 * len(names) + 0.2), layout="compressed", dpi=100)
    axes = figure.subplots()
    axes.imshow(tiled(images), cmap="gray", vmin=0, vmax=255)
    cell = images.shape[-1] + 2 * FRAME
    axes.set_xticks([])
    axes.set_yticks(cell * (np.arange(len(names)) + 0.5), names, fontsize="small")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def against_disentanglement(study: str, mine: Sequence[Group]) -> list[Block]:
    """Section 3.2: is what reconstructs better more, or less, disentangled?"""
    groups = [g for g in mine if {accuracy(), LOSS} <= set(g.final) and not g.baseline]
    if not groups:
        return []
    figure, axes = sheet(len(groups), panel_inches=(3.9, 2.9))
    rows = []
    for axis, group in zip(axes, groups, strict=True):
        for number, setting in enumerate(group.settings):
            of = group.final[group.final["setting"] == setting]
            color, mark = colour(number), marker(number + number // 7)
            axis.scatter(of[LOSS], of[accuracy()], s=16, color=color, marker=mark, label=setting)
        found = rank_agreement(group.final.assign(step=0), LOSS, accuracy())
        rows.append({"dataset": group.shown_dataset, "model": group.model, **found._asdict()})
        axis.set_title(f"{group.shown_dataset}, {group.model}", fontsize="medium")
        axis.set_xlabel("reconstruction loss", fontsize="small")
    axes[0].set_ylabel("score, %", fontsize="small")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize="small", frameon=False)
    table = pd.DataFrame(rows).rename(columns={"value": "rank correlation"})
    drawing = Drawing(
        f"fil_tradeoff_{study}",
        "Disentanglement against reconstruction (section 3.2)",
        figure,
        pd.concat(
            [
                g.final[["trial_id", "setting", LOSS, accuracy()]].assign(group=g.name)
                for g in groups
            ]
        ),
        "A dot a run; losses of different datasets do not compare.",
    )
    note = "Spearman's, over runs of all settings; below 0 where better reconstructions score more."
    return [drawing, Table(f"fil_tradeoff_ranks_{study}", "Their rank correlation", table, note)]
