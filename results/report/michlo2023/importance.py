"""Table 1 of the supplement, and which sections there are of distances between images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from results.published.michlo2023 import FACTOR_IMPORTANCE, IMPORTANCE_IN_CODE
from results.report.blocks import Block, Missing, Section, Table
from results.report.michlo2023.cumulative import cumulative
from results.report.michlo2023.matrices import agreement_table, matrices
from results.report.michlo2023.measured import Measured

TAKES = "grids/michlo2023/importance.yaml, or importance-small.yaml, which needs no download"
STAND_IN = "dsprites_rendered"
PRINTED = {
    **{images: (numbers, "table 1") for images, numbers in FACTOR_IMPORTANCE.items()},
    STAND_IN: (FACTOR_IMPORTANCE["dsprites"], "table 1, of dsprites"),
    **{images: (numbers, "disent's code") for images, numbers in IMPORTANCE_IN_CODE.items()},
}
"""The numbers of each images, and where they stand."""


def sections(found: Measured) -> list[Section]:
    if found.distances.empty:
        missing: list[Block] = [
            Missing(what, f"No study of this report has measured distances: {TAKES}.")
            for what in ("Table 1", "Figure 1 of the supplement", "Distance matrices")
        ]
        return [Section("Distances between images", missing)]
    return [
        Section("Table 1 of the supplement: factor importance", importance_blocks(found)),
        Section("Figure 1 of the supplement: cumulative distances", [cumulative(found)]),
        Section(
            "Slides: ground-truth and perceived distances",
            [*matrices(found), agreement_table(found)],
        ),
    ]


def importance_blocks(found: Measured) -> list[Block]:
    table = importance_table(found.by_mse)
    blocks: list[Block] = []
    if len(table):
        blocks.append(
            Table(
                "table_1",
                "Mean and standard deviation of the distances of pairs, ours and published",
                table,
                "Plain pixels in [0, 1], mse. n is of measurements that differ by their seed; the "
                "standard error is of the mean over pairs, and somewhat too small, as pairs of one "
                "traversal go together. dsprites_rendered is a stand-in that is drawn to come out "
                "as dSprites. What is measured of other images is in the table below the matrices.",
            )
        )
    lacking = [n for n in FACTOR_IMPORTANCE if n != STAND_IN and n not in set(table["images"])]
    if lacking:
        blocks.append(
            Missing(
                f"Table 1 of {', '.join(lacking)}",
                "Not measured: grids/michlo2023/importance.yaml.",
            )
        )
    return blocks


def importance_table(distances: pd.DataFrame) -> pd.DataFrame:
    """A row a factor of the images that there are published numbers of, by falling distance.

    Ours is the mean over measurements that differ by their seed.
    """
    columns = [
        "images", "factor", "mean", "published mean", "difference", "standard error", "sd",
        "published sd", "published in", "pairs", "n",
    ]  # fmt: skip
    tables = [pd.DataFrame(columns=columns)]
    for key, of_images in distances.groupby("images", sort=False):
        images = str(key)
        if images not in PRINTED:
            continue
        numbers, where = PRINTED[images]
        rows = []
        for factor, of in of_images.groupby("factor", sort=False):
            mean, sd, pairs = (
                of["distance_mean"].mean(),
                of["distance_sd"].mean(),
                of["pairs"].sum(),
            )
            printed_mean, printed_sd = numbers[str(factor)]
            difference, error = mean - printed_mean, sd / np.sqrt(pairs)
            found = (mean, printed_mean, difference, error, sd, printed_sd, where, pairs, len(of))
            rows.append((images, factor, *found))
        table = pd.DataFrame(rows, columns=columns)
        tables.append(table.sort_values("mean", ascending=False, kind="stable"))
    return pd.concat(tables[1:] or tables, ignore_index=True)
