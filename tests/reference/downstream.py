"""Downstream tasks as Locatello et al. 2019 have them, with scikit-learn's learners."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import KFold

from tests.reference.tables import Sizes


def told(
    codes: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int64],
    unseen: npt.NDArray[np.floating],
    model: ClassifierMixin,
) -> npt.NDArray[np.int64]:
    """The labels told of `unseen`; where there was one to learn from, that one."""
    if np.all(labels == labels[0]):
        return np.full(len(unseen), labels[0])
    with warnings.catch_warnings():  # of parameters that will be others, and of not converging
        warnings.simplefilter("ignore")
        predicted: npt.NDArray[np.int64] = model.fit(codes, labels).predict(unseen)
        return predicted


def logistic(max_iter: int = 100) -> LogisticRegressionCV:
    return LogisticRegressionCV(Cs=10, cv=KFold(5), scoring="accuracy", max_iter=max_iter)


def boosting() -> GradientBoostingClassifier:
    return GradientBoostingClassifier(random_state=0)


def plain_downstream(
    codes: npt.NDArray[np.float32], sizes: Sizes, *, test_samples: int
) -> dict[str, float]:
    """Accuracies averaged over factors, of both learners at the four sizes, the largest first."""
    rng = np.random.default_rng(0)
    accuracies = {}
    for samples in (10_000, 1_000, 100, 10):
        factors, unseen_factors = (
            np.stack([rng.integers(size, size=count) for size in sizes])
            for count in (samples, test_samples)
        )
        train, unseen = (
            codes[np.ravel_multi_index(tuple(drawn), sizes)] for drawn in (factors, unseen_factors)
        )
        for learner in boosting, logistic:
            shares = [
                np.mean(told(train, factor, unseen, learner()) == unseen_factor)
                for factor, unseen_factor in zip(factors, unseen_factors, strict=True)
            ]
            accuracies[f"{learner.__name__}_{samples}"] = float(np.mean(shares))
    return accuracies
