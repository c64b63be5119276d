"""What the drawings of the reports share: a sheet of axes, colours, points with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's, which the colour-blind tell apart; yellow is left out, being too light on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
PANEL_INCHES = (3.4, 2.7)
MOST_DOTS = 100
"""More of them hide their violin."""


def sheet(
    panels: int,
    *,
    columns: int = 3,
    panel_inches: tuple[float, float] = PANEL_INCHES,
    share_y: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of so many axes, in rows of at most `columns`."""
    columns = min(columns, panels)
    rows = math.ceil(panels / columns)
    size = panel_inches[0] * columns, panel_inches[1] * rows
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=share_y).flat)
    for unused in axes[panels:]:
        unused.set_axis_off()
    for used in axes[:panels]:
        used.spines[["top", "right"]].set_visible(False)
    return figure, axes[:panels]


def legend_above(figure: Figure, axes: Sequence[Axes]) -> None:
    """One legend for all axes, above them: what each label stands for in the first that has it."""
    handles: dict[str, Any] = {}
    for panel in axes:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if handles:
        width = max(1.4, 0.6 + 0.08 * max(len(label) for label in handles))  # inches
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside upper left",
            ncols=min(len(handles), max(1, int(figure.get_figwidth() / width))),
            fontsize="small",
            markerscale=1.5,
            frameon=False,
        )


def in_lines(label: object) -> str:
    """A name and its parameters, "xysquares, spacing 8", a line each."""
    return str(label).replace(", ", "\n")


def colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def marker(number: int) -> str:
    return MARKERS[number % len(MARKERS)]


def with_intervals(
    axes: Axes, places: Sequence[float], rows: pd.DataFrame, number: int, label: str
) -> None:
    """Points joined by a line, with bars from `low` to `high`: rows of intervals.by_group."""
    values = rows["value"].to_numpy(dtype=float)
    below = values - rows["low"].fillna(rows["value"]).to_numpy(dtype=float)
    above = rows["high"].fillna(rows["value"]).to_numpy(dtype=float) - values
    axes.errorbar(
        places,
        values,
        yerr=np.clip(np.stack([below, above]), 0, None),
        color=colour(number),
        marker=marker(number),
        markersize=4,
        capsize=2,
        linewidth=1.2,
        label=label,
    )


def violins(
    axes: Axes, groups: Sequence[Sequence[float]], labels: Sequence[str], *, numbers: Sequence[int]
) -> None:
    """A violin a group, with its median and, unless they are many, its values as dots.

    Of fewer than three values there is no violin.
    """
    for place, (values, number) in enumerate(zip(groups, numbers, strict=True)):
        there = np.asarray([v for v in values if not math.isnan(v)], dtype=float)
        if len(there) >= 3 and there.std() > 0:
            drawn: Any = axes.violinplot([there], [place], widths=0.8, showextrema=False)
            for body in drawn["bodies"]:
                body.set_facecolor(colour(number))
                body.set_alpha(0.35)
        if 0 < len(there) <= MOST_DOTS:
            spread = np.random.default_rng(0).uniform(-0.08, 0.08, len(there))
            axes.scatter(place + spread, there, s=5, color=colour(number))
        if len(there):
            axes.hlines(np.median(there), place - 0.25, place + 0.25, color="black", linewidth=1.2)
    axes.set_xticks(range(len(labels)), labels, fontsize="small")


def matrix(
    axes: Axes,
    values: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    limits: tuple[float, float],
    form: str = "{:.0f}",
    cmap: str = "viridis",
) -> None:
    """A heat map with its numbers written in."""
    table = np.asarray(values, dtype=float)
    image = axes.imshow(table, vmin=limits[0], vmax=limits[1], cmap=cmap, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        if not math.isnan(value):
            red, green, blue, _ = image.cmap(image.norm(value))
            light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.55
            axes.text(
                column,
                row,
                form.format(value),
                ha="center",
                va="center",
                fontsize="small",
                color="black" if light else "white",
            )
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right", fontsize="small")
    axes.set_yticks(range(len(rows)), rows, fontsize="small")
    axes.spines[:].set_visible(False)
