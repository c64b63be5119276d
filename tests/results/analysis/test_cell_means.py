from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.analysis.cell_means import over_cells, slope
from results.analysis.intervals import difference

RNG = np.random.default_rng(0)


def test_two_cells_are_the_difference_of_two_samples() -> None:
    first, second = RNG.normal(1, 1, 40), RNG.normal(0, 1, 30)
    ours = over_cells([first, second], lambda means: means[:, 0] - means[:, 1])
    theirs = difference(first, second)
    assert ours.value == pytest.approx(theirs.value)
    assert ours[1:3] == pytest.approx(theirs[1:3], abs=0.06)
    assert ours.n == 30


def test_the_interval_of_a_mean_has_the_width_of_its_standard_error() -> None:
    values = RNG.normal(5, 2, 200)
    _, low, high, _ = over_cells([values], lambda means: means[:, 0])
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(200), rel=0.06)


def test_the_centre_of_a_cell_may_be_its_median() -> None:
    value, *_ = over_cells([[1, 2, 30]], lambda medians: medians[:, 0], centre=np.median)
    assert value == 2


def test_scores_of_a_run_are_drawn_together() -> None:
    runs = RNG.normal(0, 1, (20, 1)) * np.ones((1, 2)) + [0, 3]
    found = over_cells([runs], lambda means: means[:, 0, 1] - means[:, 0, 0])
    assert found[:3] == pytest.approx((3, 3, 3))


def test_missing_values_are_no_runs() -> None:
    assert over_cells([[1.0, math.nan, 3.0]], lambda m: m[:, 0]).n == 2
    assert over_cells([[[1.0, 2.0], [math.nan, 3.0]]], lambda m: m[:, 0, 1]).value == 2


def test_an_interval_holds_its_value() -> None:
    twins = 8 * [[40.0, 70.0, 90.0]]  # whose resamples are hardly ever alike
    found = over_cells(twins, lambda m: np.abs(m[:, ::2] - m[:, 1::2]).mean(axis=1))
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize("cells", [[], [[]], [[1.0, 2.0], []], [[math.nan], [1.0]]])
def test_a_cell_without_runs_has_no_value(cells: list[list[float]]) -> None:
    found = over_cells(cells, lambda means: means.sum(axis=1))
    assert found.n == 0 and math.isnan(found.value) and math.isnan(found.low)


def test_a_cell_of_one_run_has_no_interval() -> None:
    found = over_cells([[1.0, 2.0, 3.0], [5.0]], lambda means: means.sum(axis=1))
    assert found.value == 7 and found.n == 1 and math.isnan(found.low)


@given(
    places=st.lists(st.integers(0, 50), min_size=2, max_size=6, unique=True),
    scale=st.floats(-10, 10),
    shift=st.floats(-10, 10),
)
@settings(max_examples=50)
def test_the_slope_is_that_of_polyfit(places: list[int], scale: float, shift: float) -> None:
    values = scale * np.array(places) + shift + np.random.default_rng(0).normal(size=len(places))
    expected = np.polyfit(places, values, 1)[0]
    assert slope(values[None], places)[0] == pytest.approx(expected, rel=1e-6, abs=1e-8)
