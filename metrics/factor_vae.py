"""The FactorVAE score: can the factor that was held fixed be told from the latent that stood still?

Kim and Mnih 2018, "Disentangling by Factorising", section 4, with the sizes and the pruning of
Locatello et al. 2019 (disentanglement_lib, factor_vae.py); and without pruning, as disent has it.
"""

from __future__ import annotations

import numpy as np

from metrics.elections import (
    Ballots,
    accuracy,
    active_latents,
    count,
    elect,
    global_variances,
    train_and_eval_ballots,
)
from metrics.table import AbstractTable, Doubles, Integers, generator
from metrics.votes import Votes


def factor_vae(
    data: AbstractTable | Votes,
    *,
    seed: int,
    variance_images: int,
    train_votes: int,
    eval_votes: int,
) -> dict[str, float]:
    """The accuracy of a majority-vote classifier of the fixed factor, on votes it has not seen.

    v_d = Var(z_d) over `variance_images` rows; latent d is active where sqrt(v_d) >= 0.05.
    A vote fixes one factor k over 64 rows: d* = argmin_d Var(z_d) / v_d over the active latents,
    the lowest index among equals. The classifier learns k(d) = argmax_k n[k, d] from the counts n
    of `train_votes` votes; a latent that got no vote stands for the first factor.

    Given votes are all used, whatever the sizes: a random half of each factor's to learn from, the
    others to judge by; v_d as `elections.global_variances` says.

    factor_vae_score: the share of `eval_votes` new votes with k(d*) = k, 1 at best; about one over
        the number of factors for codes that tell nothing. factor_vae_train_score: the same for the
        votes learned from. factor_vae_active_latents: how many latents are active.
    With no active latent all three are 0.
    """
    rng = generator(seed, "factor_vae")
    variances = global_variances(data, rng, variance_images)
    active = active_latents(variances)
    train_score = score = 0.0
    if len(active):
        train, unseen = train_and_eval_ballots(data, rng, train_votes, eval_votes)
        train_score, score = majority_vote(train, unseen, variances, active)
    return {
        "factor_vae_score": score,
        "factor_vae_train_score": train_score,
        "factor_vae_active_latents": float(len(active)),
    }


def factor_vae_unpruned(
    data: AbstractTable | Votes,
    *,
    seed: int,
    variance_images: int,
    train_votes: int,
    eval_votes: int,
) -> dict[str, float]:
    """The FactorVAE score with every latent taking part (disent's default, threshold 0).

    A dead latent, with a tiny v_d, has a noisy ratio that may win votes; one that never varies at
    all wins every vote, for its ratio 0 / 0 is what NumPy's argmin elects. Constant codes therefore
    score one over the number of factors, and not 0. Scores as those of `factor_vae`.
    """
    rng = generator(seed, "factor_vae_unpruned")
    variances = global_variances(data, rng, variance_images)
    train, unseen = train_and_eval_ballots(data, rng, train_votes, eval_votes)
    train_score, score = majority_vote(train, unseen, variances, np.arange(len(variances)))
    return {"factor_vae_unpruned_score": score, "factor_vae_unpruned_train_score": train_score}


def majority_vote(
    train: Ballots, unseen: Ballots, variances: Doubles, latents: Integers
) -> tuple[float, float]:
    """(accuracy on the votes learned from, accuracy on those unseen), with `latents` taking part.

    variances: float64 [Z], of each latent over the dataset.
    """
    elected = elect(train.variances, variances, latents)
    fixed_factor = np.argmax(count(train, elected), axis=0)
    unseen_elected = elect(unseen.variances, variances, latents)
    return (
        accuracy(train, elected, fixed_factor),
        accuracy(unseen, unseen_elected, fixed_factor),
    )
