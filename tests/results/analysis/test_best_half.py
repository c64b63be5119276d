from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.analysis.best_half import best_half_mean


@pytest.mark.parametrize(
    ("values", "expected"), [([1, 4, 2, 3], 3.5), ([1, 5, 3], 4), ([7], 7), ([2, 1], 2)]
)
def test_the_larger_half_is_kept_with_the_middle(values: list[float], expected: float) -> None:
    assert best_half_mean(values) == expected


def test_it_goes_along_the_axis_that_is_asked_for() -> None:
    table = np.array([[1.0, 9.0], [3.0, 5.0], [2.0, 7.0], [4.0, 3.0]])
    assert best_half_mean(table, axis=0).tolist() == [3.5, 8]
    assert best_half_mean(table, axis=1).tolist() == [9, 5, 7, 4]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_it_is_never_below_the_mean_nor_above_the_best(values: list[float]) -> None:
    assert np.mean(values) - 1e-9 <= best_half_mean(values) <= max(values) + 1e-9
