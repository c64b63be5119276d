from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from results.analysis.rank_correlation import rank_correlations, weighted_rank_correlations


def spearman(values: np.ndarray) -> np.ndarray:
    columns = range(values.shape[1])
    return np.array([[spearmanr(values[:, a], values[:, b])[0] for b in columns] for a in columns])


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(4, 30), st.integers(2, 6))
def test_it_is_scipys_also_with_ties(seed: int, n: int, levels: int) -> None:
    values = np.random.default_rng(seed).integers(0, levels, (n, 3)).astype(float)
    values[0], values[1] = 0, levels  # no column is constant
    found = weighted_rank_correlations(values, np.ones((1, n)))[0]
    np.testing.assert_allclose(found, spearman(values), atol=1e-9)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_count_is_a_row_that_stands_there_so_often(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.vstack([rng.integers(0, 5, (12, 2)), [[0, 0], [5, 5]]]).astype(float)
    counts = np.append(rng.integers(0, 4, 12), [1, 2])
    found = weighted_rank_correlations(values, counts[None].astype(float))[0]
    np.testing.assert_allclose(found, spearman(np.repeat(values, counts, axis=0)), atol=1e-9)


def test_a_planted_correlation_is_found_and_lies_in_its_interval() -> None:
    # Of normal numbers with correlation r, Spearman's rho is 6/pi asin(r/2).
    r, rng = 0.6, np.random.default_rng(0)
    a = rng.normal(size=6_000)
    b = r * a + np.sqrt(1 - r**2) * rng.normal(size=6_000)
    runs = pd.DataFrame({"a": np.exp(a), "b": -b, "setting": np.arange(6_000) % 120})
    found = rank_correlations(runs, ["a", "b"])
    assert found is not None
    planted = -6 / np.pi * np.arcsin(r / 2)
    value, low, high, seeds = found.map(lambda m: m[..., 0, 1]).interval()
    assert value == pytest.approx(planted, abs=0.02)
    assert low < planted < high and high - low < 0.06 and seeds == 50
    np.testing.assert_allclose(np.diag(found.value), 1)


def test_a_constant_score_has_no_correlation() -> None:
    runs = pd.DataFrame({"a": [1.0, 1, 1, 1], "b": [1.0, 2, 3, 4], "setting": [0, 0, 1, 1]})
    found = rank_correlations(runs, ["a", "b"])
    assert found is not None
    assert np.isnan(found.value[0]).all() and found.value[1, 1] == pytest.approx(1)


def test_runs_without_one_of_the_scores_do_not_count() -> None:
    runs = pd.DataFrame({"a": [1.0, 2, 3, np.nan], "b": [1.0, 2, 3, -9], "setting": [0, 0, 1, 1]})
    found = rank_correlations(runs, ["a", "b"])
    assert found is not None and found.value[0, 1] == pytest.approx(1)
    assert rank_correlations(runs.iloc[1:], ["a", "b"]) is None
