"""The FactorVAE score: can the factor that was held fixed be told from the latent that stood still?

Kim and Mnih 2018, "Disentangling by Factorising", section 4, with the sizes and the pruning of
Locatello et al. 2019 (disentanglement_lib, factor_vae.py).
"""

from __future__ import annotations

import numpy as np

from metrics.table import (
    CodeTable,
    Doubles,
    Integers,
    codes_at,
    draw_rows,
    draw_rows_with_one_factor_fixed,
    generator,
)

IMAGES_PER_VOTE = 64
ACTIVE_STD = 0.05
BLOCK_VALUES = 2**17  # 1 MiB of float64: what is gathered at a time stays in the cache


def factor_vae(
    table: CodeTable, *, seed: int, variance_images: int, train_votes: int, eval_votes: int
) -> dict[str, float]:
    """The accuracy of a majority-vote classifier of the fixed factor, on votes it has not seen.

    v_d = Var(z_d) over `variance_images` rows; latent d is active where sqrt(v_d) >= 0.05.
    A vote fixes one factor k over 64 rows: d* = argmin_d Var(z_d) / v_d over the active latents,
    the lowest index among equals. The classifier learns k(d) = argmax_k n[k, d] from the counts n
    of `train_votes` votes; a latent that got no vote stands for the first factor.

    factor_vae_score: the share of `eval_votes` new votes with k(d*) = k, 1 at best; about one over
        the number of factors for codes that tell nothing. factor_vae_train_score: the same for the
        votes learned from. factor_vae_active_latents: how many latents are active.
    With no active latent all three are 0.
    """
    rng = generator(seed, "factor_vae")
    codes = codes_at(table, draw_rows(table, rng, variance_images))
    global_variances = np.var(codes, axis=0, ddof=1)
    active = np.flatnonzero(np.sqrt(global_variances) >= ACTIVE_STD)
    train_score = score = 0.0
    if len(active):
        train = votes(table, rng, train_votes, global_variances, active)
        fixed_factor = np.argmax(train, axis=0)
        train_score = accuracy(train, fixed_factor)
        unseen = votes(table, rng, eval_votes, global_variances, active)
        score = accuracy(unseen, fixed_factor)
    return {
        "factor_vae_score": score,
        "factor_vae_train_score": train_score,
        "factor_vae_active_latents": float(len(active)),
    }


def votes(
    table: CodeTable,
    rng: np.random.Generator,
    count: int,
    global_variances: Doubles,
    active: Integers,
) -> Integers:
    """int64 [F, Z]: how many of `count` votes fixed factor k and elected latent d."""
    factors, rows = draw_rows_with_one_factor_fixed(table, rng, count, IMAGES_PER_VOTE)
    latents = elected_latents(table, rows, global_variances, active)
    shape = len(table.factor_sizes), len(global_variances)
    ballots = np.ravel_multi_index((factors, latents), shape)
    return np.bincount(ballots, minlength=shape[0] * shape[1]).reshape(shape)


def elected_latents(
    table: CodeTable, rows: Integers, global_variances: Doubles, active: Integers
) -> Integers:
    """int64 [V]: for the rows of each vote, int64 [V, 64], the latent that varies least."""
    elected = np.empty(len(rows), dtype=np.int64)
    block = max(1, BLOCK_VALUES // (rows.shape[1] * len(global_variances)))
    for start in range(0, len(rows), block):
        codes = codes_at(table, rows[start : start + block])
        local_variances = np.var(codes, axis=1, ddof=1)
        ratios = local_variances[:, active] / global_variances[active]
        elected[start : start + block] = active[np.argmin(ratios, axis=1)]
    return elected


def accuracy(votes: Integers, fixed_factor: Integers) -> float:
    """The share of votes, int64 [F, Z], that the factor named for each latent, int64 [Z], gets."""
    right = votes[fixed_factor, np.arange(votes.shape[1])]
    return float(right.sum() / votes.sum())
