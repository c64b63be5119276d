from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from metrics import METRICS, metrics_for, score
from metrics.elections import (
    Ballots,
    accuracy,
    ballots_of_every_factor,
    ballots_of_random_factors,
    count,
    elect,
    global_variances,
    local_variances,
    train_and_eval_ballots,
)
from metrics.table import (
    CodeTable,
    draw_rows,
    draw_rows_with_factors_fixed,
    draw_rows_with_one_factor_fixed,
    generator,
)
from metrics.votes import Votes

Doubles = npt.NDArray[np.float64]
SIZES = (5, 6, 7)


def noisy_table(seed: int = 0, replicates: int = 1) -> CodeTable:
    """Three factors mixed into three latents of different scales, and noise."""
    rng = np.random.default_rng(seed)
    clean = np.indices(SIZES).reshape(3, -1).T / 6 @ rng.standard_normal((3, 3))
    codes = clean + 0.3 * rng.standard_normal((replicates, *clean.shape))
    return CodeTable.checked(codes * [1, 10, 100], SIZES)


def test_every_vote_elects_the_latent_of_least_normalised_variance() -> None:
    table = noisy_table()
    _, rows = draw_rows_with_one_factor_fixed(table, generator(0, "test"), 3_000, 64)
    codes = table.codes[0].astype(np.float64)
    variances = codes.var(axis=0, ddof=1)
    elected = elect(local_variances(table, rows, np.random.default_rng(0)), variances, np.arange(3))
    expected = [np.argmin([codes[r, d].var(ddof=1) / variances[d] for d in range(3)]) for r in rows]
    np.testing.assert_array_equal(elected, expected)
    assert set(expected) == {0, 1, 2}


def test_the_elected_latent_keeps_its_index_when_others_are_left_out() -> None:
    elected = elect(np.array([[3.0, 0.0, 2.0], [1.0, 0.0, 2.0]]), np.ones(3), np.array([0, 2]))
    assert elected.tolist() == [2, 0]


def test_ties_elect_the_lowest_index() -> None:
    # Both latents stand still whenever the factor is fixed: their variances are exactly nought.
    table = CodeTable.checked(np.array([[0.1, 0.3], [0.7, 0.9], [0.2, 0.4]]), (3,))
    ballots = ballots_of_random_factors(table, generator(0, "test"), 50, 64)
    elected = elect(ballots.variances, np.ones(2), np.arange(2))
    np.testing.assert_array_equal(count(ballots, elected), [[50, 0]])


def test_votes_are_counted_by_factor_and_latent_or_weighed() -> None:
    ballots = Ballots(np.array([0, 2, 2, 2]), np.zeros((4, 2)))
    elected = np.array([1, 0, 0, 1])
    np.testing.assert_array_equal(count(ballots, elected), [[0, 1], [0, 0], [2, 1]])
    weights = np.array([0.5, 0.25, 0.75, 1.0])
    np.testing.assert_array_equal(count(ballots, elected, weights), [[0, 0.5], [0, 0], [1, 1]])
    fixed_factor = np.array([2, 0])
    assert accuracy(ballots, elected, fixed_factor) == 3 / 4
    assert accuracy(ballots, elected, fixed_factor, weights) == (0.5 + 0.25 + 0.75) / 4


def test_given_votes_go_the_way_of_those_drawn_from_a_table() -> None:
    table = noisy_table(replicates=2)
    drawn = ballots_of_random_factors(table, generator(0, "test"), 300, 64)
    factors, rows = draw_rows_with_one_factor_fixed(table, generator(0, "test"), 300, 64)
    votes = Votes(table.rows[rows], factors, 3)
    given = ballots_of_every_factor(votes, generator(0, "test"), votes_a_factor=1, images=1)
    np.testing.assert_array_equal(given.factors, drawn.factors)
    np.testing.assert_array_equal(given.variances, drawn.variances)


