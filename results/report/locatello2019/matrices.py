"""Matrices of several datasets as one table, and as a sheet of heat maps."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from results.report.figures import in_lines, matrix, sheet
from results.report.locatello2019.analyses import Matrices
from results.report.locatello2019.runs import Runs

PERCENT = 100
"""As the paper prints variances and rank correlations alike."""

Published = Callable[[str, str, str], float | None]
"""The published number of a dataset, a row and a column."""


def table(
    matrices: Matrices, row: str, column: str, runs: Runs, published: Published | None = None
) -> pd.DataFrame:
    """A row an entry, times 100; published numbers where the dataset's trials are the paper's."""
    rows = []
    for dataset, of in matrices.items():
        low, high = of.entries.bounds()
        for i, first in enumerate(of.rows):
            for j, second in enumerate(of.columns):
                if first in of.columns and second in of.rows and i >= j:
                    continue  # a symmetric matrix: each pair once
                found: dict[str, object] = {
                    "dataset": dataset,
                    row: first,
                    column: second,
                    "value": PERCENT * of.entries.value[i, j],
                    "low": PERCENT * low[i, j],
                    "high": PERCENT * high[i, j],
                }
                if published is not None and runs.published:
                    known = published(dataset, first, second)
                    shown = float("nan")
                    if known is not None and dataset in runs.published:
                        shown = float(known)
                    found["published"] = shown
                    found["difference"] = PERCENT * of.entries.value[i, j] - shown
                rows.append(found | {"runs": of.runs, "seeds": of.entries.seeds})
    return pd.DataFrame(rows).round(1)


def with_published(numbers: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a published number; all, where none has one."""
    if "published" not in numbers or numbers["published"].isna().all():
        return numbers
    return numbers.dropna(subset=["published"])


def beside(runs: Runs) -> str:
    """What a table's note says of published numbers."""
    if runs.published:
        return (
            "Published numbers stand beside the datasets whose settings and steps are the paper's."
        )
    return (
        "No published number stands beside these: no dataset here has the paper's 36 settings of "
        "300,000 steps."
    )


def frames(matrices: Matrices) -> dict[str, pd.DataFrame]:
    """Times 100, by dataset."""
    return {
        dataset: pd.DataFrame(PERCENT * of.entries.value, of.rows, of.columns)
        for dataset, of in matrices.items()
    }


def heat_maps(
    panels: dict[str, pd.DataFrame],
    *,
    limits: tuple[float, float] = (-100, 100),
    cmap: str = "RdBu",
    columns: int = 3,
    panel_inches: tuple[float, float] = (3.4, 3.0),
) -> Figure:
    """A heat map a panel, by its title."""
    figure, axes = sheet(len(panels), columns=columns, panel_inches=panel_inches)
    for panel, (title, of) in zip(axes, panels.items(), strict=True):
        rows, names = list(map(in_lines, of.index)), list(map(in_lines, of.columns))
        values = of.to_numpy(dtype=float).round() + 0.0  # no -0
        matrix(panel, values, rows, names, limits=limits, cmap=cmap)
        panel.set_title(title, fontsize="medium")
    return figure
