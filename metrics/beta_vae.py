"""The BetaVAE score: can the factor that pairs share be told from how far apart their codes are?

Higgins et al. 2017, "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
Framework", section 3, with the classifier and the sizes of Locatello et al. 2019
(disentanglement_lib, beta_vae.py).
"""

from __future__ import annotations

import warnings

import numpy as np

from metrics.table import AbstractTable, Doubles, Integers, codes_at, generator

PAIRS = 64
BLOCK_VALUES = 2**17  # 1 MiB of float64: what is gathered at a time stays in the cache
# Beyond it float32 runs out of numbers, and the penalty on weights is nought long before.
LARGEST_DISTANCE = 1e15

Points = tuple[Doubles, Integers]  # features [P, Z], and which factor their pairs share, [P]


def beta_vae(
    table: AbstractTable, *, seed: int, train_points: int, eval_points: int
) -> dict[str, float]:
    """The accuracy of a linear classifier of the shared factor, on points it has not seen.

    A point picks one of the factors that vary at random and draws 64 pairs of rows that agree in
    it; its features are the mean over the pairs of |z_d - z'_d|, one a latent. The classifier is
    scikit-learn's LogisticRegression with its defaults (multinomial, C = 1, at most 100
    iterations) on the features as they are.

    beta_vae_score: the share of `eval_points` told right, 1 at best; about one over the number of
        factors for codes that tell nothing. A factor that no latent tells costs nothing, as it is
        told by exclusion. beta_vae_train_score: the same for the `train_points` learned from.
    With a single factor to pick both are 1. disent does not have it; its size `fast` is that of the
    FactorVAE score.
    """
    (train, factors), (unseen, unseen_factors) = draw(
        table, seed=seed, train_points=train_points, eval_points=eval_points
    )
    train, unseen = within_range(train, unseen)
    told, told_unseen = told_by_logistic_regression(train, factors, unseen, max_iter=100)
    return {
        "beta_vae_score": float(np.mean(told_unseen == unseen_factors)),
        "beta_vae_train_score": float(np.mean(told == factors)),
    }


def draw(
    table: AbstractTable, *, seed: int, train_points: int, eval_points: int
) -> tuple[Points, Points]:
    """The points of `beta_vae`: to learn from, and others to judge by."""
    rng = generator(seed, "beta_vae")
    train = draw_points(table, rng, table.varying, train_points, PAIRS)
    return train, draw_points(table, rng, table.varying, eval_points, PAIRS)


def draw_points(
    table: AbstractTable, rng: np.random.Generator, choice: Integers, points: int, pairs: int
) -> Points:
    """(features float64 [points, Z], factors int64 [points]).

    Each point picks one of the factors in `choice`; the rows of its pairs are drawn as by
    `draw_rows`, and the second of each pair then takes that factor's position from the first.
    """
    factors = choice[rng.integers(len(choice), size=points)]
    rows = rng.integers(table.num_rows, size=(2, points, pairs))
    features = np.empty((points, table.latents))
    strides, sizes = table.strides[factors, None], np.array(table.factor_sizes)[factors, None]
    points_a_block = max(1, BLOCK_VALUES // (pairs * table.latents))
    for start in range(0, points, points_a_block):
        block = slice(start, start + points_a_block)
        first, second = rows[:, block]
        steps = first // strides[block] % sizes[block] - second // strides[block] % sizes[block]
        distances = codes_at(table, first, rng)
        distances -= codes_at(table, second + steps * strides[block], rng)
        np.mean(np.abs(distances, out=distances), axis=1, out=features[block])
    return features, factors


def within_range(features: Doubles, unseen: Doubles) -> tuple[Doubles, Doubles]:
    """Both as they are, or by one factor smaller where the classifiers could run out of numbers."""
    scale = max(1.0, float(features.max()) / LARGEST_DISTANCE)
    return features / scale, unseen / scale


def told_by_logistic_regression(
    features: Doubles, factors: Integers, unseen: Doubles, *, max_iter: int
) -> tuple[Integers, Integers]:
    """The factors told of the features [P, Z] learned from, and of unseen ones."""
    # It and SciPy take seconds to import, which `latentgrid plan` does not have.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if np.all(factors == factors[0]):  # which scikit-learn refuses
        return factors, np.full(len(unseen), factors[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=max_iter).fit(features, factors)
    return model.predict(features), model.predict(unseen)
