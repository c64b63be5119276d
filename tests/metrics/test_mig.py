from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import mutual_info_score

from metrics import score
from metrics.mig import discretise, mig, mutual_information, mutual_information_gap
from metrics.table import CodeTable, draw_rows, factors_at, generator
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def plain_mig(codes: Doubles, factors: Integers) -> float:
    """Chen et al. 2018, equation 6, with histogram bins and scikit-learn's mutual information."""
    gaps = []
    for factor in factors:
        informations = []
        for code in codes.T:
            edges = np.histogram(code, 20)[1]
            informations.append(mutual_info_score(factor, np.digitize(code, edges[:-1])))
        informations.sort(reverse=True)
        gaps.append((informations[0] - informations[1]) / mutual_info_score(factor, factor))
    return float(np.mean(gaps))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", GRIDS)
def test_agrees_with_scikit_learn_on_the_same_sample(grid: str, kind: str) -> None:
    # The bar is .01, and what differs is rounding.
    table = table_of(kind, grid)
    rows = draw_rows(table, generator(3, "mig"), 10_000)
    expected = plain_mig(table.rows[rows].astype(np.float64), factors_at(table, rows))
    assert 0 < expected < 1
    assert score("mig", table, size="full", seed=3)["mig"] == pytest.approx(expected, rel=1e-10)


def whole_grid(*sizes: int) -> Integers:
    return np.indices(sizes).reshape(len(sizes), -1)


def test_half_a_factor_in_the_second_latent_is_half_a_gap() -> None:
    # Four positions are ln 4 nats; which half of them, ln 2; the factor of two is told by one only.
    first, second = factors = whole_grid(4, 2)
    codes = np.stack([first, first // 2, second], axis=1).astype(np.float64)
    assert mutual_information_gap(codes, factors) == pytest.approx((0.5 + 1) / 2)


def test_a_factor_finer_than_the_bins_keeps_a_gap_below_one() -> None:
    # 40 positions, two a bin: ln 20 of ln 40 nats.
    factors = whole_grid(40)
    gap = mutual_information_gap(factors.T.astype(np.float64), factors)
    assert gap == pytest.approx(math.log(20) / math.log(40))


def test_a_single_latent_has_the_whole_gap() -> None:
    first, second = factors = whole_grid(4, 4)
    gap = mutual_information_gap(first[:, None].astype(np.float64), factors)
    assert gap == pytest.approx((1 + 0) / 2)


def test_factors_that_do_not_vary_are_left_out() -> None:
    factors = np.stack([np.zeros(12, int), whole_grid(12)[0]])
    codes = np.stack([factors[1], np.zeros(12)], axis=1).astype(np.float64)
    assert mutual_information_gap(codes, factors) == 1.0
    assert mutual_information_gap(codes, factors[:1]) == 0.0


@pytest.mark.parametrize("constant", [0.0, -3.5, 1e30])
def test_constant_latents_tell_nothing(constant: float) -> None:
    factors = whole_grid(6)
    assert mutual_information_gap(np.full((6, 3), constant), factors) == 0.0


def test_bins_hold_their_left_edge_and_the_last_one_both() -> None:
    np.testing.assert_array_equal(discretise(np.arange(21.0)), [*range(20), 19])
    np.testing.assert_array_equal(
        discretise(np.array([0, 0.999, 1, 19.999, 20])), [0, 0, 1, 19, 19]
    )


def test_bins_are_of_equal_width_not_of_equal_count() -> None:
    np.testing.assert_array_equal(discretise(np.array([0, 1, 2, 3, 100.0])), [0, 0, 0, 0, 19])


def test_mutual_information_of_known_distributions() -> None:
    # Nats. Uniform: ln n. A bit through a channel that flips one in four: ln 2 - H(1/4).
    x = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    y = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    flipped = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert mutual_information(x, y) == pytest.approx(math.log(2) - flipped)
    assert mutual_information(np.arange(7), np.arange(7)) == pytest.approx(math.log(7))
    independent_x, independent_y = whole_grid(3, 5)
    assert mutual_information(independent_x, independent_y) == pytest.approx(0, abs=1e-15)


def test_rounding_never_leaves_the_range() -> None:
    # Without the limits these two are -2e-16 and 1 + 2e-16: found by trying.
    assert mutual_information(*whole_grid(5, 5)) == 0.0
    factor = np.repeat([0, 1, 4, 5], [3, 1, 1, 1])
    assert mutual_information_gap(-factor[:, None].astype(np.float64), factor[None]) == 1.0


def test_the_estimate_settles_as_samples_grow() -> None:
    # The plug-in estimate is biased upwards by about (bins - 1)(positions - 1) / 2S nats.
    rng = np.random.default_rng(0)
    table = CodeTable.checked(rng.standard_normal((8**4, 1)), (8,) * 4)
    small, large = (mig(table, seed=0, samples=samples)["mig"] for samples in (500, 50_000))
    assert large < small / 5
