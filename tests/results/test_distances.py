from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grids import datasets as sets
from results.distances import as_json, draw, ground_truth_matrix, matrix_of


def test_ground_truth_matrices_are_linear_and_circular() -> None:
    linear = ground_truth_matrix(5)
    assert linear.tolist() == [[abs(a - b) for b in range(5)] for a in range(5)]
    circle = ground_truth_matrix(10, period=10)
    assert circle[0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    # dSprites' 40 angles have both 0 and 2 pi: 39 steps once around.
    turned = ground_truth_matrix(40, period=sets.DSprites.cyclic["orientation"])
    assert turned[0, 39] == 0 and turned[0, 20] == 19 and turned.max() == 19


def rows() -> pd.DataFrame:
    common: dict[str, Any] = {
        "dataset": "made",
        "reconstruction": "mse",
        "dataset.spacing": None,
        "distance_quantiles": np.linspace(0, 1, 201),
    }
    angle = [np.array([0.0, 0.5]), np.array([0.5, 0.0])]
    along = {"factor": "angle", "positions": 2, "distance_mean": 0.2, "distance_matrix": angle}
    random = {"factor": "random", "positions": 0, "distance_mean": 0.5, "distance_matrix": None}
    return pd.DataFrame([common | along, common | random])


def test_rows_are_plain_values_without_what_is_missing() -> None:
    angle, random = as_json(rows())
    assert angle["distance_matrix"] == [[0.0, 0.5], [0.5, 0.0]]
    assert "distance_matrix" not in random and "dataset.spacing" not in random
    assert len(random["distance_quantiles"]) == 201


def test_a_matrix_is_an_array_again() -> None:
    assert matrix_of(rows()["distance_matrix"].iloc[0]).tolist() == [[0.0, 0.5], [0.5, 0.0]]


def test_the_figure_is_drawn_with_and_without_factors(tmp_path: Path) -> None:
    for name, frame in (("all.png", rows()), ("random.png", rows().iloc[1:])):
        draw(frame, {"angle": 2}, tmp_path / name, "what was measured")
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
