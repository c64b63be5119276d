"""The distance matrices of the slides: ground truth beside perceived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from results.distances import RANDOM, ground_truth_matrix, matrix_of
from results.report.blocks import Block, Drawing, Table
from results.report.michlo2023.measured import Measured

MOST_FACTORS = 7
MATRIX_INCHES = 1.25


def matrices(found: Measured) -> list[Block]:
    """All factors of what was measured in one way; one factor of what was measured in several."""
    distances = found.distances[found.distances["factor"] != RANDOM]
    distances = distances.sort_values("loss", ascending=True, kind="stable")
    by_dataset = {
        str(name): list(rows.groupby("trial_id", sort=False))
        for name, rows in distances.groupby("dataset", sort=False)
    }
    blocks: list[Block] = []
    for name, of in by_dataset.items():
        if len(of) == 1:
            rows = of[0][1]
            shown = rows.head(MOST_FACTORS)
            blocks.append(
                Drawing(
                    f"matrices_{name}",
                    f"{rows['images'].iloc[0]}: a column a factor",
                    matrix_figure(shown, list(shown["factor"]), found.cyclic),
                    note="Dark is near. Steps between positions, as published; for a cyclic factor "
                    "the shorter way around, too; and the mean perceived distance.",
                )
            )
        else:
            blocks.append(
                Drawing(f"matrices_{name}", *_first_factor([rows for _, rows in of], found.cyclic))
            )
    return blocks


def _first_factor(
    measurements: Sequence[pd.DataFrame], cyclic: dict[str, dict[str, int]]
) -> tuple[str, Figure]:
    first = pd.concat([rows.head(1) for rows in measurements])
    titles = [
        str(row["images"]).removeprefix(f"{row['dataset']}, ") + f"\n{row['reconstruction']}"
        for row in first.to_dict("records")
    ]
    factor = first["factor"].iloc[0]
    return f"{first['dataset'].iloc[0]}: {factor}, a column a measurement", matrix_figure(
        first, titles, cyclic
    )


def matrix_figure(
    rows: pd.DataFrame, titles: Sequence[str], cyclic: dict[str, dict[str, int]]
) -> Figure:
    """For each row, from top to bottom: steps, steps around (where cyclic), perceived."""
    kinds = ["steps", "steps\naround", "perceived"]
    records = rows.to_dict("records")
    if not any(row["factor"] in cyclic[row["trial_id"]] for row in records):
        kinds.remove("steps\naround")
    across = min(len(records), 8)
    bands = -(-len(records) // across)
    size = MATRIX_INCHES * across + 0.8, bands * (MATRIX_INCHES * len(kinds) + 0.45)
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    grid: Any = figure.subplots(bands * len(kinds), across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    labelled: set[tuple[int, str]] = set()
    for number, (row, title) in enumerate(zip(records, titles, strict=True)):
        band, column = divmod(number, across)
        positions = int(row["positions"])
        period = cyclic[row["trial_id"]].get(row["factor"])
        for offset, kind in enumerate(kinds):
            axes = grid[band * len(kinds) + offset, column]
            if kind == "perceived":
                shown = matrix_of(row["distance_matrix"])
            elif kind == "steps":
                shown = ground_truth_matrix(positions)
            elif period is not None:
                shown = ground_truth_matrix(positions, period)
            else:
                continue
            axes.set_axis_on()
            axes.set_xticks([])
            axes.set_yticks([])
            axes.imshow(shown, cmap="viridis", vmin=0)
            if offset == 0:
                axes.set_title(title, fontsize="small")
            if (band, kind) not in labelled:
                axes.set_ylabel(kind, fontsize="small")
                labelled.add((band, kind))
    return figure


def agreement_table(found: Measured) -> Table:
    distances = found.distances[["trial_id", "factor", "distance_mean"]]
    random = distances[distances["factor"] == RANDOM].set_index("trial_id")["distance_mean"]
    table = found.agreements.merge(distances, on=["trial_id", "factor"])
    table["of random"] = table["distance_mean"] / table["trial_id"].map(random)
    names = {
        "images": "images",
        "loss": "loss",
        "seed": "seed",
        "factor": "factor",
        "distance_mean": "mean distance",
        "of random": "of random",
        "pearson": "pearson",
        "rank": "rank",
        "rank_around": "rank around",
        "variation": "sd / mean",
    }
    return Table(
        "distance_agreement",
        "How perceived distances go with ground-truth ones, by factor",
        table[list(names)].rename(columns=names),
        "The mean distance of pairs, and as a part of that of random pairs. Correlations over "
        "pairs of positions: with the steps between them, their ranks, and the ranks of the steps "
        "around the circle. They are 0 where all distances are equal, as then sd / mean is. The "
        "paper shows pictures and no numbers.",
    )
