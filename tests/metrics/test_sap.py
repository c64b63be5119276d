from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.svm import LinearSVC

from metrics import METRICS, score
from metrics.sap import classification_accuracies, mean_gap, squared_correlations
from metrics.table import CodeTable, draw_rows, factors_at, generator
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Samples = tuple[Doubles, Integers, Doubles, Integers]


def plain_accuracies(
    train_codes: Doubles, train_factors: Integers, test_codes: Doubles, test_factors: Integers
) -> Doubles:
    """Kumar et al. 2018, section 3, with the settings of Locatello et al. 2019, converged."""
    accuracies = np.zeros((train_codes.shape[1], len(train_factors)))
    for d in range(train_codes.shape[1]):
        for k in range(len(train_factors)):
            machine = LinearSVC(C=0.01, class_weight="balanced", dual=False, max_iter=10_000)
            machine.fit(train_codes[:, [d]], train_factors[k])
            accuracies[d, k] = machine.score(test_codes[:, [d]], test_factors[k])
    return accuracies


def plain_squared_correlations(codes: Doubles, factors: Integers) -> Doubles:
    return np.array([[np.corrcoef(z, v)[0, 1] ** 2 for v in factors] for z in codes.T])


def plain_gap(predictability: Doubles) -> float:
    gaps = []
    for column in predictability.T:
        first, second, *_ = sorted(column, reverse=True)
        gaps.append(first - second)
    return float(np.mean(gaps))


