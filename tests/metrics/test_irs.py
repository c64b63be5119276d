from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from metrics import score
from metrics.irs import interventional_robustness
from metrics.table import CodeTable, draw_rows, factors_at, generator
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def plain_irs(codes: Doubles, factors: Integers) -> float:
    """Suter et al. 2019 with a percentile for the maximum and 20 bins, a number at a time."""
    weighted, weights = 0.0, 0.0
    for z in codes.T:
        largest = max(abs(z - z.mean()))
        robustness = []
        for v in factors:
            bins = np.digitize(v, np.histogram(v, 20)[1][:-1])
            left = []
            for g in set(bins):
                group = z[bins == g]
                left.append(np.percentile(abs(group - group.mean()), 99))
            robustness.append(1 - np.mean(left) / largest)
        weighted += largest * max(robustness)
        weights += largest
    return float(weighted / weights)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_definition_on_the_same_sample(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    rows = draw_rows(table, generator(3, "irs"), 10_000)
    expected = plain_irs(table.rows[rows].astype(np.float64), factors_at(table, rows))
    scores = score("irs", table, size="full", seed=3)
    assert scores["irs"] == pytest.approx(expected, abs=1e-12)
    assert scores["irs_varying_latents"] == table.codes.shape[2]


def whole_grid(*sizes: int) -> Integers:
    return np.indices(sizes).reshape(len(sizes), -1)


def full(codes: npt.NDArray[np.floating], sizes: tuple[int, ...]) -> dict[str, float]:
    return score("irs", CodeTable.checked(codes, sizes), size="full", seed=0)


def test_factors_of_up_to_twenty_positions_do_not_move_their_latents() -> None:
    # disentanglement_lib 31cc481, irs_test.py asks for .9 or more of the factors themselves.
    codes = whole_grid(20, 3, 7).T.astype(np.float64)
    assert full(codes, (20, 3, 7)) == {"irs": 1.0, "irs_varying_latents": 3.0}


def test_positions_beyond_twenty_share_a_bin_and_lower_the_score() -> None:
    # 40 positions, two a bin: half a step is left, of 19.5 from the mean to the ends.
    factors = whole_grid(40)
    robustness = interventional_robustness(factors.T.astype(np.float64), factors)
    assert robustness == pytest.approx(1 - 0.5 / 19.5)


def test_half_the_range_left_is_half_the_score() -> None:
    # Of the sum of two factors of two positions, 0 1 1 2, each leaves half a step of one either
    # way; the percentile of so few is between the two largest, and these are equal.
    factors = whole_grid(2, 2)
    assert interventional_robustness(factors.sum(axis=0, dtype=float)[:, None], factors) == 0.5


def test_latents_count_by_their_largest_deviation() -> None:
    # A latent of score 1, which deviates by 3, and one of 1/2 that deviates by 1.
    first, second = factors = whole_grid(2, 2)
    codes = np.stack([6.0 * first, first + second], axis=1)
    assert interventional_robustness(codes, factors) == pytest.approx((3 * 1 + 1 * 0.5) / 4)


def test_one_outlier_in_a_group_does_not_decide() -> None:
    # The paper's maximum would leave all of the range in one of the two groups.
    factors = np.repeat([[0, 1]], 1_000, axis=1)
    code = factors[0].astype(np.float64)
    code[0] = -1.0
    # The deviation of the others is the shift of their mean, a thousandth.
    left = (0.001 + 0) / 2 / (1 + np.mean(code))
    assert interventional_robustness(code[:, None], factors) == pytest.approx(1 - left)


def test_a_latent_that_leans_either_way_scores_below_nought() -> None:
    # 1 in 5 % of one group and in 95 % of the other: .95 from each group's mean, .5 from the whole.
    factors = np.repeat([[0, 1]], 1_000, axis=1)
    code = np.tile(np.arange(100) < 5, 20).astype(np.float64)
    code = np.where(factors[0] == 1, 1 - code, code)
    assert interventional_robustness(code[:, None], factors) == pytest.approx(1 - 0.95 / 0.5)


def test_a_factor_of_one_position_is_not_scored() -> None:
    # All of its rows are one group, in which a latent deviates by .5 from its mean: it would raise
    # the score to 0.
    code = np.tile(np.arange(100) < 5, 20).reshape(1_000, 2, 1).astype(np.float64)
    code[:, 1] = 1 - code[:, 1]
    score = full(code, (2,))
    assert -0.95 < score["irs"] < -0.8
    assert full(code, (1, 2)) == score


def test_constant_latents_are_dropped_and_varying_ones_counted() -> None:
    # Their number, where disentanglement_lib reports the sum of their codes.
    codes = 100 * whole_grid(5, 6).T.astype(np.float64)
    dead = np.full((30, 3), [0.0, -7.3, 1e30])
    assert full(np.hstack([dead, codes]), (5, 6)) == full(codes, (5, 6))
    assert full(codes, (5, 6))["irs_varying_latents"] == 2.0
    assert full(dead, (5, 6)) == {"irs": 0.0, "irs_varying_latents": 0.0}


def test_duplicated_latents_change_nothing() -> None:
    codes = whole_grid(5, 6).T @ np.array([[1.0, 0.2], [0.5, 1.0]])
    expected = full(codes, (5, 6))["irs"]
    assert 0.1 < expected < 0.9
    assert full(np.tile(codes, (1, 2)), (5, 6))["irs"] == pytest.approx(expected, rel=1e-12)


def test_noise_scores_what_the_percentile_leaves() -> None:
    # Of 10,000 normal codes the largest is about 3.9 and the 99th percentile 2.58 deviations off.
    codes = np.random.default_rng(0).standard_normal((8**4, 20))
    assert full(codes, (8,) * 4)["irs"] == pytest.approx(1 - 2.58 / 3.9, abs=0.06)


def test_scale_and_offset_of_all_latents_change_nothing() -> None:
    codes = whole_grid(5, 6).T @ np.array([[1.0, 0.2], [0.5, 1.0]])
    moved = full(1e4 * codes - 3e4, (5, 6))["irs"]
    assert moved == pytest.approx(full(codes, (5, 6))["irs"], rel=1e-6)
