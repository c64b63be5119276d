from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import eigvalsh
from scipy.stats import gmean, pearsonr, rankdata, spearmanr

from metrics import METRICS, score
from metrics.distance_correlation import (
    correlation,
    distance_correlation,
    geometric_mean,
    ranks,
)
from metrics.distances import draw_traversals
from metrics.table import CodeTable, draw_rows, factors_at, generator

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
SIZES = (5, 6, 7)
PREFIX = "distance_correlation_"
CORRELATIONS = ("rcorr_l2", "lcorr_l2", "rsame_l2", "rcorr_l1", "lcorr_l1", "rsame_l1")
SHAPES = ("linear_ratio", "axis_ratio", "axis_alignment")


def positions(*sizes: int) -> Doubles:
    """float64 [N, F]: the index of each factor."""
    return np.indices(sizes).reshape(len(sizes), -1).T.astype(np.float64)


def found(codes: npt.NDArray[np.floating], sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    """The fast scores, without their prefix."""
    table = CodeTable.checked(codes, sizes)
    scores = score("distance_correlation", table, size="fast", seed=0)
    return {name.removeprefix(PREFIX): value for name, value in scores.items()}


def plain_agreement(triplets: list[tuple[Doubles, Doubles, Doubles, int, int]]) -> dict[str, float]:
    """From (code of a, of p, of n, ground distance a-p, a-n) of each triplet, with SciPy."""
    scores = {}
    for p in (1, 2):
        near = np.array([np.linalg.norm(a - b, ord=p) for a, b, _, _, _ in triplets])
        far = np.array([np.linalg.norm(a - c, ord=p) for a, _, c, _, _ in triplets])
        ground_near = np.array([triplet[3] for triplet in triplets])
        ground_far = np.array([triplet[4] for triplet in triplets])
        ground = np.concatenate([ground_near, ground_far])
        latent = np.concatenate([near, far])
        same = (
            ((near < far) & (ground_near < ground_far))
            | ((near == far) & (ground_near == ground_far))
            | ((near > far) & (ground_near > ground_far))
        )
        scores[f"rcorr_l{p}"] = float(spearmanr(ground, latent)[0])
        scores[f"lcorr_l{p}"] = float(pearsonr(ground, latent)[0])
        scores[f"rsame_l{p}"] = float(same.mean())
    return scores


def plain_straightness(points: Doubles) -> tuple[float, float, float]:
    latents = points.shape[1]
    covariance = np.cov(points.T)
    ratios = []
    for values in (eigvalsh(covariance), np.diag(covariance)):
        share = values.max() / values.sum()
        ratios.append((share - 1 / latents) / (1 - 1 / latents))
    return ratios[0], ratios[1], ratios[1] / ratios[0]


def plain(table: CodeTable, seed: int, repeats: int, triplets: int) -> dict[str, float]:
    """disent's factored components between factors and codes, a traversal at a time."""
    rng = generator(seed, "distance_correlation")
    codes = table.rows.astype(np.float64)
    along, straight = [], []
    for factor in range(len(table.factor_sizes)):
        traversals = draw_traversals(table, rng, factor, repeats)
        picked = rng.integers(traversals.shape[1], size=(3, repeats, triplets))
        along.append(
            plain_agreement(
                [
                    (codes[rows[a]], codes[rows[p]], codes[rows[n]], abs(a - p), abs(a - n))
                    for rows, of_traversal in zip(traversals, picked.swapaxes(0, 1), strict=True)
                    for a, p, n in of_traversal.T
                ]
            )
        )
        straight.append(np.mean([plain_straightness(codes[rows]) for rows in traversals], axis=0))
    batches = draw_rows(table, rng, repeats * 32).reshape(repeats, 32)
    picked = rng.integers(32, size=(3, repeats, triplets))
    everywhere = []
    for rows, of_batch in zip(batches, picked.swapaxes(0, 1), strict=True):
        for three in of_batch.T:
            a, p, n = rows[three]
            at_a, at_p, at_n = factors_at(table, np.array([a, p, n])).T
            near, far = int(np.abs(at_a - at_p).sum()), int(np.abs(at_a - at_n).sum())
            everywhere.append((codes[a], codes[p], codes[n], near, far))
    expected = {}
    for name, value in plain_agreement(everywhere).items():
        expected[f"{name}_factor"] = float(gmean([scores[name] for scores in along]))
        expected[f"{name}_global"] = value
    for name, values in zip(SHAPES, np.transpose(straight), strict=True):
        expected[name] = float(gmean(values))
    return {PREFIX + name: value for name, value in expected.items()}


@pytest.mark.parametrize("latents", [3, 9])
def test_agrees_with_the_definition_a_traversal_at_a_time(latents: int) -> None:
    rng = np.random.default_rng(latents)
    mixing = rng.standard_normal((3, latents))
    codes = positions(*SIZES) @ mixing + rng.standard_normal((2, 210, latents))
    table = CodeTable.checked(codes, SIZES)
    scores = distance_correlation(table, seed=3, repeats=40, triplets=20)
    assert scores == pytest.approx(plain(table, 3, repeats=40, triplets=20), rel=1e-9)
    assert 0.3 < scores["distance_correlation_rcorr_l2_factor"] < 0.96


def test_the_indices_of_the_factors_themselves_score_one() -> None:
    scores = found(positions(*SIZES))
    for name in CORRELATIONS:
        assert scores[f"{name}_factor"] == pytest.approx(1.0)
    for name in SHAPES:
        assert scores[name] == pytest.approx(1.0)
    # The ground distance is in l1, so only l1 follows it everywhere.
    for name in CORRELATIONS:
        assert (scores[f"{name}_global"] > 1 - 1e-9) == name.endswith("l1")
    assert 0.8 < scores["rcorr_l2_global"] < 0.99


def test_ranks_follow_a_curve_and_lines_do_not() -> None:
    curved = found(np.exp(positions(12)), (12,))
    assert curved["lcorr_l2_factor"] < 0.5 < curved["rcorr_l2_factor"]


def test_codes_in_which_all_positions_are_as_far_apart() -> None:
    # As images of XYSquares of spacing 8 are (domain.md 4.13): distances are 0 or the same. For
    # i and j uniform of n: Pearson's correlation of |i - j| and of i != j, from their moments.
    size = 8
    i, j = np.indices((size, size))
    expected = np.corrcoef(np.abs(i - j).ravel(), (i != j).ravel())[0, 1]
    scores = found(np.eye(size), (size,))
    assert scores["lcorr_l2_factor"] == pytest.approx(expected, abs=0.01)
    assert scores["lcorr_l1_factor"] == pytest.approx(expected, abs=0.01)
    # The triplets that agree: both distances 0, or one of them, or neither and equally far.
    a, p, n = np.indices((size,) * 3)
    agree = np.sign(abs(a - p) - abs(a - n)) == np.sign((a != p).astype(int) - (a != n))
    assert scores["rsame_l2_factor"] == pytest.approx(agree.mean(), abs=0.01)
    # A simplex has no direction: n - 1 equal eigenvalues, and as many latents as positions.
    assert scores["linear_ratio"] == pytest.approx((1 / 7 - 1 / 8) / (1 - 1 / 8), abs=1e-6)
    assert scores["axis_ratio"] == pytest.approx(0.0, abs=1e-6)


def test_a_line_at_45_degrees_is_linear_and_along_no_axis() -> None:
    scores = found(np.tile(positions(8), (1, 2)), (8,))
    assert scores["linear_ratio"] == pytest.approx(1.0)
    assert scores["axis_ratio"] == scores["axis_alignment"] == pytest.approx(0.0, abs=1e-9)
    assert scores["rcorr_l2_factor"] == pytest.approx(1.0)
    third = found(positions(8) * [3.0, 1.0], (8,))
    # Variances 9 : 1 of two latents: (.9 - 1/2) / (1/2).
    assert third["axis_ratio"] == third["axis_alignment"] == pytest.approx(0.8)


def test_a_rotation_moves_the_axes_only() -> None:
    codes = positions(*SIZES) * [1, 2, 3] + np.random.default_rng(0).normal(0, 0.5, (210, 3))
    turned, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    before, after = found(codes), found(codes @ turned)
    for name in ("linear_ratio", "rcorr_l2_factor", "lcorr_l2_global"):
        assert after[name] == pytest.approx(before[name], abs=1e-4)
    assert after["axis_ratio"] < before["axis_ratio"] - 0.2


def test_a_circle_has_no_direction() -> None:
    angles = 2 * np.pi * np.arange(12) / 12
    scores = found(np.stack([np.cos(angles), np.sin(angles)], axis=1), (12,))
    assert scores["linear_ratio"] == pytest.approx(0.0, abs=1e-6)
    assert scores["axis_ratio"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("zeros", [np.zeros((210, 3)), np.full((210, 1), 7.0)])
def test_constant_codes_score_zero(zeros: Doubles) -> None:
    scores = found(zeros)
    ties = {"rsame_l1_factor", "rsame_l1_global", "rsame_l2_factor", "rsame_l2_global"}
    for name, value in scores.items():
        # Equal distances agree with ground distances that happen to be equal.
        assert 0 < value < 0.4 if name in ties else value == 0.0


def test_a_factor_that_does_nothing_takes_the_geometric_mean_to_zero() -> None:
    scores = found(positions(*SIZES)[:, :2])
    for name in ("rcorr_l2_factor", "lcorr_l1_factor", *SHAPES):
        assert scores[name] == 0.0
    assert scores["rcorr_l2_global"] > 0.5


def test_a_geometric_mean_with_a_factor_of_zero_or_less_is_zero() -> None:
    assert geometric_mean(np.array([0.5, -0.1, 0.9])) == 0.0  # NaN in disent
    assert geometric_mean(np.array([0.5, -0.1, -0.9])) == 0.0
    assert geometric_mean(np.array([0.5, 0.0])) == 0.0
    assert geometric_mean(np.array([0.25, 1.0])) == pytest.approx(0.5)


def test_one_latent_and_a_factor_of_two_positions_are_lines() -> None:
    scores = found(positions(2) * [2.0], (2,))
    assert [scores[name] for name in SHAPES] == [1.0, 1.0, 1.0]
    scores = found(np.array([[0.0, 0.0], [3.0, 4.0]]), (2,))
    assert scores["linear_ratio"] == pytest.approx(1.0)
    assert scores["axis_ratio"] == pytest.approx((16 / 25 - 1 / 2) * 2)


def test_noise_scores_low_everywhere_and_not_along_a_factor() -> None:
    # Along a factor a triplet repeats positions, and distances of 0 go with distances of 0.
    noise = np.random.default_rng(0).standard_normal((8**4, 6))
    scores = found(noise, (8, 8, 8, 8))
    assert scores["rcorr_l2_global"] < 0.2
    assert scores["rcorr_l2_factor"] < 0.65
    assert scores["axis_ratio"] < 0.35


def test_fast_is_near_full() -> None:
    rng = np.random.default_rng(0)
    codes = positions(*SIZES) @ rng.standard_normal((3, 4)) + rng.standard_normal((210, 4))
    table = CodeTable.checked(codes, SIZES)
    fast, slow = (score("distance_correlation", table, size=s, seed=0) for s in ("fast", "full"))
    assert fast == pytest.approx(slow, abs=0.03)
    assert METRICS["distance_correlation"].sizes == {
        "fast": {"repeats": 128, "triplets": 64},
        "full": {"repeats": 1_024, "triplets": 64},
    }


@settings(max_examples=100)
@given(arrays(np.float64, st.integers(1, 30), elements=st.integers(-5, 5).map(float)))
def test_ranks_are_those_of_scipy(values: Doubles) -> None:
    np.testing.assert_array_equal(ranks(values), rankdata(values))


def test_a_correlation_without_variation_is_zero() -> None:
    steps = np.arange(7.0)
    # The mean of seven times .1 is not .1 to the last bit.
    assert correlation(steps, np.full(7, 0.1)) == correlation(np.full(7, 0.1), steps) == 0.0
    assert correlation(steps, -2 * steps) == pytest.approx(-1.0)
    assert correlation(steps * 1e-45, steps * 1e40) == pytest.approx(1.0)
