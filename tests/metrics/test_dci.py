from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from metrics import METRICS, score
from metrics.dci import completeness, dci, dci_sklearn, disentanglement
from metrics.table import CodeTable
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]
REFERENCE = json.loads((Path(__file__).parent.parent / "reference" / "dci.json").read_text())


def positions(*sizes: int) -> Doubles:
    """float64 [N, F] from 0 to 1."""
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def mixed(sizes: tuple[int, ...], latents: int) -> Doubles:
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((len(sizes), latents))
    clean = positions(*sizes) @ (mixing * np.abs(mixing))
    return clean + 0.1 * rng.standard_normal(clean.shape)


def scored(
    codes: npt.NDArray[np.floating], sizes: tuple[int, ...], name: str = "dci"
) -> tuple[float, ...]:
    """(D, C, informativeness in training, in testing) at the small size."""
    return tuple(score(name, CodeTable.checked(codes, sizes), size="fast", seed=0).values())


# The importances of disentanglement_lib 86a644d, dci_test.py.


def test_a_latent_a_factor_is_disentangled_and_complete() -> None:
    assert disentanglement(np.eye(10)) == completeness(np.eye(10)) == 1


def test_a_latent_of_two_factors_is_not_disentangled() -> None:
    importances = np.repeat(np.eye(5), 2, axis=1)
    assert disentanglement(importances) == pytest.approx(1 - math.log(2) / math.log(10))
    assert completeness(importances) == pytest.approx(1)


def test_a_factor_in_two_latents_is_not_complete() -> None:
    importances = np.repeat(np.eye(5), 2, axis=0)
    assert disentanglement(importances) == pytest.approx(1)
    assert completeness(importances) == pytest.approx(1 - math.log(2) / math.log(10))


def test_latents_count_by_their_importance() -> None:
    # The first latent, of one factor, has 3/4 of all importance; the second is of both alike.
    importances = np.array([[1.5, 0.0], [0.25, 0.25], [0.0, 0.0]])
    assert disentanglement(importances) == pytest.approx(0.75)


def test_importances_that_say_nothing() -> None:
    assert disentanglement(np.ones((4, 3))) == pytest.approx(0)
    assert completeness(np.ones((4, 3))) == pytest.approx(0)
    assert disentanglement(np.zeros((4, 3))) == completeness(np.zeros((4, 3))) == 0
    # Rounding would leave some of these below 0.
    assert all(0 <= disentanglement(np.ones((2, factors))) < 1e-12 for factors in range(2, 50))


def test_a_single_factor_and_a_single_latent_have_nothing_to_be_mixed_with() -> None:
    assert disentanglement(np.array([[0.3], [0.7]])) == 1
    assert completeness(np.array([[0.3, 0.7]])) == 1
    assert disentanglement(np.zeros((2, 1))) == completeness(np.zeros((1, 2))) == 0


