from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from metrics.beta_vae import beta_vae, draw_points, told_by_logistic_regression, within_range
from metrics.table import CodeTable, generator
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]

MODULE = importlib.import_module("metrics.beta_vae")  # of which the package has the function
REFERENCE = json.loads(Path(__file__).parents[1].joinpath("reference/linear.json").read_text())
SIZES = (5, 6, 7)
SMALL = {"train_points": 1_000, "eval_points": 1_000}


def positions(*sizes: int) -> Doubles:
    """float64 [N, F] from 0 to 1."""
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def mixed(sizes: tuple[int, ...], noise: float) -> Doubles:
    rng = np.random.default_rng(0)
    clean = positions(*sizes) @ rng.standard_normal((len(sizes), len(sizes)))
    return clean + noise * rng.standard_normal(clean.shape)


def small(codes: Doubles, sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    return beta_vae(CodeTable.checked(codes, sizes), seed=0, **SMALL)


def plain_beta_vae(codes: Doubles, sizes: tuple[int, ...], seed: int) -> float:
    """Higgins et al. 2017, section 3, a point at a time, on codes [N, Z] of the whole grid."""
    rng = np.random.RandomState(seed)

    def point() -> tuple[Doubles, int]:
        shared = rng.randint(len(sizes))
        first = np.stack([rng.randint(size, size=64) for size in sizes])
        second = np.stack([rng.randint(size, size=64) for size in sizes])
        second[shared] = first[shared]
        z, other = (codes[np.ravel_multi_index(tuple(f), sizes)] for f in (first, second))
        return np.abs(z - other).mean(axis=0), shared

    train, unseen = (list(zip(*(point() for _ in range(5_000)), strict=True)) for _ in range(2))
    return float(LogisticRegression().fit(*train).score(*unseen))


@pytest.mark.parametrize(("sizes", "noise"), [((5, 6, 7), 0.5), ((2, 3, 4, 5), 0.6)])
def test_agrees_with_the_definition_a_point_at_a_time(sizes: tuple[int, ...], noise: float) -> None:
    codes = mixed(sizes, noise)
    expected = plain_beta_vae(codes, sizes, seed=5)
    assert 0.5 < expected < 0.95
    table = CodeTable.checked(codes, sizes)
    score = beta_vae(table, seed=0, train_points=5_000, eval_points=5_000)["beta_vae_score"]
    # The standard deviation of a share of 5,000 points is .007 at most, and there are two of them.
    assert score == pytest.approx(expected, abs=0.04)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS)
