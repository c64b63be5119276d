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
KINDS = STEPS, AROUND, PERCEIVED = "steps", "steps\naround", "perceived"


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
    """A column a row of the frame; more than eight go on below."""
    columns = [_column(row, cyclic[row["trial_id"]]) for row in rows.to_dict("records")]
    kinds = [kind for kind in KINDS if any(kind in column for column in columns)]
    across = min(len(columns), 8)
    bands = -(-len(columns) // across)
    size = MATRIX_INCHES * across + 0.8, bands * (MATRIX_INCHES * len(kinds) + 0.45)
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    grid: Any = figure.subplots(bands * len(kinds), across, squeeze=False)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for number, (column, title) in enumerate(zip(columns, titles, strict=True)):
        band, place = divmod(number, across)
        for offset, kind in enumerate(kinds):
            axes = grid[band * len(kinds) + offset, place]
            if kind in column:
                axes.imshow(column[kind], cmap="viridis", vmin=0)
            if offset == 0:
                axes.set_title(title, fontsize="small")
            if place == 0:
                axes.set_ylabel(kind, fontsize="small")
    return figure


def _column(row: dict[Any, Any], cyclic: dict[str, int]) -> dict[str, Any]:
    """The matrices of a factor, by KINDS."""
    positions, period = int(row["positions"]), cyclic.get(row["factor"])
    found = {
        STEPS: ground_truth_matrix(positions),
        PERCEIVED: matrix_of(row["distance_matrix"]),
    }
    return found if period is None else found | {AROUND: ground_truth_matrix(positions, period)}


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