@given(
    latents=st.integers(2, 6),
    factors=st.integers(2, 6),
    zeros=st.floats(0, 1),
    seed=st.integers(0, 2**32),
)
def test_equal_the_entropies_of_scipy(latents: int, factors: int, zeros: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    importances = rng.exponential(size=(latents, factors)) ** 4
    importances[rng.random(importances.shape) < zeros] = 0
    importances[0, 0] = 1
    # disentanglement_lib adds 1e-11, for which a latent of no importance has an entropy.
    entropies = scipy.stats.entropy(importances.T + 1e-11, base=factors)
    expected = np.average(1 - entropies, weights=importances.sum(axis=1))
    assert disentanglement(importances) == pytest.approx(expected, abs=1e-7)
    assert completeness(importances.T) == disentanglement(importances)
    assert 0 <= disentanglement(importances) <= 1


@pytest.mark.parametrize("name", ["dci", pytest.param("dci_sklearn", marks=pytest.mark.slow)])
def test_perfect_useless_and_duplicated_codes(name: str) -> None:
    sizes = (5, 6, 7)
    perfect = positions(*sizes)
    assert scored(perfect, sizes, name) == pytest.approx((1, 1, 1, 1), abs=1e-3)
    assert scored(np.zeros((5 * 6 * 7, 4)), sizes, name)[:2] == (0, 0)
    twice = scored(np.hstack([perfect, perfect]), sizes, name)
    # scikit-learn takes either of two equal latents at random: by chance not equally often.
    expected = (1, 1 - math.log(2) / math.log(6), 1, 1)
    assert twice == pytest.approx(expected, abs=1e-3 if name == "dci" else 0.03)


def test_codes_that_tell_nothing_are_learned_by_heart() -> None:
    # What is told of the samples learned from is no sign of information: the trees learn accidents.
    noise = np.random.default_rng(1).standard_normal((8**5, 6))
    disentangled, complete, train, test = scored(noise, (8,) * 5)
    assert disentangled < 0.01 and complete < 0.01
    assert train > 0.7
    assert test == pytest.approx(1 / 8, abs=0.03)


def test_constant_codes_tell_the_most_frequent_position() -> None:
    # Drawn from 10 positions a thousand times the most frequent one has 10 to 14 % of the samples.
    *_, train, test = scored(np.zeros((100, 2)), (10, 10))
    assert 0.1 <= train < 0.14
    assert test == pytest.approx(0.1, abs=0.04)


def test_one_factor_and_one_latent() -> None:
    assert scored(positions(6), (6,)) == (1, 1, 1, 1)
    # The importances for a factor sum to 1 also where they are those of accidents.
    assert scored(positions(6, 6)[:, :1], (6, 6))[:2] == (0, 1)


def test_more_latents_than_factors_and_fewer() -> None:
    # D is of logarithms to the base of factors, C to that of latents: one latent of three factors,
    # and three useless ones beside it.
    sizes = (4, 4, 4)
    together = positions(*sizes) @ [16, 4, 1]
    disentangled, complete, _, test = scored(together[:, None], sizes)
    assert disentangled < 0.1 and complete == 1 and test > 0.9
    noise = np.random.default_rng(0).standard_normal((64, 3)) * 1e-3
    apart = scored(np.hstack([positions(*sizes), noise]), sizes)
    assert apart == pytest.approx((1, 1, 1, 1), abs=0.01)


@pytest.mark.parametrize("latents", [3, 6])
def test_agrees_with_scikit_learns_trees_on_the_same_rows(latents: int) -> None:
    sizes = (3, 5, 4)
    table = CodeTable.checked(mixed(sizes, latents), sizes)
    ours = dci(table, seed=3, train_samples=400, test_samples=400)
    theirs = dci_sklearn(table, seed=3, train_samples=400, test_samples=400)
    assert tuple(theirs) == METRICS["dci_sklearn"].scores
    assert list(ours.values()) == pytest.approx(list(theirs.values()), abs=0.02)
    assert 0.05 < ours["dci_disentanglement"] < 0.95


def test_scikit_learns_trees_give_the_same_values_twice_and_finite_ones() -> None:
    duplicated = CodeTable.checked(np.tile(positions(3, 2), 2), (3, 2))
    sizes = {"train_samples": 40, "test_samples": 20}
    values = [dci_sklearn(duplicated, seed=2**64 - 1, **sizes) for _ in range(2)]
    assert values[0] == values[1]
    # Of one sample there is one position, which scikit-learn refuses.
    one = dci_sklearn(duplicated, seed=0, train_samples=1, test_samples=20)
    assert one["dci_sklearn_disentanglement"] == one["dci_sklearn_completeness"] == 0
    assert one["dci_sklearn_informativeness_train"] == 1


def test_splits_of_scikit_learn_that_are_all_in_vain_have_no_importance() -> None:
    # With this seed each cell is drawn once: the first factor tells nothing of the second, whose
    # importances are 0/0.
    table = CodeTable.checked(positions(2, 2)[:, :1], (2, 2))
    values = dci_sklearn(table, seed=6, train_samples=4, test_samples=20)
    assert tuple(values.values())[:3] == (1, 1, 0.75)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "grid",
    ["xysquares", *(pytest.param(g, marks=pytest.mark.slow) for g in GRIDS if g != "xysquares")],
)
def test_agrees_with_the_definition_at_full_size(grid: str, kind: str) -> None:
    # tests/reference/dci.py drew other rows, which moves D and C by about .003.
    table = table_of(kind, grid)
    expected = REFERENCE["values"][grid][kind]
    for name, value in score("dci", table, size="full", seed=0).items():
        assert value == pytest.approx(expected[name.removeprefix("dci_")], abs=0.03), name
