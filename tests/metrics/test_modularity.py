from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import mutual_info_score

from metrics import score
from metrics.modularity import modularity, modularity_of
from metrics.table import CodeTable, draw_rows, factors_at, generator
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]

REFERENCE = json.loads(Path(__file__).parents[1].joinpath("reference/linear.json").read_text())
DIAGONAL = np.diag(5 * np.ones(5))


# domain.md 4.14, from disentanglement_lib 86a644d, modularity_explicitness_test.py.
@pytest.mark.parametrize(
    ("informations", "expected"),
    [
        (DIAGONAL, 1),
        (np.array([[1.0, 0], [0, 1], [0, 0]]), 2 / 3),
        (np.zeros((10, 10)), 0),
        (np.vstack([DIAGONAL, DIAGONAL]), 1),
        (DIAGONAL[:2], 1),
        (np.hstack([DIAGONAL, DIAGONAL]), 1 - 1 / 9),
    ],
)
def test_the_known_values(informations: Doubles, expected: float) -> None:
    assert modularity_of(informations) == pytest.approx(expected)


def test_informations_are_squared() -> None:
    assert modularity_of(np.array([[2.0, 1.0]])) == pytest.approx(1 - 1 / 4)


def test_the_mean_is_over_all_latents_dead_ones_too() -> None:
    assert modularity_of(np.vstack([DIAGONAL, np.zeros((15, 5))])) == pytest.approx(1 / 4)


def test_there_is_no_other_than_a_single_factor() -> None:
    assert modularity_of(np.array([[3.0], [0.1], [0.0]])) == pytest.approx(2 / 3)


def plain_modularity(codes: Doubles, factors: npt.NDArray[np.int64]) -> float:
    """Ridgeway and Mozer 2018, section 3, with histogram bins and scikit-learn's information."""
    scores = []
    for code in codes.T:
        binned = np.digitize(code, np.histogram(code, 20)[1][:-1])
        m = np.array([mutual_info_score(factor, binned) for factor in factors])
        template = np.where(np.arange(len(m)) == m.argmax(), m.max(), 0)
        deviation = ((m - template) ** 2).sum() / (m.max() ** 2 * (len(m) - 1))
        scores.append(1 - deviation)
    return float(np.mean(scores))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS)
def test_agrees_with_scikit_learn_on_the_same_sample(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    rows = draw_rows(table, generator(3, "modularity"), 10_000)
    expected = plain_modularity(table.rows[rows].astype(np.float64), factors_at(table, rows))
    value = score("modularity", table, size="full", seed=3)["modularity"]
    assert value == pytest.approx(expected, rel=1e-10)


# On rows drawn for themselves; not of noise, where all that is told is the accidents of a sample.
@pytest.mark.parametrize("kind", ["perfect", "entangled", "rotated"])
@pytest.mark.parametrize("grid", GRIDS)
def test_agrees_with_the_definition_on_other_samples(grid: str, kind: str) -> None:
    expected = REFERENCE["values"][grid][kind]["modularity"]
    value = score("modularity", table_of(kind, grid), size="full", seed=0)["modularity"]
    assert value == pytest.approx(expected, abs=0.01)


def test_perfect_duplicated_and_useless_codes() -> None:
    sizes = (8, 8, 8)
    perfect = np.indices(sizes).reshape(3, -1).T.astype(np.float64)
    noise = np.random.default_rng(0).standard_normal((8**3, 5))
    # Of noise each latent tells a little of all factors, by the accidents of the sample: of three
    # that are alike the largest square stands out by less than all.
    for codes, least, most in (
        (perfect, 0.999, 1),
        (np.tile(perfect, 2), 0.999, 1),
        (np.zeros_like(perfect), 0, 0),
        (noise, 0.1, 0.6),
    ):
        table = CodeTable.checked(codes, sizes)
        assert least <= modularity(table, seed=0, samples=10_000)["modularity"] <= most


def test_a_latent_of_two_factors_is_less_modular_than_one_of_one() -> None:
    sizes = (8, 8, 8)
    first, second, third = np.indices(sizes).reshape(3, -1)
    both = np.stack([8 * first + second, third], axis=1).astype(np.float64)
    table = CodeTable.checked(both, sizes)
    # 20 bins of 64 tell nearly all of the first factor and a little of the second.
    value = modularity(table, seed=0, samples=10_000)["modularity"]
    assert 0.9 < value < 0.999
    table = CodeTable.checked(np.stack([first + second, third], axis=1).astype(np.float64), sizes)
    assert modularity(table, seed=0, samples=10_000)["modularity"] == pytest.approx(0.75, abs=0.01)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0, 5)),
    st.floats(0.01, 100),
    st.randoms(use_true_random=False),
)
def test_neither_order_nor_unit_matters(informations: Doubles, unit: float, random: object) -> None:
    informations[informations < 1e-9] = 0
    value = modularity_of(informations)
    assert 0 <= value <= 1
    assert modularity_of(unit * informations) == pytest.approx(value)
    assert modularity_of(informations[::-1, ::-1]) == pytest.approx(value)
