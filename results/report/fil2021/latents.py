"""What the latents do: traversals (figure 4), and codes along each factor by PCA (figure 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.embedding import embedded, extent
from results.arrays import read_arrays
from results.report.blocks import Block, Drawing, Missing
from results.report.figures import colour, sheet
from results.report.fil2021.runs import ALL_FACTORS, WITHOUT_SHAPE, Group
from results.report.pictures import pictures_of, traversal_sheet
from results.report.studies import Studies

ARRAYS = "latents.npz"
ALONG = "codes_along_"
MOST_LATENTS = 16
"""In a sheet of traversals: the VAEs of photographs have 128."""


def latents(studies: Studies, groups: Sequence[Group]) -> list[Block]:
    """Of every group of VAEs: the traversals of its best run, and figure 5 by beta."""
    found: list[Block] = []
    for group in groups:
        if not group.baseline:
            found += [*_traversals(studies, group), *_embeddings(studies, group)]
    why = "No VAE of these studies has left pictures yet. It takes trials that completed."
    return found or [Missing("Traversals (figure 4) and latent space (figure 5)", why)]


def codes_of(studies: Studies, trial_id: str) -> dict[str, npt.NDArray[np.float64]]:
    """By factor, [positions, Z]; none where the trial left none."""
    folder = studies.artifacts(trial_id)
    if folder is None or not (folder / ARRAYS).exists():
        return {}
    arrays = read_arrays(folder / ARRAYS)
    return {n.removeprefix(ALONG): arrays[n] for n in arrays if n.startswith(ALONG)}


def followed_factors(studies: Studies, trial_id: str, most: float) -> float:
    """How many factors have a latent that keeps at most this share of its variance without them.

    NaN where the trial has not left its ratios.
    """
    folder = studies.artifacts(trial_id)
    if folder is None or not (folder / ARRAYS).exists():
        return float("nan")
    ratios = read_arrays(folder / ARRAYS, "variance_ratios")["variance_ratios"]
    return float((ratios.min(axis=1) <= most).sum())


def extents(studies: Studies, group: Group) -> pd.DataFrame:
    """beta, extent of each run that has left its codes."""
    rows = []
    for trial in group.trials.itertuples():
        if codes := codes_of(studies, str(trial.trial_id)):
            rows.append((trial.trial_id, trial.beta_sum, extent(codes)))
    return pd.DataFrame(rows, columns=["trial_id", "beta", "extent"])


def _best(group: Group) -> pd.DataFrame:
    """Its trials, the best score first."""
    score = group.final.set_index("trial_id").get(ALL_FACTORS, pd.Series(dtype=float))
    trials = group.trials.assign(score=group.trials["trial_id"].map(score))
    return trials.sort_values("score", ascending=False, kind="stable")


def _traversals(studies: Studies, group: Group) -> list[Block]:
    for _, trial in _best(group).iterrows():
        if path := pictures_of(studies, trial["trial_id"]):
            scored = "" if pd.isna(trial["score"]) else f", {trial['score']:.1f} % of all factors"
            four = group.final.set_index("trial_id").get(WITHOUT_SHAPE, pd.Series(dtype=float))
            if trial["trial_id"] in four.index and group.dataset.startswith("dsprites"):
                scored += f", {four[trial['trial_id']]:.1f} % without the shape"
            return [
                Drawing(
                    f"fil_traversals_{group.name}",
                    f"Traversals of {group.title} (as figure 4)",
                    traversal_sheet(path, trial, most_latents=MOST_LATENTS),
                    note=f"{trial['setting']}, seed {trial['seed']}{scored}: the run with the best "
                    f"score. Latents by falling KL, at most {MOST_LATENTS}.",
                )
            ]
    return []


def _embeddings(studies: Studies, group: Group) -> list[Block]:
    """A panel a beta: the run with the best score of it."""
    best = _best(group)
    chosen = []
    for setting in group.settings:
        for trial_id in best.loc[best["setting"] == setting, "trial_id"]:
            if codes := codes_of(studies, trial_id):
                chosen.append((setting, trial_id, codes))
                break
    if not chosen:
        return []
    figure, axes = sheet(len(chosen), columns=4, panel_inches=(3.1, 3))
    drawn = []
    for axis, (setting, trial_id, codes) in zip(axes, chosen, strict=True):
        places, share = embedded(codes)
        for number, (factor, along) in enumerate(places.groupby("factor", sort=False)):
            axis.plot(
                along["first"],
                along["second"],
                color=colour(number),
                marker="o",
                markersize=3,
                linewidth=0.6,
                label=str(factor),
            )
        axis.set_title(f"{setting}, {100 * share:.0f} % of the variance", fontsize="small")
        axis.set_aspect("equal", adjustable="datalim")
        axis.tick_params(labelsize="x-small")
        drawn.append(places.assign(setting=setting, trial_id=trial_id))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7, fontsize="small")
    return [
        Drawing(
            f"fil_latent_space_{group.name}",
            f"Codes along each factor, {group.title} (as figure 5)",
            figure,
            pd.concat(drawn, ignore_index=True),
            "A factor is traversed while the others rest in the middle; the first two principal "
            "components of these codes, of the run with the best score of each setting.",
        )
    ]
