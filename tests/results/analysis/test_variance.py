from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from results.analysis.variance import variance_explained, weighted_variance_explained

SETTING = ["method", "regularisation"]


def made_up(method_sd: float, strength_sd: float, seed_sd: float, seeds: int = 50) -> pd.DataFrame:
    """Runs of 6 x 6 settings whose effects have exactly these standard deviations."""
    rng = np.random.default_rng(3)
    runs = pd.DataFrame(
        [(m, s, seed) for m in range(6) for s in range(6) for seed in range(seeds)],
        columns=["method", "regularisation", "seed"],
    )
    runs["setting"] = runs["method"] * 6 + runs["regularisation"]

    def scaled(values: np.ndarray, sd: float) -> np.ndarray:
        return sd * (values - values.mean()) / values.std()

    of_method = scaled(rng.normal(size=6), method_sd)
    of_strength = np.concatenate([scaled(rng.normal(size=6), strength_sd) for _ in range(6)])
    of_seed = np.concatenate([scaled(rng.normal(size=seeds), seed_sd) for _ in range(36)])
    runs["score"] = of_method[runs["method"]] + of_strength[runs["setting"]] + of_seed
    return runs


def test_a_method_effect_of_known_size_is_what_is_explained() -> None:
    runs = made_up(method_sd=3, strength_sd=4, seed_sd=5)  # variances 9, 16, 25
    by_method = variance_explained(runs, ["score"], ["method"])
    by_setting = variance_explained(runs, ["score"], SETTING)
    assert by_method is not None and by_setting is not None
    assert by_method.value[0] == pytest.approx(9 / 50)
    assert by_setting.value[0] == pytest.approx(25 / 50)
    value, low, high, seeds = by_setting.map(lambda m: m[..., 0]).interval()
    assert low < value < high and high - low < 0.08 and seeds == 50


def test_scale_and_place_of_a_score_do_not_matter() -> None:
    runs = made_up(1, 1, 1, seeds=5).assign(other=lambda r: 1e6 - 1e-3 * r["score"])
    found = variance_explained(runs, ["score", "other"], ["method"])
    assert found is not None
    np.testing.assert_allclose(found.value[0], found.value[1], rtol=1e-6)
    np.testing.assert_allclose(found.resampled[:, 0], found.resampled[:, 1], rtol=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_it_is_the_r2_of_the_regression_on_indicators(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups, values = rng.integers(0, 4, 30), rng.normal(size=(30, 2))
    counts = rng.integers(0, 3, 30)
    counts[:8] = 1
    _, groups = np.unique(groups, return_inverse=True)
    found = weighted_variance_explained(values, groups, counts[None].astype(float))[0]
    indicators = np.eye(groups.max() + 1)[np.repeat(groups, counts)]
    for score in range(2):
        y = np.repeat(values[:, score], counts)
        assert found[score] == pytest.approx(
            LinearRegression().fit(indicators, y).score(indicators, y)
        )


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_a_setting_explains_at_least_what_its_method_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    runs = pd.DataFrame(
        {
            "method": rng.integers(0, 3, 40),
            "regularisation": rng.choice([1.0, 2.0, np.nan], 40),
            "score": rng.normal(size=40).round(1),
        }
    )
    runs["setting"] = runs.groupby(SETTING, dropna=False).ngroup()
    by_method = variance_explained(runs, ["score"], ["method"])
    by_setting = variance_explained(runs, ["score"], SETTING)
    assert by_method is not None and by_setting is not None
    assert by_setting.value >= by_method.value - 1e-12
    assert (by_setting.resampled >= by_method.resampled - 1e-12).all()


def test_without_an_effect_it_is_what_chance_explains() -> None:
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(rng.normal(size=(1_800, 200)), columns=[f"s{i}" for i in range(200)])
    runs["method"], runs["setting"] = np.arange(1_800) % 36, np.arange(1_800) % 36
    found = variance_explained(runs, [f"s{i}" for i in range(200)], ["method"])
    assert found is not None
    assert found.value.mean() == pytest.approx(35 / 1_799, rel=0.05)


def test_a_constant_score_has_no_variance_to_explain() -> None:
    runs = pd.DataFrame({"method": [0, 0, 1, 1], "setting": [0, 0, 1, 1], "score": [0.1] * 4})
    found = variance_explained(runs, ["score"], ["method"])
    assert found is not None and np.isnan(found.value).all()
    assert variance_explained(runs[:2], ["score"], ["method"]) is None