def test_agrees_with_the_definition_at_full_size(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    scores = beta_vae(table, seed=0, train_points=10_000, eval_points=5_000)
    expected = REFERENCE["values"][grid][kind]
    for name, value in scores.items():
        assert value == pytest.approx(expected[name], abs=0.04)


def test_pairs_share_the_factor_and_nothing_else() -> None:
    # The codes are the positions, the features how far apart they are: for n positions apart
    # 0..n-1 the mean of |i - j| is (n^2 - 1) / 3n.
    sizes = (1, 3, 5, 8)
    table = CodeTable.checked(np.indices(sizes).reshape(4, -1).T.astype(np.float64), sizes)
    choice = np.array([1, 3])
    features, factors = draw_points(table, generator(0, "test"), choice, 4_000, 16)
    assert set(factors.tolist()) == {1, 3}
    assert np.mean(factors == 3) == pytest.approx(0.5, abs=0.04)
    for k in choice:
        expected = (np.square(sizes) - 1) / (3 * np.array(sizes))
        expected[k] = 0
        there = features[factors == k]
        assert not there[:, k].any()
        np.testing.assert_allclose(there.mean(axis=0), expected, rtol=0.03)
        # Each of the 16 pairs is drawn for itself.
        assert np.var(there[:, 2]) == pytest.approx(np.var(there[:, 2] * 4) / 16)
        first, second = np.indices((5, 5))
        spread = np.var(np.abs(first - second)) / 16
        assert np.var(there[:, 2]) == pytest.approx(spread, rel=0.15)


def test_replicates_are_drawn_for_each_row() -> None:
    codes = np.repeat([0.0, 1.0], 6)[:, None].reshape(2, 6, 1)
    features, _ = draw_points(
        CodeTable.checked(codes, (2, 3)), generator(0, "test"), np.array([0, 1]), 100, 400
    )
    np.testing.assert_allclose(features, 0.5, atol=0.15)


def test_perfect_codes_score_one_also_twice() -> None:
    for codes in positions(*SIZES), np.tile(positions(*SIZES), 2):
        assert small(codes) == {"beta_vae_score": 1.0, "beta_vae_train_score": 1.0}


def test_a_factor_that_no_latent_tells_costs_nothing() -> None:
    # Kim and Mnih 2018, appendix: it is the one whose pairs are apart in all latents.
    assert small(positions(*SIZES)[:, :2])["beta_vae_score"] > 0.99


def test_codes_that_tell_nothing_are_guessed() -> None:
    noise = np.random.default_rng(0).standard_normal((100, 210, 4))
    for codes in np.zeros((210, 4)), noise:
        assert small(codes)["beta_vae_score"] == pytest.approx(1 / 3, abs=0.06)


def test_features_are_not_standardised() -> None:
    # With C = 1 the penalty keeps the weight of a latent of this scale from telling anything.
    codes = positions(*SIZES)
    assert small(codes * 1e-4)["beta_vae_score"] < 0.8
    assert small(codes * 1e4)["beta_vae_score"] == 1.0


def test_the_classifier_is_scikit_learns_with_its_defaults() -> None:
    rng = np.random.default_rng(0)
    table = CodeTable.checked(0.05 * mixed(SIZES, 0.3), SIZES)
    train, factors = draw_points(table, rng, np.arange(3), 500, 64)
    unseen, _ = draw_points(table, rng, np.arange(3), 2_000, 64)
    told = told_by_logistic_regression(train, factors, unseen, max_iter=100)
    model = LogisticRegression().fit(train, factors)
    np.testing.assert_array_equal(told[0], model.predict(train))
    np.testing.assert_array_equal(told[1], model.predict(unseen))
    other = LogisticRegression(C=10).fit(train, factors)
    assert np.mean(told[1] == other.predict(unseen)) < 0.95


def test_points_are_of_64_pairs_and_learned_from_in_100_iterations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = []

    def recorded(*arguments: Any) -> Any:
        assert arguments[-1] == 64
        drawn.append(draw_points(*arguments))
        return drawn[-1]

    monkeypatch.setattr(MODULE, "draw_points", recorded)
    table = CodeTable.checked(mixed(SIZES, 0.3) * [10, 100, 1_000], SIZES)
    scores = beta_vae(table, seed=0, train_points=2_000, eval_points=2_000)
    train, unseen = drawn
    # The default is 100 iterations, which here end before the optimum: more of them tell more.
    with pytest.warns(ConvergenceWarning):
        model = LogisticRegression().fit(*train)
        further = LogisticRegression(max_iter=200).fit(*train)
    assert scores["beta_vae_score"] == model.score(*unseen)
    assert scores["beta_vae_train_score"] == model.score(*train) < further.score(*train)


def test_the_score_is_that_of_points_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    table = CodeTable.checked(10 * rng.standard_normal((8**5, 100)), (8,) * 5)
    scores = beta_vae(table, seed=0, train_points=200, eval_points=2_000)
    assert scores["beta_vae_train_score"] > 0.9
    assert scores["beta_vae_score"] == pytest.approx(1 / 5, abs=0.04)


def test_a_single_factor_is_always_told() -> None:
    assert small(np.zeros((7, 2)), (7,)) == {"beta_vae_score": 1.0, "beta_vae_train_score": 1.0}
    told, unseen = told_by_logistic_regression(
        np.ones((3, 1)), np.full(3, 4), np.ones((2, 1)), max_iter=100
    )
    np.testing.assert_array_equal(told, [4, 4, 4])
    np.testing.assert_array_equal(unseen, [4, 4])


def test_only_what_is_out_of_range_is_scaled() -> None:
    features, unseen = np.array([[1e14, 2.0]]), np.array([[1e16, 4.0]])
    assert within_range(features, unseen)[1] is not None
    np.testing.assert_array_equal(within_range(features, unseen)[0], features)
    np.testing.assert_array_equal(within_range(features, unseen)[1], unseen)
    for scaled, original in zip(within_range(unseen, features), (unseen, features), strict=True):
        np.testing.assert_allclose(scaled, original / 10)
