"""Theorem 1 as a figure: what no unsupervised score sees, the supervised ones do."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from results.analysis.entanglement import Doubles, entangled, uniform_factors
from results.report.blocks import Block, Drawing, Missing, Section
from results.report.figures import colour, sheet

STEP = 3
"""Every third point of the grid is drawn, from all of it."""
BINS = 20


def section(scores: pd.DataFrame | None) -> Section:
    """`scores` has a row a score: `score`, `supervised`, and its values `z` and `f(z)`."""
    if scores is None:
        return Section("Theorem 1", [Missing("Theorem 1", "Its scores were not handed over.")])
    block: Block = Drawing(
        "theorem_1",
        "A perfect code z, and a code f(z) of the same distribution in which all is mixed",
        _figure(scores),
        scores,
        "f is of the family in the proof (appendix A): each dimension is made normal, a "
        "Householder reflection turns the normal vector, each is made uniform again. What is "
        "learned from images alone cannot tell z from f(z); metrics that know the factors can.",
    )
    return Section("Theorem 1", [block])


def _figure(scores: pd.DataFrame) -> Figure:
    z = uniform_factors(10, 4, 1).reshape(-1, 4)[::STEP]
    f = entangled(z)
    figure, axes = sheet(4, columns=2, panel_inches=(4.6, 3.4))
    for panel, codes, name in zip(axes, (z, f), ("z", "f(z)"), strict=False):
        panel.scatter(
            codes[:, 0], codes[:, 1], c=z[:, 0], s=7, cmap="viridis", linewidths=0, rasterized=True
        )
        panel.set_title(f"{name}, coloured by the first factor", fontsize="medium")
        panel.set_xlabel("latent 1", fontsize="small")
        panel.set_ylabel("latent 2", fontsize="small")
        panel.set_aspect("equal")
    _marginals(axes[2], z, f)
    _bars(axes[3], scores)
    return figure


def _marginals(panel: Axes, z: Doubles, f: Doubles) -> None:
    edges = np.linspace(0, 1, BINS + 1)
    for number, (codes, name) in enumerate(((z, "z"), (f, "f(z)"))):
        for latent, values in enumerate(codes.T):
            density, _ = np.histogram(values, edges, density=True)
            panel.stairs(
                density, edges, color=colour(number), label=None if latent else f"{name}, 4 latents"
            )
    panel.set_ylim(0, 1.5)
    panel.set_title("density of every latent", fontsize="medium")
    panel.legend(fontsize="small", frameon=False)


def _bars(panel: Axes, scores: pd.DataFrame) -> None:
    places = np.arange(len(scores))[::-1]
    for number, name in enumerate(("z", "f(z)")):
        panel.barh(
            places + 0.2 - 0.4 * number, scores[name], height=0.4, color=colour(number), label=name
        )
    names = scores["score"].str.removeprefix("unsupervised_")
    panel.set_yticks(places, names, fontsize="x-small")
    panel.set_title("scores", fontsize="medium")
    panel.legend(fontsize="small", frameon=False)
