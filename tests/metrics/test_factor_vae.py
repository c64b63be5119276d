from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from metrics import score
from metrics.elections import Ballots
from metrics.factor_vae import factor_vae, majority_vote
from metrics.table import CodeTable
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]
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
        return rng.randint(sizes, size=(count, len(sizes)))

    def represent(factors: npt.NDArray[np.int64]) -> Doubles:
        batch: Doubles = codes[np.ravel_multi_index(tuple(factors.T), sizes)]
        return batch

    spread = represent(sample_factors(10_000)).std(axis=0, ddof=1)
    active = [d for d in range(codes.shape[1]) if spread[d] >= 0.05]

    def vote() -> tuple[int, int]:
        fixed = rng.randint(len(sizes))
        factors = sample_factors(64)
        factors[:, fixed] = factors[0, fixed]
        ratios = represent(factors)[:, active].var(axis=0, ddof=1) / spread[active] ** 2
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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "grid",
    ["xysquares", *(pytest.param(g, marks=pytest.mark.slow) for g in GRIDS if g != "xysquares")],
)
def test_agrees_with_the_definition_within_the_spread_over_seeds(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    expected = plain_factor_vae(table.rows.astype(np.float64), GRIDS[grid], seed=5)
    scores = [
        score("factor_vae", table, size="full", seed=seed)["factor_vae_score"] for seed in range(8)
    ]
    # The standard deviation is .004 to .016, and 0 of perfect codes.
    assert expected == pytest.approx(np.mean(scores), abs=4 * np.std(scores, ddof=1))


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
    # Each vote elects the latent of the variance 0; in training none elects the first latent.
    first, second = [0.0, 1.0], [1.0, 0.0]
    train = Ballots(np.array([0, 1, 1, 1, 1]), np.array([second] * 5))
    unseen = Ballots(np.array([0, 0, 1, 1, 1]), np.array([first, first, first, second, second]))
    scores = majority_vote(train, unseen, np.ones(2), np.arange(2))
    assert scores == (4 / 5, 4 / 5)


def test_the_train_score_is_never_below_a_guess() -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_normal((5 * 6 * 7, 4))
        assert full(noise)["factor_vae_train_score"] >= 1 / 3


def unpruned(codes: npt.NDArray[np.floating], sizes: tuple[int, ...] = SIZES) -> dict[str, float]:
    table = CodeTable.checked(codes, sizes)
    return score("factor_vae_unpruned", table, size="full", seed=0)


def test_unpruned_dead_latents_win_votes() -> None:
    # Of a thousandth of an active latent, one that follows a factor wins all of its votes; of
    # noise, it has a ratio near one and wins those of no factor that another latent tells.
    codes = positions(*SIZES)
    faint = np.hstack([codes[:, :2], 1e-3 * codes[:, 2:]])
    assert unpruned(faint)["factor_vae_unpruned_score"] == 1.0
    assert full(faint)["factor_vae_score"] == pytest.approx(2 / 3, abs=0.03)


def test_unpruned_a_latent_that_never_varies_wins_every_vote() -> None:
    # As 0 / 0 does in disent, whose NaN NumPy's argmin elects: a guess, one of three.
    for place in range(4):
        dead = np.insert(positions(*SIZES), [place], np.zeros((5 * 6 * 7, 1)), axis=1)
        assert unpruned(dead)["factor_vae_unpruned_score"] == pytest.approx(1 / 3, abs=0.03)
    constant = unpruned(np.full((5 * 6 * 7, 4), 2.5))
    assert constant["factor_vae_unpruned_score"] == pytest.approx(1 / 3, abs=0.03)


def test_unpruned_perfect_duplicated_and_useless_codes() -> None:
    noise = np.random.default_rng(0).standard_normal((20, 5 * 6 * 7, 6))
    for codes, expected in (
        (positions(*SIZES), 1.0),
        (np.tile(positions(*SIZES), 2), 1.0),
        (noise, pytest.approx(1 / 3, abs=0.05)),
    ):
        assert unpruned(codes)["factor_vae_unpruned_score"] == expected


def test_unpruned_agrees_with_pruned_where_all_are_active() -> None:
    codes = mixed(SIZES, noise=0.3)
    expected = full(codes)["factor_vae_score"]
    assert 0.5 < expected < 0.95
    assert unpruned(codes)["factor_vae_unpruned_score"] == pytest.approx(expected, abs=0.03)
