from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from metrics import METRICS, score
from metrics.factor_vae import accuracy, elected_latents, factor_vae, votes
from metrics.table import CodeTable, draw_rows_with_one_factor_fixed, generator

Doubles = npt.NDArray[np.float64]
FULL = METRICS["factor_vae"].sizes["full"]
SIZES = (5, 6, 7)


def positions(*sizes: int) -> Doubles:
    """float64 [N, F] from 0 to 1."""
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def mixed(sizes: tuple[int, ...], noise: float, seed: int = 0) -> Doubles:
    rng = np.random.default_rng(seed)
    clean = positions(*sizes) @ rng.standard_normal((len(sizes), len(sizes)))
    return clean + noise * rng.standard_normal(clean.shape)


def full(codes: npt.NDArray[np.floating], sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    return score("factor_vae", CodeTable.checked(codes, sizes), size="full", seed=0)


def plain_factor_vae(codes: Doubles, sizes: tuple[int, ...], seed: int) -> float:
    """Kim and Mnih 2018, section 4, a vote at a time, on codes [N, Z] of the whole grid."""
    rng = np.random.RandomState(seed)

    def sample_factors(count: int) -> npt.NDArray[np.int64]:
        return np.stack([rng.randint(size, size=count) for size in sizes], axis=1)

    def represent(factors: npt.NDArray[np.int64]) -> Doubles:
        batch: Doubles = codes[np.ravel_multi_index(tuple(factors.T), sizes)]
        return batch

    spread = represent(sample_factors(10_000)).std(axis=0, ddof=1)
    active = [d for d in range(codes.shape[1]) if spread[d] >= 0.05]

    def vote() -> tuple[int, int]:
        fixed = rng.randint(len(sizes))
        factors = sample_factors(64)
        factors[:, fixed] = factors[0, fixed]
        batch = represent(factors)
        ratios = [batch[:, d].var(ddof=1) / spread[d] ** 2 for d in active]
        return fixed, int(np.argmin(ratios))

    counts = np.zeros((len(sizes), len(active)), int)
    for _ in range(10_000):
        counts[vote()] += 1
    classifier = counts.argmax(axis=0)
    held_out = [vote() for _ in range(5_000)]
    return float(np.mean([classifier[latent] == fixed for fixed, latent in held_out]))


@pytest.mark.parametrize(("sizes", "noise"), [((5, 6, 7), 0.2), ((2, 3, 4, 5), 0.5)])
def test_agrees_with_the_definition_a_vote_at_a_time(sizes: tuple[int, ...], noise: float) -> None:
    codes = mixed(sizes, noise)
    codes[:, 1] *= 0.01  # not active
    expected = plain_factor_vae(codes, sizes, seed=5)
    assert 0.3 < expected < 0.9
    # The standard deviation of a share of 5,000 votes is .007 at most, and there are two of them.
    assert full(codes, sizes)["factor_vae_score"] == pytest.approx(expected, abs=0.04)


def test_every_vote_elects_the_latent_of_least_normalised_variance() -> None:
    table = CodeTable.checked(mixed(SIZES, noise=0.3) * [1, 10, 100], SIZES)
    _, rows = draw_rows_with_one_factor_fixed(table, generator(0, "test"), 3_000, 64)
    variances = table.codes[0].astype(np.float64).var(axis=0, ddof=1)
    elected = elected_latents(table, rows, variances, np.array([0, 1, 2]))
    codes = table.codes[0].astype(np.float64)
    expected = [np.argmin([codes[r, d].var(ddof=1) / variances[d] for d in range(3)]) for r in rows]
    np.testing.assert_array_equal(elected, expected)
    assert set(expected) == {0, 1, 2}


def test_the_elected_latent_keeps_its_index_when_others_are_pruned() -> None:
    table = CodeTable.checked(mixed(SIZES, noise=0.3), SIZES)
    _, rows = draw_rows_with_one_factor_fixed(table, generator(0, "test"), 300, 64)
    elected = elected_latents(table, rows, np.ones(3), np.array([0, 2]))
    assert set(elected.tolist()) == {0, 2}


def test_ties_elect_the_lowest_index() -> None:
    # Both latents stand still whenever the factor is fixed: their variances are exactly nought.
    codes = np.array([[0.1, 0.3], [0.7, 0.9], [0.2, 0.4]])
    table = CodeTable.checked(codes, (3,))
    counts = votes(table, generator(0, "test"), 50, np.array([1.0, 1.0]), np.array([0, 1]))
    np.testing.assert_array_equal(counts, [[50, 0]])


def test_inactive_latents_neither_vote_nor_shift_the_others() -> None:
    # The dead latent follows a factor faintly: unpruned it would win every vote of that factor.
    codes = mixed(SIZES, noise=0.3)
    dead = 0.01 * positions(*SIZES)[:, :1]
    expected = full(codes)
    for place in range(4):
        assert full(np.insert(codes, [place], dead, axis=1)) == expected


def test_active_is_a_standard_deviation_of_five_hundredths() -> None:
    # A code of +a and -a equally often has standard deviation a.
    signs = np.sign(positions(2, 2, 2) - 0.5)
    assert full(signs * [0.049, 0.051, 1.0], (2, 2, 2))["factor_vae_active_latents"] == 2


def test_active_latents_are_counted_not_the_length_of_the_mask() -> None:
    codes = np.hstack([positions(*SIZES), np.zeros((5 * 6 * 7, 4))])
    assert full(codes)["factor_vae_active_latents"] == 3


def test_no_active_latent_scores_zero() -> None:
    assert full(0.01 * positions(*SIZES)) == {
        "factor_vae_score": 0.0,
        "factor_vae_train_score": 0.0,
        "factor_vae_active_latents": 0.0,
    }


def test_perfect_codes_score_one_whatever_their_scales() -> None:
    scores = full(positions(*SIZES) * [1, 100, 1e4] + [0, -1e3, 5])
    assert scores["factor_vae_score"] == scores["factor_vae_train_score"] == 1.0


def test_a_factor_that_no_latent_tells_costs_its_votes() -> None:
    # With two of three factors in the codes, votes of the third fall on either latent and are
    # lost: 2/3, less where the third one's votes would outnumber (they never do).
    assert full(positions(*SIZES)[:, :2])["factor_vae_score"] == pytest.approx(2 / 3, abs=0.03)


def test_the_score_is_that_of_votes_not_learned_from() -> None:
    # Of noise a classifier learns the accidents of its votes; with few votes that shows clearly.
    rng = np.random.default_rng(0)
    table = CodeTable.checked(rng.standard_normal((8**5, 50)), (8,) * 5)
    scores = [
        factor_vae(table, seed=seed, variance_images=1_000, train_votes=100, eval_votes=2_000)
        for seed in range(10)
    ]
    learned = np.mean([score["factor_vae_train_score"] for score in scores])
    held_out = np.mean([score["factor_vae_score"] for score in scores])
    assert learned > 0.5
    assert held_out == pytest.approx(1 / 5, abs=0.02)


def test_a_latent_without_votes_stands_for_the_first_factor() -> None:
    train = np.array([[0, 1], [0, 4]])
    fixed_factor = np.argmax(train, axis=0)
    assert accuracy(train, fixed_factor) == 4 / 5
    assert accuracy(np.array([[3, 0], [1, 2]]), fixed_factor) == 5 / 6


def test_the_train_score_is_never_below_a_guess() -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_normal((5 * 6 * 7, 4))
        assert full(noise)["factor_vae_train_score"] >= 1 / 3
