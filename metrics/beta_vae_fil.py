"""The BetaVAE score as Fil et al. have it: by numbers of pairs, by classifiers, by factors.

Fil, Mesinovic, Morris, Wildberger 2021, "beta-VAE Reproducibility: Challenges and Extensions",
sections 2.2.2 and 3.1.5: algorithm 1, tables 1 and 2, figure 6.
"""

from __future__ import annotations

import numpy as np

from metrics.beta_vae import draw_points, told_by_logistic_regression, within_range
from metrics.neural_classifiers import linear_softmax, mlp
from metrics.table import AbstractTable, Doubles, Integers, generator

PAIRS = (64, 16, 128, 256)  # the first is theirs where they do not say
MAX_ITERATIONS = 500
TREES = 150


def beta_vae_fil(
    table: AbstractTable, *, seed: int, train_points: int, test_points: int
) -> dict[str, float]:
    """beta_vae_fil_<classifier>_<pairs>: the accuracy of a classifier on points it has not seen.

    Points are those of `beta_vae`, of 16, 64, 128 and 256 pairs, and there are fewer of them. The
    classifiers, all of the features as they are:

    linear: softmax by gradient descent. mlp: two hidden layers. Both are `neural_classifiers`.
    logistic: scikit-learn's LogisticRegression of up to 500 iterations.
    forest: scikit-learn's RandomForestClassifier of 150 trees.

    Fil et al. have 1,000 and 501 points. The size `fast` has half of both.
    """
    return _scores("beta_vae_fil", table, table.varying, seed, train_points, test_points)


def beta_vae_fil_without_first(
    table: AbstractTable, *, seed: int, train_points: int, test_points: int
) -> dict[str, float]:
    """The same where pairs never share the first of the factors that vary, shape in dSprites.

    It still varies in the images. Fil et al. call it 4 factors, Higgins et al. do it in their
    appendix. With no other factor to share all scores are 0.
    """
    choice = table.varying[1:]
    return _scores("beta_vae_fil_without_first", table, choice, seed, train_points, test_points)


def _scores(
    name: str,
    table: AbstractTable,
    choice: Integers,
    seed: int,
    train_points: int,
    test_points: int,
) -> dict[str, float]:
    rng = generator(seed, name)
    scores = {f"{name}_{classifier}_{pairs}": 0.0 for pairs in PAIRS for classifier in CLASSIFIERS}
    if not len(choice):
        return scores
    for pairs in PAIRS:
        train, factors = draw_points(table, rng, choice, train_points, pairs)
        test, test_factors = draw_points(table, rng, choice, test_points, pairs)
        train, test = within_range(train, test)
        # Of the factors that vary all have a class, also one that is never picked.
        labels, right = (np.searchsorted(table.varying, which) for which in (factors, test_factors))
        for classifier, tell in CLASSIFIERS.items():
            told = tell(train, labels, len(table.varying), test, rng)
            scores[f"{name}_{classifier}_{pairs}"] = float(np.mean(told == right))
    return scores


def _logistic(
    features: Doubles, labels: Integers, classes: int, unseen: Doubles, rng: np.random.Generator
) -> Integers:
    return told_by_logistic_regression(features, labels, unseen, max_iter=MAX_ITERATIONS)[1]


def _forest(
    features: Doubles, labels: Integers, classes: int, unseen: Doubles, rng: np.random.Generator
) -> Integers:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, random_state=int(rng.integers(2**32)))
    told: Integers = forest.fit(features, labels).predict(unseen)
    return told


CLASSIFIERS = {"linear": linear_softmax, "mlp": mlp, "logistic": _logistic, "forest": _forest}