def drawn(table: CodeTable, seed: int, train_samples: int, test_samples: int) -> Samples:
    rng = generator(seed, "sap")
    train, test = draw_rows(table, rng, train_samples), draw_rows(table, rng, test_samples)
    return (
        table.rows[train].astype(np.float64),
        factors_at(table, train),
        table.rows[test].astype(np.float64),
        factors_at(table, test),
    )


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_converged_machines_of_scikit_learn(grid: str, kind: str) -> None:
    # The bar is .02. What is left are rows so near a threshold that its last digits decide.
    table = table_of(kind, grid)
    samples = drawn(table, seed=3, **METRICS["sap"].sizes["full"])
    expected = plain_accuracies(*samples)
    np.testing.assert_allclose(classification_accuracies(*samples), expected, atol=0.003)
    value = score("sap", table, size="full", seed=3)["sap"]
    assert value == pytest.approx(plain_gap(expected), abs=0.002)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_continuous_agrees_with_correlations_of_numpy(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    rows = draw_rows(table, generator(3, "sap_continuous"), 10_000)
    expected = plain_gap(
        plain_squared_correlations(table.rows[rows].astype(np.float64), factors_at(table, rows))
    )
    value = score("sap_continuous", table, size="full", seed=3)["sap_continuous"]
    assert value == pytest.approx(expected, abs=1e-12)


def whole_grid(*sizes: int) -> Integers:
    return np.indices(sizes).reshape(len(sizes), -1)


def full(name: str, codes: Doubles, sizes: tuple[int, ...]) -> float:
    return score(name, CodeTable.checked(codes, sizes), size="full", seed=0)[name]


def perfect(*sizes: int) -> Doubles:
    return whole_grid(*sizes).T / (np.array(sizes) - 1.0)


# disentanglement_lib 76f41e3, sap_score_test.py: continuous, factors >= .9, zeros <= .2,
# duplicated codes <= .2.


def test_the_factors_explain_all_of_their_variance() -> None:
    assert full("sap_continuous", perfect(5, 6, 7), (5, 6, 7)) > 0.99


@pytest.mark.parametrize("name", ["sap", "sap_continuous"])
def test_no_gap_is_left_between_duplicated_latents(name: str) -> None:
    assert full(name, np.tile(perfect(5, 6, 7), (1, 2)), (5, 6, 7)) == 0.0


@pytest.mark.parametrize("name", ["sap", "sap_continuous"])
@pytest.mark.parametrize("latents", [1, 2, 4])
def test_latents_of_noughts_have_no_gap(name: str, latents: int) -> None:
    assert full(name, np.zeros((5 * 6 * 7, latents)), (5, 6, 7)) == 0.0


def test_the_two_modes_are_not_the_same_number() -> None:
    # A line tells the two ends of a factor of eight positions, and one of those between them.
    codes = perfect(8, 8, 8)
    assert full("sap_continuous", codes, (8, 8, 8)) > 0.99
    assert full("sap", codes, (8, 8, 8)) < 0.3


def test_factors_of_two_positions_are_told_as_well_as_they_can_be() -> None:
    # Right on all rows, against one half by any other latent.
    assert full("sap", perfect(2, 2, 2), (2, 2, 2)) == pytest.approx(0.5, abs=0.02)


def test_the_gap_is_that_of_the_best_two_latents_of_each_factor() -> None:
    assert mean_gap(np.array([[0.9, 0.2], [0.4, 0.3], [0.6, 0.7]])) == pytest.approx(
        (0.3 + 0.4) / 2
    )


def test_half_the_variance_in_the_second_latent_is_half_a_gap() -> None:
    # Of the sum of two factors of four positions each explains half.
    first, second = factors = whole_grid(4, 4)
    codes = np.stack([first, first + second], axis=1).astype(np.float64)
    squares = squared_correlations(codes, factors)
    np.testing.assert_allclose(squares, [[1, 0], [0.5, 0.5]], atol=1e-15)
    assert mean_gap(squares) == pytest.approx((0.5 + 0.5) / 2)


def test_rounding_never_leaves_more_than_all_of_the_variance() -> None:
    for ones in range(1, 50):
        factors = (np.arange(57) < ones)[None].astype(np.int64)
        assert squared_correlations(2.0 * factors.T - 1, factors).max() <= 1.0


@pytest.mark.parametrize(("spread", "expected"), [(0.9e-6, 0.0), (1.1e-6, 1.0)])
def test_a_variance_of_a_millionth_squared_counts_as_none(spread: float, expected: float) -> None:
    factors = np.array([[0, 1, 0, 1]])
    codes = spread * np.array([[-1.0], [1], [-1], [1]])
    squares = squared_correlations(codes, factors)
    np.testing.assert_allclose(squares, [[expected], [0]])


def test_a_single_latent_is_measured_against_one_that_tells_nothing() -> None:
    # One of noughts predicts the same class of three for every row.
    factor = whole_grid(3)[:, np.arange(900) % 3]
    code = factor.T.astype(np.float64)
    alone = classification_accuracies(code, factor, code, factor)
    beside = classification_accuracies(
        np.hstack([code, 0 * code]), factor, np.hstack([code, 0 * code]), factor
    )
    np.testing.assert_array_equal(alone, beside)
    assert alone[1, 0] == pytest.approx(1 / 3)
    np.testing.assert_array_equal(squared_correlations(code, factor)[1], [0])


def test_a_factor_of_one_class_in_the_training_rows_predicts_that_class() -> None:
    # LinearSVC refuses to learn from a single class.
    codes, factors = np.arange(8.0)[:, None], np.full((1, 8), 2)
    test_factors = np.array([[2, 2, 2, 0, 1, 2, 2, 2]])
    accuracies = classification_accuracies(codes, factors, codes, test_factors)
    np.testing.assert_array_equal(accuracies, [[0.75], [0.75]])
    np.testing.assert_array_equal(squared_correlations(codes, factors), [[0], [0]])
    assert mean_gap(accuracies) == 0.0


def test_the_accuracy_is_that_of_rows_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    codes, factors = rng.standard_normal((40, 30)), rng.integers(0, 2, (1, 40))
    test_codes, test_factors = rng.standard_normal((5_000, 30)), rng.integers(0, 2, (1, 5_000))
    seen = classification_accuracies(codes, factors, codes, factors)
    unseen = classification_accuracies(codes, factors, test_codes, test_factors)
    assert seen.max() > 0.6
    assert np.abs(unseen - 0.5).max() < 0.03
