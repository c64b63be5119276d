from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from results.analysis.explained import explained, explained_gap


def regression(values: np.ndarray, groups: np.ndarray) -> float:
    """R^2 of least squares on the one-hot group."""
    design = (groups[:, None] == np.unique(groups)).astype(float)
    fitted = design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float(1 - ((values - fitted) ** 2).sum() / ((values - values.mean()) ** 2).sum())


@pytest.mark.parametrize("seed", range(3))
def test_it_is_r2_of_the_one_hot_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(4, size=60)
    values = groups + rng.normal(size=60)
    assert explained(values, groups) == pytest.approx(regression(values, groups))


def test_resamples_are_what_each_is_alone() -> None:
    rng = np.random.default_rng(0)
    values, groups = rng.normal(size=(7, 30)), rng.integers(3, size=(7, 30))
    alone = [explained(v, g) for v, g in zip(values, groups, strict=True)]
    assert explained(values, groups) == pytest.approx(alone)


def test_a_planted_effect_is_told_from_none() -> None:
    rng = np.random.default_rng(0)
    strong, none = np.tile([0, 1], 40), np.repeat([0, 1], 40)
    values = pd.Series(strong + rng.normal(scale=0.3, size=80))
    found = explained_gap(values, pd.Series(strong), pd.Series(none))
    assert found.value == pytest.approx(
        regression(values.to_numpy(), strong) - regression(values.to_numpy(), none)
    )
    assert 0.5 < found.low < found.value < found.high and found.n == 40
    back = explained_gap(values, pd.Series(none), pd.Series(strong))
    assert back.value == pytest.approx(-found.value)
