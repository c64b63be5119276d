"""Votes on the factor that was held fixed: what the variants of the FactorVAE score share.

A vote is a batch of images that share the position of one factor. The latent that varies least over
them, next to how much it varies at all, is elected, and a classifier learns which factor each
elected latent stands for. The votes are drawn from a code table or given; from the variances of
their codes on, both go the same way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metrics.table import (
    AbstractTable,
    Doubles,
    Integers,
    codes_at,
    draw_rows,
    draw_rows_with_factors_fixed,
    draw_rows_with_one_factor_fixed,
)
from metrics.votes import Votes

IMAGES_PER_VOTE = 64
ACTIVE_STD = 0.05
BLOCK_VALUES = 2**17  # 1 MiB of float64: what is gathered at a time stays in the cache


class Ballots(NamedTuple):
    """factors: int64 [V], held fixed in each vote. variances: float64 [V, Z], Var(z_d) in it."""

    factors: Integers
    variances: Doubles


def global_variances(
    data: AbstractTable | Votes, rng: np.random.Generator, variance_images: int
) -> Doubles:
    """float64 [Z]: v_d = Var(z_d) over the dataset, with the divisor n - 1.

    Over `variance_images` rows of a code table, drawn with replacement; of given votes over all the
    global codes, or else over all images of all votes.
    """
    if isinstance(data, AbstractTable):
        codes = codes_at(data, draw_rows(data, rng, variance_images), rng)
    else:
        given = data.rows if data.global_codes is None else data.global_codes
        codes = given.astype(np.float64)
    variances: Doubles = np.var(codes, axis=0, ddof=1)
    return variances


def ballots_of_random_factors(
    table: AbstractTable, rng: np.random.Generator, votes: int, images: int
) -> Ballots:
    """Of `votes` votes of so many images, each of a factor picked at random."""
    factors, rows = draw_rows_with_one_factor_fixed(table, rng, votes, images)
    return Ballots(factors, local_variances(table, rows, rng))


def ballots_of_every_factor(
    data: AbstractTable | Votes, rng: np.random.Generator, votes_a_factor: int, images: int
) -> Ballots:
    """Of so many votes of each factor that varies; of given votes, all of them."""
    if isinstance(data, Votes):
        return given_ballots(data)
    factors = np.repeat(data.varying, votes_a_factor)
    rows = draw_rows_with_factors_fixed(data, rng, factors, images)
    return Ballots(factors, local_variances(data, rows, rng))


def given_ballots(votes: Votes) -> Ballots:
    variances = np.empty(votes.codes.shape[::2])
    for vote, codes in enumerate(votes.codes):
        variances[vote] = np.var(codes.astype(np.float64), axis=0, ddof=1)
    return Ballots(votes.labels, variances)


def train_and_eval_ballots(
    data: AbstractTable | Votes, rng: np.random.Generator, train_votes: int, eval_votes: int
) -> tuple[Ballots, Ballots]:
    """The ballots to learn from, and others to judge by.

    From a code table so many votes of 64 images each. Of given votes a random half of each factor's
    to learn from, the larger half where their number is odd, and the rest to judge by.
    """
    if isinstance(data, AbstractTable):
        train = ballots_of_random_factors(data, rng, train_votes, IMAGES_PER_VOTE)
        return train, ballots_of_random_factors(data, rng, eval_votes, IMAGES_PER_VOTE)
    factors, variances = given_ballots(data)
    learned = np.zeros(len(factors), dtype=np.bool_)
    for factor in np.unique(factors):
        votes = rng.permutation(np.flatnonzero(factors == factor))
        learned[votes[: (len(votes) + 1) // 2]] = True
    unseen = ~learned
    return (
        Ballots(factors[learned], variances[learned]),
        Ballots(factors[unseen], variances[unseen]),
    )


def local_variances(table: AbstractTable, rows: Integers, rng: np.random.Generator) -> Doubles:
    """float64 [V, Z]: the variances of each latent over each of the rows [V, I] of a table.

    The divisor is I - 1.
    """
    variances = np.empty((len(rows), table.latents))
    block = max(1, BLOCK_VALUES // (rows.shape[1] * table.latents))
    for start in range(0, len(rows), block):
        batch = codes_at(table, rows[start : start + block], rng)
        variances[start : start + block] = np.var(batch, axis=1, ddof=1)
    return variances


def active_latents(variances: Doubles) -> Integers:
    """int64: the latents whose standard deviation over the dataset is .05 or more."""
    return np.flatnonzero(np.sqrt(variances) >= ACTIVE_STD)


def elect(variances: Doubles, scale: Doubles, latents: Integers) -> Integers:
    """int64 [V]: argmin_d variances_d / scale_d over `latents`, the lowest index among equals.

    variances: float64 [V, Z]; scale: float64 [Z]. Where 0 / 0 is met, of a latent that never
    varies, it is elected, the lowest index of them: so NumPy's argmin treats NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = variances[:, latents] / scale[latents]
    elected: Integers = latents[np.argmin(ratios, axis=1)]
    return elected


def count(ballots: Ballots, elected: Integers, weights: Doubles | None = None) -> Doubles:
    """float64 [F, Z]: n[k, d], how many votes fixed factor k and elected latent d, or their weight.

    elected: int64 [V]; weights: float64 [V]. F is one more than the largest factor of the votes.
    """
    n = np.zeros((int(ballots.factors.max()) + 1, ballots.variances.shape[1]))
    np.add.at(n, (ballots.factors, elected), 1.0 if weights is None else weights)
    return n


def accuracy(
    ballots: Ballots, elected: Integers, fixed_factor: Integers, weights: Doubles | None = None
) -> float:
    """The share of votes whose factor is the one named for the latent that they elected.

    elected: int64 [V]; fixed_factor: int64 [Z]. With weights, float64 [V], the weight of those
    votes over the number of all; without votes 0.
    """
    if not len(elected):
        return 0.0
    right = fixed_factor[elected] == ballots.factors
    return float(np.sum(right if weights is None else weights[right]) / len(elected))
