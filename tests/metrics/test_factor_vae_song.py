from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from metrics import score
from metrics.factor_vae_song import weights
from metrics.table import CodeTable
from metrics.votes import Votes

Doubles = npt.NDArray[np.float64]
SONG2D = (3, 4, 6, 8, 8)  # five factors, as many as his set of K = 5 has


def positions(*sizes: int) -> Doubles:
    """float64 [N, F] from 0 to 1."""
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def full(name: str, codes: npt.NDArray[np.floating], sizes: tuple[int, ...]) -> float:
    """The metric's own score of a code table."""
    table = CodeTable.checked(codes, sizes)
    return score(name, table, size="full", seed=0)[f"{name}_score"]


def middling_votes(factors: int = 3, seed: int = 0) -> Votes:
    """40 votes a factor of 30 images, entangled and noisy, and global codes."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(factors), 40)
    told = rng.uniform(size=(len(labels), 30, factors))
    told[np.arange(len(labels)), :, labels] = rng.uniform(size=(len(labels), 1))
    mixing = np.eye(factors, 4) + 0.6 * rng.standard_normal((factors, 4))
    scale = [1, 0.8, 1.2, 1]
    codes = (told @ mixing + 0.2 * rng.standard_normal((len(labels), 30, 4))) * scale
    everywhere = (rng.uniform(size=(2_000, factors)) @ mixing) * scale
    return Votes.checked(codes, labels, global_codes=everywhere)


def test_ucl_legacy_is_what_his_code_computes() -> None:
    # Written from the description of main.py: divide by the variance, count, sum the largest.
    for seed in range(5):
        votes = middling_votes(seed=seed)
        assert votes.global_codes is not None
        variance = np.var(votes.global_codes.astype(np.float64), axis=0)
        counted = np.zeros((4, 3))
        for codes, label in zip(votes.codes.astype(np.float64), votes.labels, strict=True):
            counted[np.argmin(np.var(codes / variance, axis=0)), label] += 1
        expected = sum(row.max() for row in counted) / len(votes.labels)
        assert 0.34 < expected < 1
        found = score("factor_vae_ucl_legacy", votes, size="full", seed=0)
        assert found == {"factor_vae_ucl_legacy_score": pytest.approx(expected)}


def test_printed_is_the_thesis_to_the_letter() -> None:
    # Section 3.3.2: the standard deviation, V[d, k] = sum of I(d_m = d, k_m = k), argmin over k.
    for seed in range(5):
        votes = middling_votes(seed=seed)
        assert votes.global_codes is not None
        deviation = np.std(votes.global_codes.astype(np.float64), axis=0)
        examples = [
            (int(np.argmin(np.var(codes / deviation, axis=0))), int(label))
            for codes, label in zip(votes.codes.astype(np.float64), votes.labels, strict=True)
        ]
        counts = [[examples.count((d, k)) for k in range(3)] for d in range(4)]
        named = [int(np.argmin(row)) for row in counts]
        expected = np.mean([named[d] == k for d, k in examples])
        found = score("factor_vae_printed", votes, size="full", seed=0)
        assert found == {"factor_vae_printed_score": pytest.approx(expected)}


@pytest.mark.parametrize("factors", range(1, 8))
def test_the_floor_of_ucl_legacy_is_one_over_the_number_of_factors(factors: int) -> None:
    # Published: "if the classifier chose at random, the accuracy would be 1/K". Constant codes
    # elect the same latent in all votes, of which there are as many for each factor.
    sizes = (2,) * factors
    constant = np.full((2**factors, 20), 0.25)
    assert full("factor_vae_ucl_legacy", constant, sizes) == pytest.approx(1 / factors, abs=1e-12)
    votes = Votes.checked(np.zeros((80 * factors, 2, 20)), np.repeat(np.arange(factors), 80))
    found = score("factor_vae_ucl_legacy", votes, size="full", seed=0)
    assert found["factor_vae_ucl_legacy_score"] == pytest.approx(1 / factors, abs=1e-12)


def test_one_factor_scores_one() -> None:
    # Published, K = 1: 100 (0) for every beta.
    assert full("factor_vae_ucl_legacy", positions(9), (9,)) == 1.0


def test_three_factors_that_none_tells_score_sixty_per_cent() -> None:
    # Published, K = 5, D = 20, beta = 8: 60.0 (.0), last and best. Three latents tell x, y and
    # scale, the others are dead. Whenever rotation or shape is fixed, the latent of the largest
    # variance is elected, which is also that of x: 80 votes each for y and scale, and 80 of 240.
    rng = np.random.default_rng(0)
    told = positions(*SONG2D)
    live = told[:, 2:] * [2.0, 3.0, 4.0] + 0.1 * rng.standard_normal((len(told), 3))
    dead = 1e-3 * rng.standard_normal((len(told), 17))
    codes = np.hstack([dead[:, :8], live, dead[:, 8:]])
    assert full("factor_vae_ucl_legacy", codes, SONG2D) == pytest.approx(0.6, abs=1e-12)
    # Divided by standard deviations, noise elects; unseen votes of the three are guesses then.
    assert full("factor_vae", codes, SONG2D) == pytest.approx(3 / 5, abs=0.03)


def test_ucl_legacy_depends_on_scales_and_the_others_do_not() -> None:
    rng = np.random.default_rng(0)
    codes = positions(5, 6, 7) @ rng.standard_normal((3, 3)) + 0.2 * rng.standard_normal((210, 3))
    scaled = codes * [1, 4, 16]
    for name in ("factor_vae_weighted", "factor_vae_printed"):
        assert full(name, scaled, (5, 6, 7)) == full(name, codes, (5, 6, 7))
    legacy = [full("factor_vae_ucl_legacy", each, (5, 6, 7)) for each in (codes, scaled)]
    assert legacy[1] < legacy[0] - 0.1


def test_printed_scores_nothing_for_perfect_codes_and_at_most_a_guess_for_others() -> None:
    for perfect in positions(5, 6, 7), np.tile(positions(5, 6, 7), 2):
        assert full("factor_vae_printed", perfect, (5, 6, 7)) == 0.0
    rng = np.random.default_rng(0)
    for codes in (np.zeros((210, 4)), rng.standard_normal((210, 4))):
        assert full("factor_vae_printed", codes, (5, 6, 7)) == pytest.approx(0.3, abs=0.04)
        assert full("factor_vae_printed", codes, (5, 6, 7)) <= 1 / 3
    # A factor of one position is held fixed in no vote: it would be the rarest.
    assert full("factor_vae_printed", np.zeros((210, 4)), (1, 5, 6, 1, 7)) > 0.25


def test_printed_names_only_factors_that_have_votes() -> None:
    votes = Votes.checked(np.zeros((4, 3, 2)), np.array([1, 1, 3, 3]), factors=6)
    found = score("factor_vae_printed", votes, size="full", seed=0)
    assert found == {"factor_vae_printed_score": 0.5}


@settings(max_examples=200)
@given(
    data=st.data(),
    latents=st.integers(1, 8),
    scale=st.floats(1e-3, 1e3),
)
def test_a_weight_lies_between_one_less_one_over_the_latents_and_one(
    data: st.DataObject, latents: int, scale: float
) -> None:
    variances = data.draw(arrays(np.float64, (3, latents), elements=st.floats(0, 1e6)))
    found = weights(variances * scale, np.full(latents, scale), np.arange(latents))
    assert np.all(found >= 1 - 1 / latents - 1e-12) and np.all(found <= 1)
    for weight, row in zip(found, variances, strict=True):
        if row.sum() > 1e-200:
            expected = abs(row.sum() - row.min()) / row.sum()  # the thesis, section 5.2.2
            assert weight == pytest.approx(expected, abs=1e-9)


def test_the_weights_at_the_ends_of_their_range() -> None:
    variances = np.array([[1.0, 2.0, 4.0], [1.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    found = weights(variances, np.array([1.0, 2.0, 4.0]), np.arange(3))
    assert found.tolist() == [pytest.approx(2 / 3), 1.0, 1.0]
    # Over two latents: the third one is left out.
    assert weights(variances, np.array([1.0, 2.0, 4.0]), np.array([0, 1]))[0] == 0.5


def test_weighted_is_the_share_of_the_right_votes_times_their_weights() -> None:
    votes = middling_votes()
    seed_scores = []
    for seed in range(3):
        found = score("factor_vae_weighted", votes, size="full", seed=seed)
        assert found["factor_vae_weighted_score"] <= found["factor_vae_weighted_mean_weight"]
        assert 2 / 3 < found["factor_vae_weighted_mean_weight"] < 1
        seed_scores.append(found["factor_vae_weighted_score"])
    plain = score("factor_vae", votes, size="full", seed=0)["factor_vae_score"]
    assert max(seed_scores) < plain  # weights lie below one


def test_weighted_tells_a_still_latent_from_one_that_only_varies_least() -> None:
    # Song's two scenarios: both codes elect the right latent in every vote.
    perfect = positions(5, 6, 7)
    leaky = perfect + 0.5 * (perfect.sum(axis=1, keepdims=True) - perfect)
    assert full("factor_vae", leaky, (5, 6, 7)) > 0.99
    assert full("factor_vae_weighted", perfect, (5, 6, 7)) == 1.0
    assert 0.7 < full("factor_vae_weighted", leaky, (5, 6, 7)) < 0.9


def test_weighted_learns_from_weights() -> None:
    # Three votes for the first factor, of weight 1 - .9 / 1.9 each, against two of weight 1.
    labels = np.repeat([0, 1], [6, 4])
    variances = np.where(labels[:, None] == 0, [0.9, 1.0], [0.0, 1.0])
    codes = np.stack([-np.sqrt(variances), np.sqrt(variances)], axis=1)
    everywhere = np.array([[-1.0, -1.0], [1.0, 1.0]])
    votes = Votes.checked(codes, labels, global_codes=everywhere)
    found = score("factor_vae_weighted", votes, size="full", seed=0)
    assert found == {
        "factor_vae_weighted_score": 2 / 5,
        "factor_vae_weighted_train_score": 2 / 5,
        "factor_vae_weighted_mean_weight": pytest.approx((3 * 10 / 19 + 2) / 5),
    }
    assert score("factor_vae", votes, size="full", seed=0)["factor_vae_score"] == 3 / 5


# Of noise, six latents get 40 of 240 votes each. The largest of three binomial counts of mean 13.3
# is 15.8 in the mean, so that on the votes learned from a guess is right in .396 of them.
@pytest.mark.parametrize(
    ("name", "guess"), [("factor_vae_weighted", 0.33), ("factor_vae_ucl_legacy", 0.396)]
)
def test_perfect_duplicated_and_useless_codes(name: str, guess: float) -> None:
    perfect = positions(5, 6, 7)
    assert full(name, perfect, (5, 6, 7)) == 1.0
    assert full(name, np.tile(perfect, (1, 2)), (5, 6, 7)) == 1.0
    noise = np.random.default_rng(0).standard_normal((20, 210, 6))
    assert full(name, noise, (5, 6, 7)) == pytest.approx(guess, abs=0.05)


def test_weighted_without_an_active_latent_scores_zero_and_with_one_the_still_votes() -> None:
    assert full("factor_vae_weighted", 0.01 * positions(5, 6, 7), (5, 6, 7)) == 0.0
    # One latent tells one of three factors: votes of the others weigh 1 - s / s = 0.
    first = positions(5, 6, 7)[:, :1]
    assert full("factor_vae_weighted", first, (5, 6, 7)) == pytest.approx(1 / 3, abs=0.03)