@pytest.mark.parametrize("name", ["factor_vae_printed", "factor_vae_ucl_legacy"])
def test_a_score_of_a_table_is_that_of_the_votes_drawn_from_it(name: str) -> None:
    table, seed = noisy_table(), 3
    rng = generator(seed, name)
    global_codes = table.rows[draw_rows(table, rng, 10_000)]
    if name == "factor_vae_printed":
        factors, rows = draw_rows_with_one_factor_fixed(table, rng, 10_000, 64)
    else:
        factors = np.repeat(np.arange(3), 80)
        rows = draw_rows_with_factors_fixed(table, rng, factors, 400)
    votes = Votes(table.rows[rows], factors, 3, global_codes)
    expected = score(name, table, size="full", seed=seed)
    assert score(name, votes, size="full", seed=seed + 1) == expected
    assert 0 < expected[f"{name}_score"] < 1


@pytest.mark.parametrize("name", ["factor_vae", "factor_vae_unpruned", "factor_vae_weighted"])
def test_a_score_of_many_votes_is_near_that_of_the_table(name: str) -> None:
    table = noisy_table()
    factors, rows = draw_rows_with_one_factor_fixed(table, generator(5, "test"), 10_000, 64)
    votes = Votes(table.rows[rows], factors, 3)
    expected = score(name, table, size="full", seed=0)[f"{name}_score"]
    assert 0.4 < expected < 0.95
    # The standard deviation of a share of 5,000 votes is .007 at most, and there are two of them.
    assert score(name, votes, size="fast", seed=0)[f"{name}_score"] == pytest.approx(
        expected, abs=0.04
    )


def test_the_variances_are_of_the_global_codes_or_else_of_all_images() -> None:
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((6, 4, 2)).astype(np.float32)
    others = 3 * rng.standard_normal((10, 2)).astype(np.float32)
    labels = np.array([0, 0, 1, 1, 2, 2])
    pooled = global_variances(Votes(codes, labels, 3), generator(0, "test"), 5)
    expected = codes.astype(np.float64).reshape(24, 2).var(axis=0, ddof=1)
    np.testing.assert_allclose(pooled, expected, rtol=1e-12)
    given = global_variances(Votes(codes, labels, 3, others), generator(0, "test"), 5)
    np.testing.assert_allclose(given, others.astype(np.float64).var(axis=0, ddof=1), rtol=1e-12)


def test_half_of_each_factors_votes_are_learned_from() -> None:
    labels = np.repeat([0, 1, 3, 4], [80, 5, 2, 1])
    # The variance of a vote is its number, so that it can be followed.
    codes = np.stack([np.zeros(88), np.sqrt(2 * np.arange(88.0))], axis=1)[:, :, None]
    votes = Votes.checked(codes, labels)
    train, unseen = train_and_eval_ballots(votes, generator(0, "test"), 1, 1)
    assert np.bincount(train.factors).tolist() == [40, 3, 0, 1, 1]
    assert np.bincount(unseen.factors, minlength=5).tolist() == [40, 2, 0, 1, 0]
    seen = np.round(np.concatenate([train.variances, unseen.variances])[:, 0]).astype(int)
    assert sorted(seen.tolist()) == list(range(88))
    np.testing.assert_array_equal(labels[seen], np.concatenate([train.factors, unseen.factors]))
    another, _ = train_and_eval_ballots(votes, generator(1, "test"), 1, 1)
    assert not np.array_equal(another.variances, train.variances)


def test_given_votes_are_judged_by_those_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    votes = Votes.checked(rng.standard_normal((400, 20, 50)), np.repeat(np.arange(5), 80))
    scores = [score("factor_vae", votes, size="full", seed=seed) for seed in range(20)]
    assert np.mean([found["factor_vae_train_score"] for found in scores]) > 0.35
    unseen = np.mean([found["factor_vae_score"] for found in scores])
    assert unseen == pytest.approx(1 / 5, abs=0.03)


@pytest.mark.parametrize("name", metrics_for("votes"))
def test_a_vote_a_factor_is_scored(name: str) -> None:
    codes = np.random.default_rng(0).standard_normal((3, 5, 4))
    scores = score(name, Votes.checked(codes, np.arange(3)), size="full", seed=0)
    assert np.isfinite(list(scores.values())).all()
    if name == "factor_vae":
        assert scores["factor_vae_score"] == 0.0  # none is left to judge by


def test_every_variant_of_the_factor_vae_score_takes_both_shapes() -> None:
    variants = {name for name in METRICS if name.startswith("factor_vae")}
    assert len(variants) == 5
    assert variants <= set(metrics_for("votes")) & set(metrics_for("table"))
