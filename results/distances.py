"""The distances of a dataset's images: the table of a measurement, and its figure.

`pandas.read_parquet(study / "distances")` has those of all measurements of a study.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from results.files import Location, location
from results.pictures import save_png
from results.schema import SchemaError
from results.store import StudyFolder

RANDOM = "random"


def read_distances(study: Location | str, trial_id: str) -> pd.DataFrame:
    """A row a factor, and one of random pairs; the columns are results.schema.DISTANCES.

    FileNotFoundError, SchemaError.
    """
    path = StudyFolder(location(study)).distances(trial_id)
    try:
        return pd.read_parquet(io.BytesIO(path.read_bytes()))
    except pa.ArrowException:
        raise SchemaError(f"{path}: damaged, or not a Parquet file") from None


def as_json(distances: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values; what a dataset does not have is left out."""
    rows = []
    for row in distances.to_dict("records"):
        plain = {str(name): _plain(value) for name, value in row.items()}
        rows.append({name: value for name, value in plain.items() if value is not None})
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | list):
        return [_plain(item) for item in value]
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def matrix_of(lines: Iterable[Any]) -> npt.NDArray[np.float64]:
    """A `distance_matrix` as read from the table as float64 [positions, positions]."""
    return np.stack([np.asarray(line, dtype=np.float64) for line in lines])


def ground_truth_matrix(positions: int, period: int | None = None) -> npt.NDArray[np.float64]:
    """|a - b|, or the way around a circle of `period` steps, float64 [n, n].

    Published matrices are linear, also of factors that are cyclic.
    """
    position = np.arange(positions, dtype=np.float64)
    linear = np.abs(position[:, None] - position)
    return linear if period is None else np.minimum(linear, np.abs(period - linear))


def draw(distances: pd.DataFrame, cyclic: Mapping[str, int], path: Path, title: str) -> None:
    """Cumulative curves (Michlo et al. 2023, supplement, figure 1) and distance matrices.

    A factor's matrices: steps between positions, as published; for a cyclic factor (its steps
    around the circle in `cyclic`) the shorter way around, too; and the perceived distance.
    """
    from matplotlib.figure import Figure

    factors = [row for row in distances.to_dict("records") if row["factor"] != RANDOM]
    columns = max(len(factors), 1)
    figure = Figure(figsize=(2.2 * max(columns, 3), 9), layout="constrained", dpi=110)
    halves = figure.add_gridspec(2, 1, height_ratios=[1, 1.5])
    top, bottom = (figure.add_subfigure(halves[half]) for half in (0, 1))
    axes = top.subplots()
    shares = np.linspace(0, 1, len(distances["distance_quantiles"].iloc[0]))
    by_mean = distances.sort_values("distance_mean", ascending=False, kind="stable")
    # Curves that lie on one another are all seen: each is thinner than the one below it.
    widths = np.linspace(2 + 0.6 * len(by_mean), 1.2, len(by_mean))
    for width, row in zip(widths, by_mean.to_dict("records"), strict=True):
        color, line = ("black", "--") if row["factor"] == RANDOM else (None, "-")
        axes.step(
            row["distance_quantiles"],
            shares,
            where="post",
            label=row["factor"],
            color=color,
            linestyle=line,
            linewidth=1.5 if row["factor"] == RANDOM else width,
        )
    axes.set_xlabel("perceived distance of a pair")
    axes.set_ylabel("share of pairs below")
    axes.legend(fontsize="small")
    top.suptitle(title)
    if factors:
        titles = ["steps", "steps around", "perceived"]
        if not cyclic:
            titles.remove("steps around")
        grid = bottom.subplots(len(titles), columns, squeeze=False)
        for column, row in enumerate(factors):
            size, name = int(row["positions"]), row["factor"]
            around = ground_truth_matrix(size, cyclic[name]) if name in cyclic else None
            shown = {
                "steps": ground_truth_matrix(size),
                "steps around": around,
                "perceived": matrix_of(row["distance_matrix"]),
            }
            for place, title in zip(grid[:, column], titles, strict=True):
                matrix = shown[title]
                place.set_xticks([])
                place.set_yticks([])
                if matrix is None:
                    place.axis("off")
                else:
                    place.imshow(matrix, cmap="viridis", vmin=0)
                    place.set_title(f"{name}: {title}", fontsize="small")
    save_png(figure, path)
