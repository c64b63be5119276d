"""Song's variants of the FactorVAE score: with weighted votes, as printed, and as his code has it.

Song 2018, "Comparing the VAE and the beta-VAE under various latent bottleneck dimensionalities and
data complexities" (MSc thesis, UCL), sections 3.3.2 and 5.2.2, and the code that it names, main.py
of github.com/chanyoungs/ucl_project_2018.
"""

from __future__ import annotations

import numpy as np

from metrics.elections import (
    IMAGES_PER_VOTE,
    accuracy,
    active_latents,
    ballots_of_every_factor,
    ballots_of_random_factors,
    count,
    elect,
    given_ballots,
    global_variances,
    train_and_eval_ballots,
)
from metrics.table import AbstractTable, Doubles, Integers, generator
from metrics.votes import Votes


def factor_vae_weighted(
    data: AbstractTable | Votes,
    *,
    seed: int,
    variance_images: int,
    train_votes: int,
    eval_votes: int,
) -> dict[str, float]:
    """The FactorVAE score with votes that weigh the more, the stiller the elected latent stood.

    w = |sum_d s_d - s_min| / sum_d s_d (section 5.2.2), with s_d = Var(z_d) / v_d of the vote over
    the active latents D, and s_min the smallest: from 1 - 1/D where all vary alike to 1 where the
    elected one stands still, and 1 too where nothing varies. n[k, d*] counts w in place of 1.

    The thesis weights votes and leaves open how accuracy is then taken: here the weight of the
    right votes is divided by the number of all. Divided by the weight of all, it would not depend
    on how still the latents stand, which is what the weights are for.

    factor_vae_weighted_score: of unseen votes, 1 at best. factor_vae_weighted_train_score: of those
        learned from. factor_vae_weighted_mean_weight: the mean of w over the unseen votes.
    With no active latent all three are 0; with a single one, so are the weights of its votes, but
    for those in which it stands still. Votes are drawn, or split where given, as for `factor_vae`.
    """
    rng = generator(seed, "factor_vae_weighted")
    variances = global_variances(data, rng, variance_images)
    active = active_latents(variances)
    train_score = score = mean_weight = 0.0
    if len(active):
        train, unseen = train_and_eval_ballots(data, rng, train_votes, eval_votes)
        elected = elect(train.variances, variances, active)
        train_weights = weights(train.variances, variances, active)
        fixed_factor = np.argmax(count(train, elected, train_weights), axis=0)
        train_score = accuracy(train, elected, fixed_factor, train_weights)
        unseen_elected = elect(unseen.variances, variances, active)
        unseen_weights = weights(unseen.variances, variances, active)
        score = accuracy(unseen, unseen_elected, fixed_factor, unseen_weights)
        mean_weight = float(unseen_weights.mean()) if len(unseen_weights) else 0.0
    return {
        "factor_vae_weighted_score": score,
        "factor_vae_weighted_train_score": train_score,
        "factor_vae_weighted_mean_weight": mean_weight,
    }


def weights(variances: Doubles, scale: Doubles, latents: Integers) -> Doubles:
    """float64 [V]: w of each vote, from variances [V, Z] and scale [Z] over `latents`."""
    normalised = variances[:, latents] / scale[latents]
    total = normalised.sum(axis=1)
    rest = total - normalised.min(axis=1)
    weight: Doubles = np.divide(rest, total, out=np.ones_like(total), where=total > 0)
    return weight


def factor_vae_printed(
    data: AbstractTable | Votes, *, seed: int, variance_images: int, votes: int
) -> dict[str, float]:
    """The score as the thesis prints it: a classifier that names the factor of the fewest votes.

    Codes are divided by their standard deviation over `variance_images` rows, and every latent
    takes part: d* = argmin_d Var(z_d) / v_d (section 3.3.2). The classifier is
    C(d) = argmin_k n[k, d] from the counts n of all votes, the first factor among equals, and its
    accuracy is taken on the same votes, for no others are mentioned. "argmin" must be a slip for
    argmax: as printed, perfect codes score 0 and those that tell nothing up to one over the number
    of factors, so that lower is better.

    `votes` votes of 64 rows each, or all given ones. Only factors that have votes are candidates.
    """
    rng = generator(seed, "factor_vae_printed")
    variances = global_variances(data, rng, variance_images)
    if isinstance(data, AbstractTable):
        ballots = ballots_of_random_factors(data, rng, votes, IMAGES_PER_VOTE)
    else:
        ballots = given_ballots(data)
    elected = elect(ballots.variances, variances, np.arange(len(variances)))
    factors = np.unique(ballots.factors)
    named = factors[np.argmin(count(ballots, elected)[factors], axis=0)]
    return {"factor_vae_printed_score": accuracy(ballots, elected, named)}


def factor_vae_ucl_legacy(
    data: AbstractTable | Votes,
    *,
    seed: int,
    variance_images: int,
    votes_a_factor: int,
    images_a_vote: int,
) -> dict[str, float]:
    """The score as the thesis's code computes it, and as its tables show it (in per cent there).

    Codes are divided by their variance, not by its root: d* = argmin_d Var(z_d) / v_d^2, so that a
    latent of large variance wins the votes that none deserves, and dead ones do not. The
    classifier is k(d) = argmax_k n[k, d], and its accuracy is taken on the votes that it learned
    from: `votes_a_factor` votes of each factor of `images_a_vote` rows (80 of 400), or all given
    ones. The least is therefore one over the number of factors, which constant codes score; where
    three of five factors elect the same latent in all votes, the score is 60 per cent.

    Computed in float64, where his code has float32.
    """
    rng = generator(seed, "factor_vae_ucl_legacy")
    variances = global_variances(data, rng, variance_images)
    ballots = ballots_of_every_factor(data, rng, votes_a_factor, images_a_vote)
    elected = elect(ballots.variances, variances**2, np.arange(len(variances)))
    fixed_factor = np.argmax(count(ballots, elected), axis=0)
    return {"factor_vae_ucl_legacy_score": accuracy(ballots, elected, fixed_factor)}
