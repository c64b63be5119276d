"""What each latent does, for every number of latents and of factors: the thesis' appendices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from grids.datasets import DATASETS, SONG_FACTORS, Song
from results.analysis.selection import final_scores
from results.arrays import read_arrays
from results.report.blocks import Block, Drawing, Missing
from results.report.figures import matrix
from results.report.pictures import kl_by_latent, pictures_of, traversal_sheet
from results.report.song2018.experiments import BETA_VAE, LEGACY
from results.report.studies import Studies

ARRAYS = "latents.npz"


def latents(studies: Studies, trials: pd.DataFrame) -> list[Block]:
    """Of each number of factors and of latents the run with the best score of the last step.

    That of a beta-VAE where there is one. Its traversals (appendices A and B), and how still each
    latent stands while a factor is held.
    """
    final = final_scores(studies.scores, trials)
    score = final[final["score"] == LEGACY].set_index("trial_id")["value"]
    trials = trials.assign(score=trials["trial_id"].map(score))
    trials = trials.assign(other=trials["method"] != BETA_VAE)
    trials = trials.sort_values(["other", "score"], ascending=[True, False], kind="stable")
    blocks: list[Block] = []
    without = []
    for (factors, size), of in trials.groupby(["complexity", "latents"]):
        cell = f"{factors} factors and {size} latents"
        drawn = next((t for _, t in of.iterrows() if pictures_of(studies, t["trial_id"])), None)
        if drawn is None:
            without.append(cell)
        else:
            blocks += _cell(studies, drawn, f"k{factors}_d{size}", cell)
    if without:
        why = f"No trial with pictures yet of {'; '.join(without)}."
        blocks.append(Missing("Traversals", f"{why} It takes trials that completed."))
    return blocks or [Missing("Traversals", "It takes grids/song2018/bottleneck.yaml.")]


def _cell(studies: Studies, trial: pd.Series, name: str, cell: str) -> list[Block]:
    path = pictures_of(studies, trial["trial_id"])
    assert path is not None
    scored = "" if np.isnan(trial["score"]) else f", {100 * trial['score']:.1f} % (as run)"
    title = f"{cell}: {trial['setting']}, seed {trial['seed']}{scored}"
    blocks: list[Block] = [
        Drawing(
            f"song_traversals_{name}",
            title,
            traversal_sheet(path, trial),
            note=f"Trial {trial['trial_id']} of {trial['study']}, latents by falling KL.",
        )
    ]
    arrays = path.with_name(ARRAYS)
    if not arrays.exists():
        return [*blocks, Missing("Which factor each latent follows", "It takes a scored trial.")]
    ratios = read_arrays(arrays, "variance_ratios")["variance_ratios"]
    kl_nats = kl_by_latent(trial)
    order = np.argsort(-kl_nats, kind="stable") if kl_nats is not None else np.arange(len(ratios.T))
    factors = _factor_names(str(trial["dataset"]))
    frame = pd.DataFrame(ratios[:, order], index=factors, columns=[f"z{i}" for i in order])
    note = (
        "The share of a latent's variance that is left while a factor is held fixed: 0 where the "
        "latent is a function of the factor alone, 1 where it does not notice it."
    )
    figure = _ratios(frame)
    drawn = frame.rename_axis("factor").reset_index()
    return [*blocks, Drawing(f"song_follows_{name}", f"{cell}: latents", figure, drawn, note)]


def _factor_names(dataset: str) -> list[str]:
    images = DATASETS[dataset]()
    if isinstance(images, Song):
        return list(SONG_FACTORS[: images.complexity])
    return list(images.factor_names)


def _ratios(frame: pd.DataFrame) -> Figure:
    rows, columns = frame.shape
    figure = Figure(
        figsize=(1.4 + 0.42 * columns, 0.7 + 0.32 * rows), layout="constrained", dpi=100
    )
    axes = figure.subplots()
    values: npt.NDArray[np.float64] = frame.to_numpy(dtype=float)
    # Reversed, so that what a latent follows is what is dark.
    names = [str(name) for name in frame.index], [str(name) for name in frame.columns]
    matrix(axes, values, *names, limits=(0, 1), form="{:.2f}", cmap="Blues_r")
    axes.tick_params(length=0)
    return figure
