from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold

from metrics import logistic_regression
from metrics.logistic_regression import (
    curvature,
    even_coordinates,
    fit_cross_validated,
    minimise,
    with_ones,
)

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def sample(samples: int, classes: int, noise: float, seed: int = 0) -> tuple[Doubles, Integers]:
    """Codes [S, 4] of an ordinal label, of one that goes with it, and of nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    codes = rng.standard_normal((samples, 4))
    codes[:, 0] = labels / classes + noise * codes[:, 0]
    codes[:, 1] = (labels % 2) + codes[:, 0] + noise * codes[:, 1]
    return codes, labels


def plain(codes: Doubles, labels: Integers) -> LogisticRegressionCV:
    with warnings.catch_warnings():  # of parameters that will be others, and of the tolerance
        warnings.simplefilter("ignore")
        return LogisticRegressionCV(
            Cs=10, cv=KFold(5), scoring="accuracy", tol=1e-7, max_iter=20_000
        ).fit(codes, labels)


@pytest.mark.parametrize(
    ("samples", "classes", "noise"),
    [(10, 5, 0.1), (103, 2, 0.3), (100, 3, 0.3), (400, 6, 0.02), (300, 7, 0.05)],
)
def test_the_model_is_scikit_learns_at_its_optimum(
    samples: int, classes: int, noise: float
) -> None:
    codes, labels = sample(samples, classes, noise)
    expected = plain(codes, labels)
    model = fit_cross_validated(codes, labels)
    np.testing.assert_array_equal(model.labels, expected.classes_)
    weights = model.weights[:, :-1] / model.scale
    intercepts = model.weights[:, -1] - weights @ model.centre
    if classes == 2:
        weights, intercepts = np.diff(weights, axis=0), np.diff(intercepts)
    else:
        intercepts = intercepts - intercepts.mean() + expected.intercept_.mean()
    scale = np.abs(expected.coef_).max()
    np.testing.assert_allclose(weights, expected.coef_, atol=2e-3 * scale)
    np.testing.assert_allclose(intercepts, expected.intercept_, atol=2e-3 * scale)
    unseen, _ = sample(2_000, classes, noise, seed=1)
    assert np.mean(model.predict(unseen) == expected.predict(unseen)) > 0.998


def test_of_equally_good_penalties_the_largest_is_taken() -> None:
    labels = np.arange(100) % 2
    codes = 2.0 * labels[:, None] - 1
    weights = fit_cross_validated(codes, labels).weights
    penalties = np.array([2e4, 0])
    expected = minimise(with_ones(codes), labels, penalties, np.zeros((2, 2)), np.eye(4))
    np.testing.assert_allclose(weights, expected, atol=1e-4)


def test_a_fold_may_lack_a_label() -> None:
    # The last fifth alone has label 2: its fold never tells it, and the others cannot be wrong.
    codes = np.repeat([0.0, 1.0, 2.0], [20, 20, 10])[:, None]
    labels = codes[:, 0].astype(np.int64) * 10
    np.testing.assert_array_equal(
        np.unique(fit_cross_validated(codes, labels).predict(codes)), [0, 10, 20]
    )
    # Here only one label is left to learn from.
    single = fit_cross_validated(np.eye(5)[:, :1], np.array([7, 3, 3, 3, 3]))
    np.testing.assert_array_equal(single.labels, [3, 7])


def test_a_single_label_is_all_that_is_told() -> None:
    model = fit_cross_validated(np.random.default_rng(0).standard_normal((10, 2)), np.full(10, 4))
    np.testing.assert_array_equal(model.predict(np.ones((3, 2))), [4, 4, 4])


def test_classes_that_no_sample_has_do_not_count() -> None:
    codes, labels = sample(200, 3, 0.3)
    features = with_ones(codes)
    even, penalties = np.eye(5), np.array([0.1, 0.1, 0.1, 0.1, 0])
    expected = minimise(features, labels, penalties, np.zeros((3, 5)), even)
    start = np.random.default_rng(0).standard_normal((5, 5))
    weights = minimise(features, 2 * labels, penalties, start, even)
    np.testing.assert_allclose(weights[[0, 2, 4], :-1], expected[:, :-1], atol=1e-3)


def test_the_curvature_is_the_second_derivative_of_the_loss() -> None:
    codes, labels = sample(50, 3, 0.5)
    features = with_ones(codes)
    weights = np.random.default_rng(1).standard_normal((3, 5))

    def loss(flat: Doubles) -> float:
        scores = flat.reshape(3, 5) @ features
        return float(np.mean(np.log(np.exp(scores).sum(axis=0)) - scores[labels, np.arange(50)]))

    step = 1e-3 * np.eye(15)
    derivative = [
        [
            loss(weights.ravel() + a + b)
            - loss(weights.ravel() + a - b)
            - loss(weights.ravel() - a + b)
            + loss(weights.ravel() - a - b)
            for b in step
        ]
        for a in step
    ]
    bend = curvature(features, weights)
    bend[4::5, 4::5] -= 1 / 9
    np.testing.assert_allclose(np.array(derivative) / 4e-6, bend, atol=1e-5)


def test_coordinates_are_even() -> None:
    codes, _ = sample(200, 3, 0.3)
    bend = curvature(with_ones(codes), np.random.default_rng(0).standard_normal((3, 5)))
    penalties = np.array([0.01, 0.01, 0.1, 0.01, 0])
    even = even_coordinates(bend, penalties)
    whole = bend + np.diag(np.tile(penalties, 3))
    np.testing.assert_allclose(even @ whole @ even.T, np.eye(15), atol=1e-8)


def test_models_too_large_for_their_curvature_reach_the_same_optimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes, labels = sample(300, 6, 0.1)
    expected = fit_cross_validated(codes, labels)
    monkeypatch.setattr(logistic_regression, "MOST_WEIGHTS", 10)
    model = fit_cross_validated(codes, labels)
    scale = np.abs(expected.weights).max()
    np.testing.assert_allclose(model.weights[:, :-1], expected.weights[:, :-1], atol=1e-3 * scale)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    codes, _ = sample(300, 3, 0.3)
    weights = np.random.default_rng(0).standard_normal((3, 5))
    expected = curvature(with_ones(codes), weights)
    monkeypatch.setattr(logistic_regression, "BLOCK_VALUES", 1)
    np.testing.assert_allclose(curvature(with_ones(codes), weights), expected, atol=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.integers(5, 60), st.integers(1, 6), st.integers(-38, 38))
def test_any_codes_have_a_model(seed: int, samples: int, classes: int, exponent: int) -> None:
    # Of all scales, with a latent twice, one the negative of another, and constant ones.
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    codes = np.round(rng.standard_normal((samples, 3)), rng.integers(3))
    codes = np.hstack([codes, codes[:, :1], -codes[:, 1:2], np.zeros((samples, 1))])
    codes[:, 2] += labels
    codes = np.hstack([codes, np.full((samples, 1), 3.0)]) * 10.0**exponent
    model = fit_cross_validated(codes, labels)
    assert np.isfinite(model.weights).all()
    # The best C tells no fewer right than the label that most have, but for what folds leave out.
    told = model.predict(codes)
    assert set(told.tolist()) <= set(labels.tolist())
