"""Explicitness: can each position of each factor be told from the codes by a linear classifier?

Ridgeway and Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", section
3, as Locatello et al. 2019 have it (disentanglement_lib, modularity_explicitness.py).
"""

from __future__ import annotations

import warnings

import numpy as np

from metrics.samples import Samples, draw_samples
from metrics.table import AbstractTable, Doubles, Integers, generator


def explicitness(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> dict[str, float]:
    """Areas under the ROC curve of each position against the others, averaged over the positions of
    a factor and then over factors: 1 at best, .5 for codes that tell nothing.

    The positions have probabilities from scikit-learn's LogisticRegression with its defaults (one
    model a factor, multinomial, C = 1, at most 100 iterations), learned from `train_samples` rows
    and codes of mean 0 and standard deviation 1 there; constant codes are 0.
    explicitness_test: of `test_samples` other rows. explicitness_train: of the rows learned from.
    Ridgeway and Mozer stretch the range .5..1 to 0..1; Locatello et al. do not, nor does this.
    disent does not have it; its size `fast` is that of SAP.
    """
    train, test = draw(table, seed=seed, train_samples=train_samples, test_samples=test_samples)
    codes, unseen = standardised(train.codes, test.codes)
    in_train, in_test = [], []
    for k in table.varying:
        positions = table.factor_sizes[k]
        seen, other = probabilities(codes, train.factors[k], unseen, positions)
        in_train.append(mean_area(seen, train.factors[k]))
        in_test.append(mean_area(other, test.factors[k]))
    return {
        "explicitness_test": float(np.mean(in_test)),
        "explicitness_train": float(np.mean(in_train)),
    }


def draw(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> tuple[Samples, Samples]:
    """The samples of `explicitness`."""
    return draw_samples(table, generator(seed, "explicitness"), train_samples, test_samples)


def standardised(codes: Doubles, unseen: Doubles) -> tuple[Doubles, Doubles]:
    """Both less the mean of `codes`, over their standard deviation; 0 where they are constant."""
    varies = codes.min(axis=0) < codes.max(axis=0)
    mean, deviation = codes.mean(axis=0), np.where(varies, codes.std(axis=0), 1)
    return varies * (codes - mean) / deviation, varies * (unseen - mean) / deviation


def probabilities(
    codes: Doubles, labels: Integers, unseen: Doubles, positions: int
) -> tuple[Doubles, Doubles]:
    """float64 [S, positions] for the codes [S, Z] learned from, and the same for unseen ones.

    A position that is not among the labels has probability 0.
    """
    # It and SciPy take seconds to import, which `latentgrid plan` does not have.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    seen, other = np.zeros((len(codes), positions)), np.zeros((len(unseen), positions))
    if np.all(labels == labels[0]):  # which scikit-learn refuses
        seen[:, labels[0]] = other[:, labels[0]] = 1
        return seen, other
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression().fit(codes, labels)
    seen[:, model.classes_] = model.predict_proba(codes)
    other[:, model.classes_] = model.predict_proba(unseen)
    return seen, other


def mean_area(probabilities: Doubles, labels: Integers) -> float:
    """The area under the ROC curve, averaged over the positions, float64 [S, positions].

    It is the share of pairs, of a sample at the position and one that is not, in which the first
    has the higher probability, equal ones counting half. A position that no sample has, or all
    have, has no such area and is left out; with none left it is .5.
    """
    areas = []
    for position, probability in enumerate(np.ascontiguousarray(probabilities.T)):
        there = labels == position
        if there.any() and not there.all():
            those, others = np.sort(probability[there]), np.sort(probability[~there])
            below = np.searchsorted(others, those, "left") + np.searchsorted(others, those, "right")
            areas.append(below.mean() / 2 / len(others))
    return float(np.mean(areas)) if areas else 0.5
