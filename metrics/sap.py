"""SAP, Separated Attribute Predictability: is each factor predicted by one latent better than by
any other?

Kumar, Sattigeri, Balakrishnan 2018, "Variational Inference of Disentangled Latent Concepts from
Unlabeled Observations", section 3, as Locatello et al. 2019 estimate it (disentanglement_lib,
sap_score.py). How well a latent predicts a factor is the accuracy of a linear support vector
machine where factors count as classes (`sap`, the one of the study) and the squared correlation
where they count as numbers (`sap_continuous`). The two give very different values: a line on one
latent cannot tell the middle classes of a factor from those around them.
"""

from __future__ import annotations

import numpy as np

from metrics.linear_svm import balanced_classes, fit_linear_svms, predict
from metrics.samples import Samples, draw_samples
from metrics.table import (
    AbstractTable,
    Doubles,
    Integers,
    codes_at,
    draw_rows,
    factors_at,
    generator,
)

LEAST_VARIANCE = 1e-12


def sap(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> dict[str, float]:
    """{"sap": SAP} in [0, 1] of accuracies on `test_samples` rows, learned from `train_samples`."""
    train, test = draw(table, seed=seed, train_samples=train_samples, test_samples=test_samples)
    accuracies = classification_accuracies(
        train.codes, train.factors[table.varying], test.codes, test.factors[table.varying]
    )
    return {"sap": mean_gap(accuracies)}


def draw(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> tuple[Samples, Samples]:
    """The samples of `sap`."""
    return draw_samples(table, generator(seed, "sap"), train_samples, test_samples)


def sap_continuous(table: AbstractTable, *, seed: int, samples: int) -> dict[str, float]:
    """{"sap_continuous": SAP} in [0, 1] of squared correlations over `samples` rows."""
    rng = generator(seed, "sap_continuous")
    rows = draw_rows(table, rng, samples)
    factors = factors_at(table, rows)[table.varying]
    return {"sap_continuous": mean_gap(squared_correlations(codes_at(table, rows, rng), factors))}


def mean_gap(predictability: Doubles) -> float:
    """SAP = mean_k (S_(1),k - S_(2),k)

    with S_(1),k and S_(2),k the largest and the second largest of column k of `predictability`,
    float64 [Z, F].
    """
    second, first = np.sort(predictability, axis=0)[-2:]
    return float(np.mean(first - second))


def classification_accuracies(
    train_codes: Doubles, train_factors: Integers, test_codes: Doubles, test_factors: Integers
) -> Doubles:
    """S[d, k], float64 [max(Z, 2), F]: the share of test rows whose factor k a linear support
    vector machine on latent d alone names.

    train_codes: float64 [S, Z]; train_factors: int64 [F, S]; test_codes, test_factors: as these.
    A single latent is given a second one that is always 0, which predicts one and the same class.
    """
    if train_codes.shape[1] == 1:
        train_codes = np.hstack([train_codes, np.zeros_like(train_codes)])
        test_codes = np.hstack([test_codes, np.zeros_like(test_codes)])
    classes = balanced_classes(train_factors)
    ends = np.cumsum([len(labels) for labels in classes.labels])[:-1]
    accuracies = np.empty((train_codes.shape[1], len(train_factors)))
    for latent, (train_code, test_code) in enumerate(zip(train_codes.T, test_codes.T, strict=True)):
        slopes, intercepts = fit_linear_svms(train_code, classes)
        machines = zip(
            np.split(slopes, ends), np.split(intercepts, ends), classes.labels, strict=True
        )
        for factor, machine in enumerate(machines):
            right = predict(*machine, test_code) == test_factors[factor]
            accuracies[latent, factor] = np.mean(right)
    return accuracies


def squared_correlations(codes: Doubles, factors: Integers) -> Doubles:
    """S[d, k] = Cov(z_d, v_k)^2 / (Var(z_d) Var(v_k)), float64 [max(Z, 2), F].

    codes: float64 [S, Z]; factors: int64 [F, S]. 0 where Var(z_d) <= 1e-12, as in
    disentanglement_lib, where factor k is the same in all rows, and for the second latent where
    there is only one.
    """
    codes = codes - codes.mean(axis=0)
    positions = factors - factors.mean(axis=1, keepdims=True)
    code_variances = np.mean(codes**2, axis=0)
    products = code_variances[:, None] * np.mean(positions**2, axis=1)
    covariances = codes.T @ positions.T / len(codes)
    squares = np.zeros((max(2, codes.shape[1]), len(factors)))
    np.divide(
        covariances**2,
        products,
        out=squares[: codes.shape[1]],
        where=(code_variances[:, None] > LEAST_VARIANCE) & (products > 0),
    )
    return np.minimum(squares, 1)  # rounding can leave a little more
