from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from metrics.explicitness import explicitness, mean_area, probabilities, standardised
from metrics.table import CodeTable, draw_rows, factors_at, generator
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]

REFERENCE = json.loads(Path(__file__).parents[1].joinpath("reference/linear.json").read_text())
SIZES = (3, 6, 8, 5)
FAST = {"train_samples": 2_000, "test_samples": 1_000}


def positions(*sizes: int) -> Doubles:
    """float64 [N, F] from 0 to 1."""
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def mixed(noise: float) -> CodeTable:
    rng = np.random.default_rng(0)
    clean = positions(*SIZES) @ rng.standard_normal((len(SIZES), 5)) * [1, 100, 1e-3, 1, 1]
    noisy = clean + noise * clean.std(axis=0) * rng.standard_normal(clean.shape)
    return CodeTable.checked(noisy, SIZES)


def plain_explicitness(table: CodeTable, seed: int, **solver: float) -> tuple[float, float]:
    """(test, train) by scikit-learn alone, on the rows that `explicitness` draws."""
    rng = generator(seed, "explicitness")
    train, test = (draw_rows(table, rng, samples) for samples in FAST.values())
    scaler = StandardScaler().fit(table.rows[train].astype(np.float64))
    areas = []
    for k in table.varying:
        model = LogisticRegression(**solver)
        model.fit(
            scaler.transform(table.rows[train].astype(np.float64)), factors_at(table, train)[k]
        )
        for rows in test, train:
            told = model.predict_proba(scaler.transform(table.rows[rows].astype(np.float64)))
            labels = np.eye(table.factor_sizes[k])[factors_at(table, rows)[k]]
            areas.append(roc_auc_score(labels, told, average="macro"))
    return float(np.mean(areas[::2])), float(np.mean(areas[1::2]))


@pytest.mark.parametrize("noise", [0.2, 1.0])
def test_agrees_with_scikit_learn_on_the_same_samples(noise: float) -> None:
    table = mixed(noise)
    expected = plain_explicitness(table, seed=3)
    assert 0.7 < expected[0] < 0.98
    scores = explicitness(table, seed=3, **FAST)
    assert (*scores.values(),) == pytest.approx(expected, rel=1e-9)
    at_the_optimum = plain_explicitness(table, seed=3, tol=1e-8, max_iter=5_000)
    assert (*scores.values(),) == pytest.approx(at_the_optimum, abs=0.002)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "grid",
    ["xysquares", *(pytest.param(g, marks=pytest.mark.slow) for g in GRIDS if g != "xysquares")],
)
def test_agrees_with_the_definition_at_full_size(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    scores = explicitness(table, seed=0, train_samples=10_000, test_samples=5_000)
    expected = REFERENCE["values"][grid][kind]
    for name, value in scores.items():
        assert value == pytest.approx(expected[name], abs=0.01)


def test_codes_that_tell_nothing_have_half_the_area_not_none() -> None:
    table = CodeTable.checked(np.full((720, 3), 1e30), SIZES)
    assert explicitness(table, seed=0, **FAST) == {
        "explicitness_test": 0.5,
        "explicitness_train": 0.5,
    }


def test_codes_that_tell_all_have_all_of_it_also_twice() -> None:
    codes = positions(2, 3, 2)[:, [0, 2]]
    codes = np.hstack([codes, np.eye(3)[np.indices((2, 3, 2)).reshape(3, -1)[1]]])
    for table in (
        CodeTable.checked(codes, (2, 3, 2)),
        CodeTable.checked(np.tile(codes, 2), (2, 3, 2)),
    ):
        assert explicitness(table, seed=0, **FAST)["explicitness_test"] == 1.0


def test_the_score_is_that_of_samples_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    table = CodeTable.checked(rng.standard_normal((8**5, 100)), (8,) * 5)
    scores = explicitness(table, seed=0, train_samples=500, test_samples=2_000)
    assert scores["explicitness_train"] > 0.8
    assert scores["explicitness_test"] == pytest.approx(0.5, abs=0.03)


def test_both_samples_are_standardised_by_the_one_learned_from() -> None:
    rng = np.random.default_rng(0)
    codes, unseen = rng.standard_normal((50, 3)) * [1, 0, 1e-20], rng.standard_normal((9, 3))
    codes[:, 1] = 1e30  # whose mean is not quite 1e30
    scaled, other = standardised(codes, unseen)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), [1, 0, 1])
    np.testing.assert_allclose(other[:, 0], (unseen[:, 0] - codes[:, 0].mean()) / codes[:, 0].std())
    assert not other[:, 1].any()


def test_a_position_that_was_never_seen_has_no_probability() -> None:
    codes = np.array([[0.0], [1], [2], [3]])
    seen, other = probabilities(codes, np.array([1, 1, 3, 3]), codes[:2], 5)
    assert seen.shape == (4, 5)
    assert other.shape == (2, 5)
    assert not seen[:, [0, 2, 4]].any()
    np.testing.assert_allclose(seen.sum(axis=1), 1)
    assert seen[0, 1] > 0.5 > seen[0, 3]


def test_a_single_position_is_all_there_is() -> None:
    seen, other = probabilities(np.ones((4, 2)), np.full(4, 2), np.ones((3, 2)), 3)
    np.testing.assert_array_equal(seen, [[0, 0, 1]] * 4)
    np.testing.assert_array_equal(other, [[0, 0, 1]] * 3)
    assert mean_area(seen, np.full(4, 2)) == 0.5
    assert mean_area(other, np.array([0, 1, 2])) == 0.5


def test_a_position_of_no_sample_is_left_out() -> None:
    told = np.array([[0.6, 0.1, 0.3], [0.2, 0.1, 0.7], [0.5, 0.3, 0.2]])
    # Position 0: .6 and .5 above .2; position 2: .7 above .3 and .2.
    assert mean_area(told, np.array([0, 2, 0])) == 1.0
    # Position 0: .6 above .5, not .2 above it; position 2: .2 below both.
    assert mean_area(told, np.array([0, 0, 2])) == pytest.approx((0.5 + 0) / 2)


@given(st.integers(0, 2**32), st.integers(2, 30), st.integers(1, 4))
def test_the_area_is_the_share_of_pairs_in_order(seed: int, samples: int, positions: int) -> None:
    rng = np.random.default_rng(seed)
    told = rng.integers(4, size=(samples, positions)) / 3  # with ties
    labels = rng.integers(positions, size=samples)
    areas = []
    for position in range(positions):
        pairs = [
            np.sign(told[a, position] - told[b, position]) / 2 + 0.5
            for a in np.flatnonzero(labels == position)
            for b in np.flatnonzero(labels != position)
        ]
        areas += [np.mean(pairs)] if pairs else []
    assert mean_area(told, labels) == pytest.approx(np.mean(areas) if areas else 0.5)
