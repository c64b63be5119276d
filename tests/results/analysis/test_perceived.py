from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.analysis.perceived import agreement, agreements, level_share
from results.distances import ground_truth_matrix


def squares(spacing: int) -> np.ndarray:
    """Distances along one coordinate of XYSquares, of its definition: two squares of 8 x 8 pixels,
    less their overlap, among 3 x 64 x 64."""
    steps = ground_truth_matrix(8)
    return 2 * 8 * (8 - np.maximum(0, 8 - spacing * steps)) / 12288 * (steps > 0)


# The correlations over all pairs of positions, derived from the definition by hand.
@pytest.mark.parametrize(
    ("spacing", "pearson"),
    [(7, 0.6667), (6, 0.6667), (5, 0.6667), (4, 0.6667), (3, 0.8164), (2, 0.9266), (1, 1.0)],
)
def test_squares_are_in_order_once_they_overlap(spacing: int, pearson: float) -> None:
    found = agreement(squares(spacing), ground_truth_matrix(8))
    assert found.pearson == pytest.approx(pearson, abs=5e-5)
    assert found.rank > 0.6


def test_squares_without_overlap_are_in_no_order() -> None:
    noise = 1e-12 * np.random.default_rng(0).normal(size=(8, 8))
    for matrix in (squares(8), squares(8) + noise):
        assert agreement(matrix, ground_truth_matrix(8)) == (0, 0, 0)


def test_the_measures_are_those_of_their_definition() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.uniform(size=(6, 6))
    matrix = matrix + matrix.T
    truth = ground_truth_matrix(6)
    pairs = [(a, b) for a in range(6) for b in range(a + 1, 6)]
    d, steps = [matrix[p] for p in pairs], [truth[p] for p in pairs]
    found = agreement(matrix, truth)
    assert found.pearson == pytest.approx(stats.pearsonr(d, steps).statistic, abs=1e-5)
    assert found.rank == pytest.approx(stats.spearmanr(d, steps).statistic, abs=1e-5)
    assert found.variation == pytest.approx(np.std(d) / np.mean(d), abs=1e-5)
    scaled = agreement(1000 * matrix, truth)
    assert scaled == pytest.approx(found)


def test_two_positions_have_no_order_and_equal_images_none() -> None:
    assert math.isnan(agreement(squares(1)[:2, :2], ground_truth_matrix(2)).rank)
    assert agreement(np.zeros((4, 4)), ground_truth_matrix(4)) == (0, 0, 0)


def test_a_circle_is_told_from_a_line() -> None:
    around, along = ground_truth_matrix(10, 10), ground_truth_matrix(5)
    rows = [("hue", 10, around), ("scale", 5, along), ("random", 0, None)]
    table = pd.DataFrame(rows, columns=["factor", "positions", "distance_matrix"])
    found = agreements(table.assign(trial_id="t"), {"t": {"hue": 10}}).set_index("factor")
    assert list(found.index) == ["hue", "scale"]
    assert found.loc["hue", "rank_around"] == pytest.approx(1)
    assert found.loc["hue", "rank"] < 0.7
    assert found.loc["scale", "rank"] == pytest.approx(1)
    assert math.isnan(found.loc["scale", "rank_around"])


def test_a_step_function_is_level() -> None:
    assert level_share([1.0] * 201) == 1
    steps = np.repeat([0.0, 1 / 96, 2 / 96, 3 / 96], [1, 1, 9, 190])
    assert level_share(steps) == pytest.approx(197 / 200)
    assert level_share(np.linspace(0, 1, 201)) == 0
    assert level_share(1e-4 * np.linspace(0, 1, 201)) == 0
