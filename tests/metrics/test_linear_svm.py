from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import LinearSVC

from metrics.linear_svm import C, balanced_classes, fit_linear_svms, predict

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def converged(code: Doubles, factor: Integers) -> LinearSVC:
    machine = LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-10, max_iter=10_000)
    return machine.fit(code[:, None], factor)


@pytest.mark.parametrize("classes", [3, 7])
@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (1e-2, 5.0), (10.0, -100.0)])
def test_slopes_and_intercepts_are_those_of_liblinear(
    classes: int, scale: float, offset: float
) -> None:
    rng = np.random.default_rng(classes)
    factor = np.minimum(rng.integers(0, classes, 900), rng.integers(0, classes, 900))  # unbalanced
    code = scale * (factor + rng.standard_normal(900)) + offset
    slopes, intercepts = fit_linear_svms(code, balanced_classes(factor[None]))
    expected = converged(code, factor)
    np.testing.assert_allclose(slopes, expected.coef_[:, 0], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(intercepts, expected.intercept_, rtol=1e-6, atol=1e-8)


def test_two_classes_are_one_machine_and_its_mirror_image() -> None:
    rng = np.random.default_rng(0)
    factor = (rng.random(500) < 0.1).astype(np.int64)
    code = factor + rng.standard_normal(500)
    slopes, intercepts = fit_linear_svms(code, balanced_classes(factor[None]))
    expected = converged(code, factor)
    np.testing.assert_allclose(slopes, [-expected.coef_[0, 0], expected.coef_[0, 0]], rtol=1e-6)
    np.testing.assert_allclose(
        intercepts, [-expected.intercept_[0], expected.intercept_[0]], rtol=1e-6
    )


def test_the_penalty_of_the_intercept_pulls_it_to_nought() -> None:
    # Of a code of noughts nothing but the intercept is left: each class's minimum is closed.
    factor = np.repeat([0, 1, 2], [50, 30, 20])
    slopes, intercepts = fit_linear_svms(np.zeros(100), balanced_classes(factor[None]))
    inside, outside = C * 100 / 3, C * (100 - np.array([50, 30, 20]))
    np.testing.assert_allclose(
        intercepts, 2 * (inside - outside) / (1 + 2 * (inside + outside)), rtol=1e-12
    )
    np.testing.assert_array_equal(slopes, np.zeros(3))


@st.composite
def samples(draw: st.DrawFn) -> tuple[Doubles, Integers]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.integers(1, 200))
    factors = rng.integers(0, draw(st.integers(1, 12)), (draw(st.integers(1, 3)), rows))
    noise = {
        "normal": rng.standard_normal(rows),
        "heavy tails": rng.standard_cauchy(rows),
        "ties": rng.integers(-2, 3, rows).astype(np.float64),
        "none": np.zeros(rows),
    }[draw(st.sampled_from(["normal", "heavy tails", "ties", "none"]))]
    code = factors[0] * draw(st.sampled_from([0.0, 0.3, -5.0])) + noise
    return (code + draw(st.sampled_from([0, 10, -1e3]))) * 10.0 ** draw(
        st.integers(-30, 30)
    ), factors


def assert_the_gradient_is_nought(code: Doubles, factors: Integers) -> None:
    classes = balanced_classes(factors)
    slopes, intercepts = fit_linear_svms(code, classes)
    scale = np.abs(code).max() or 1.0
    for number, (w, b) in enumerate(zip(slopes, intercepts, strict=True)):
        [factor] = np.flatnonzero((classes.members == number).any(axis=1))
        signs = np.where(classes.members[factor] == number, 1, -1)
        weights = np.where(signs > 0, classes.inside[number], classes.outside[number])
        pulls = 2 * weights * signs * np.maximum(0, 1 - signs * (w * code + b))
        at_most = 1e-5 * weights.sum()  # the objective is within 1e-12 of the minimum
        assert abs(b - pulls.sum()) < at_most
        assert abs(w / scale - (pulls * code).sum() / scale) < at_most


@settings(max_examples=100)
@given(sample=samples())
def test_the_gradient_is_nought(sample: tuple[Doubles, Integers]) -> None:
    assert_the_gradient_is_nought(*sample)


def test_the_gradient_is_nought_where_the_slope_costs_nothing() -> None:
    # Of huge codes the loss alone decides: rounding must not be taken for a loss.
    for seed in range(200):
        rng = np.random.default_rng(seed)
        rows = int(rng.integers(1, 60))
        factors = rng.integers(0, 2, (1, rows))
        assert_the_gradient_is_nought(1e15 * (rng.standard_normal(rows) + 10), factors)


def test_balanced_weights_are_those_of_scikit_learn_and_liblinear() -> None:
    three, two = np.repeat([0, 1, 2], [6, 3, 3]), np.repeat([0, 1], [9, 3])
    classes = balanced_classes(np.stack([three, two]))
    np.testing.assert_allclose(classes.inside / C, [12 / 18, 12 / 9, 12 / 9, 12 / 18, 12 / 6])
    np.testing.assert_allclose(classes.outside / C, [1, 1, 1, 12 / 6, 12 / 18])
    np.testing.assert_array_equal(classes.members, [three, two + 3])


def test_classes_without_rows_are_never_predicted() -> None:
    rng = np.random.default_rng(0)
    factor = rng.choice([1, 4, 8], 300)
    code = factor + 0.1 * rng.standard_normal(300)
    classes = balanced_classes(factor[None])
    [labels] = classes.labels
    predicted = predict(*fit_linear_svms(code, classes), labels, code)
    np.testing.assert_array_equal(labels, [1, 4, 8])
    np.testing.assert_array_equal(predicted, converged(code, factor).predict(code[:, None]))


def test_the_first_of_equal_decisions_wins() -> None:
    labels = np.array([3, 5, 7])
    predicted = predict(np.array([0.0, 1, 1]), np.zeros(3), labels, np.array([-1.0, 0, 2]))
    np.testing.assert_array_equal(predicted, [3, 3, 5])


def objective(w: float, b: float, code: Doubles, signs: Integers, weights: Doubles) -> float:
    hinge = np.maximum(0, 1 - signs * (w * code + b))
    return float((w**2 + b**2) / 2 + np.sum(weights * hinge**2))


def test_codes_that_differ_by_many_orders_of_magnitude_do_no_harm() -> None:
    # Sums of them are too coarse for the minimum, but hardly ever is it worse than f = 0.
    worse = problems = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        factor = rng.integers(0, 3, 100)
        code = rng.standard_normal(100) * 10.0 ** rng.integers(-20, 1)
        code[:3] *= 10.0 ** rng.integers(4, 38)
        classes = balanced_classes(factor[None])
        for number, (w, b) in enumerate(zip(*fit_linear_svms(code, classes), strict=True)):
            signs = np.where(factor == number, 1, -1)
            weights = np.where(signs > 0, classes.inside[number], classes.outside[number])
            worse += not objective(w, b, code, signs, weights) <= weights.sum() * (1 + 1e-9)
            problems += 1
    assert worse < 0.01 * problems
