"""Draws docs/quickstart.png from the tables and pictures of the quickstart study.

python docs/draw_quickstart.py runs/quickstart docs/quickstart.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import pandas as pd

from results import load

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

NAMES = {"beta_vae": "β-VAE", "ada_gvae": "Ada-GVAE"}
COLOURS = {"beta_vae": "#4c72b0", "ada_gvae": "#dd8452"}
SPACINGS = {16: "no overlap\n(spacing 16)", 3: "overlap\n(spacing 3)"}
LATENTS = 5


def draw_scores(axes: Axes, rows: pd.DataFrame, score: str, title: str) -> None:
    """A dot a trial, a line from mean to mean."""
    for framework, name in NAMES.items():
        of = rows[(rows["framework"] == framework) & (rows["score"] == score)]
        means = of.groupby("dataset.spacing")["value"].mean()
        places = list(range(len(SPACINGS)))
        axes.plot(places, [means[s] for s in SPACINGS], color=COLOURS[framework], label=name)
        for place, spacing in zip(places, SPACINGS, strict=True):
            values = of[of["dataset.spacing"] == spacing]["value"]
            axes.scatter([place] * len(values), values, color=COLOURS[framework], s=18)
    axes.set_xticks(places, list(SPACINGS.values()))
    axes.set_xlim(-0.4, len(SPACINGS) - 0.6)
    axes.set_ylim(0, 1)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def traversal_sheet(pictures: Path, latents: list[int]) -> npt.NDArray[np.uint8]:
    """The traversals of these latents, a row each, with a grey line between images."""
    with np.load(pictures) as arrays:
        images = arrays["traversals"][latents].transpose(0, 1, 3, 4, 2)
    framed = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2), (0, 0)), constant_values=90)
    rows, columns, height, width, channels = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def main(study: Path, out: Path) -> None:
    frames = load(study)
    final = frames.scores[frames.scores["size"] == "full"].merge(
        frames.trials.drop(columns="seed"), on="trial_id"
    )
    figure, axes = plt.subplots(
        1, 4, figsize=(12, 3.2), width_ratios=[1, 1, 1.3, 1.3], constrained_layout=True
    )
    draw_scores(axes[0], final, "mig", "MIG")
    draw_scores(axes[1], final, "factor_vae_score", "FactorVAE score")
    axes[0].legend(frameon=False, fontsize=9)
    for place, spacing in zip(axes[2:], SPACINGS, strict=True):
        trials = frames.trials
        of = trials[(trials["framework"] == "ada_gvae") & (trials["dataset.spacing"] == spacing)]
        row = of.sort_values("seed").iloc[0]
        strongest = np.argsort(row["final_kl_nats_by_latent"])[::-1][:LATENTS]
        pictures = study / "artifacts" / row["trial_id"] / "pictures.npz"
        place.imshow(traversal_sheet(pictures, sorted(strongest)))
        label = SPACINGS[spacing].split("\n")[0]
        place.set_title(f"Ada-GVAE, {label}: latents from −3 to 3", fontsize=10)
        place.set_axis_off()
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
