from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from results.analysis.correlation import rank_correlation, trend
from results.analysis.intervals import paired


@pytest.mark.parametrize("seed", range(5))
def test_it_is_scipys_with_and_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(6, size=40), rng.normal(size=40)
    assert rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)


def test_what_never_varies_has_none() -> None:
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]))
    assert math.isnan(rank_correlation(pd.Series([1.0, 2.0]), pd.Series([0.1, 0.1])))


def test_resamples_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 5, 20))
    alone = [rank_correlation(a, b) for a, b in zip(x, y, strict=True)]
    assert rank_correlation(x, y) == pytest.approx(alone)


def test_its_interval_is_that_of_one_resample_after_another() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=30)
    y = x + rng.normal(size=30)
    found = paired(x, y, rank_correlation)
    slow = paired(x, y, lambda a, b: float(stats.spearmanr(a, b).statistic))
    assert found == pytest.approx(slow)


def test_a_trend_over_a_grid_is_found() -> None:
    rng = np.random.default_rng(0)
    places = pd.Series(np.repeat([1, 3, 8], 5))
    falling = -places + pd.Series(rng.normal(scale=2, size=15))
    found = trend(places, falling)
    assert found.value == pytest.approx(stats.spearmanr(places, falling).statistic)
    assert found.n == 5 and found.low < found.value < found.high < 0
    unsorted = rng.permutation(15)
    assert trend(places[unsorted], falling[unsorted]).value == pytest.approx(found.value)


def test_a_trend_of_a_run_a_place_has_no_interval() -> None:
    found = trend(pd.Series([1, 2, 3]), pd.Series([0.3, 0.2, 0.1]))
    assert found.value == pytest.approx(-1) and found.n == 1 and math.isnan(found.low)
    assert trend(pd.Series([1.0, 2.0]), pd.Series([math.nan, math.nan])).n == 0
    assert math.isnan(trend(pd.Series([1, 1, 1]), pd.Series([1.0, 2.0, 3.0])).value)
