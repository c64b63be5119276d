from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from results.analysis.intervals import (
    Interval,
    by_group,
    difference,
    interval,
    of_samples,
    paired,
)

finite = st.floats(-1e6, 1e6)


@settings(max_examples=20)
@given(st.lists(finite, min_size=2, max_size=8))
def test_an_interval_lies_within_the_values_and_around_their_mean(values: list[float]) -> None:
    found = interval(values)
    rounding = 1e-9 * max(map(abs, values))
    assert found.value == pytest.approx(np.mean(values), abs=rounding)
    assert min(values) - rounding <= found.low <= found.value + rounding
    assert found.value - rounding <= found.high <= max(values) + rounding
    assert found.n == len(values)


def test_intervals_cover_the_mean_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    found = [interval(rng.normal(size=40)) for _ in range(60)]
    covered = np.mean([low <= 0 <= high for _, low, high, _ in found])
    assert 0.85 <= covered <= 1  # of 60 draws of .93 to .95: three deviations are .1


def test_a_single_value_has_no_interval_and_none_has_no_value() -> None:
    assert interval([3.0])[0] == 3 and math.isnan(interval([3.0]).low)
    assert interval([]).n == 0 and math.isnan(interval([]).value)
    assert interval([1.0, float("nan")]).n == 1


def test_medians_are_of_the_values() -> None:
    found = interval([1.0, 2.0, 30.0], np.median)
    assert found.value == 2 and (found.low, found.high) == (1, 30)


def test_a_difference_is_of_two_independent_samples() -> None:
    far = difference([10.0, 11.0, 12.0], [1.0, 2.0])
    assert far.value == pytest.approx(9.5) and far.n == 2
    assert 8 <= far.low < far.high <= 11
    same = difference([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert same.low < 0 < same.high
    assert math.isnan(difference([1.0], [2.0, 3.0]).low)


def test_a_planted_rank_correlation_is_found() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    y = x + 0.3 * rng.normal(size=50)

    def spearman(a: np.ndarray, b: np.ndarray) -> float:
        return float(spearmanr(a, b).statistic)

    found = paired(x, y, spearman)
    assert found.value == pytest.approx(spearmanr(x, y).statistic)
    assert 0.8 < found.low < found.value < found.high <= 1
    assert math.isnan(paired(x[:2], y[:2], spearman).low)


def test_an_interval_holds_its_value_where_resamples_are_biased() -> None:
    """Three spacings, scores that rank with them: repeated runs are ties, which correlate more."""
    spacing, scores = [1.0] * 4 + [2.0] * 4 + [3.0] * 4, np.arange(12.0)

    def within(*groups: np.ndarray) -> float:
        x = np.repeat([1.0, 2.0, 3.0], [len(group) for group in groups])
        return float(spearmanr(x, np.concatenate(groups)).statistic)

    found = of_samples([scores[:4], scores[4:8], scores[8:]], within)
    assert found.value == pytest.approx(spearmanr(spacing, scores).statistic)
    assert found.low <= found.value <= found.high


def test_groups_have_a_row_each_with_the_spread_over_their_values() -> None:
    rows = pd.DataFrame({"a": [1, 1, 1, 2], "value": [1.0, 2.0, 3.0, 5.0]})
    table = by_group(rows, ["a"])
    assert table[["a", "value", "n"]].to_numpy().tolist() == [[1, 2, 3], [2, 5, 1]]
    assert table["sd"][0] == 1 and math.isnan(table["sd"][1])
    assert by_group(rows.head(0), ["a"]).empty


def test_a_report_made_twice_has_the_same_numbers() -> None:
    assert interval([1.0, 5.0, 9.0]) == interval([1.0, 5.0, 9.0])
    assert isinstance(interval([1.0, 2.0]), Interval)
