"""DCI: is each latent of one factor, each factor in one latent, and can factors be told at all?

Eastwood and Williams 2018, "A Framework for the Quantitative Evaluation of Disentangled
Representations", section 2, estimated as Locatello et al. 2019 do (disentanglement_lib, dci.py):
the importances are those of gradient-boosted trees. Other learners give other values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metrics import boosting
from metrics.samples import Samples, draw_samples
from metrics.table import AbstractTable, Doubles, Integers, generator

# Importances [Z] of the latents; the labels told of the codes learned from; those of unseen codes.
Learned = tuple[Doubles, Integers, Integers]
Learner = Callable[[Doubles, Integers, Doubles], Learned]  # codes [S, Z], labels [S], unseen codes


def dci(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> dict[str, float]:
    """The four scores, each 1 at best, of trees grown by `metrics.boosting`, one model a factor.

    dci_disentanglement, dci_completeness: those of the importances that the latents have in the
        models, by the functions of these names; both 0 where the codes tell nothing.
    dci_informativeness_train, _test: the share of positions told right, averaged over factors, of
        the `train_samples` rows learned from and of `test_samples` others. The paper has errors
        here, Locatello et al. have this.
    """
    values = _values(table, seed, train_samples, test_samples, _own_trees)
    return {f"dci_{name}": value for name, value in values.items()}


def dci_sklearn(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> dict[str, float]:
    """The same with scikit-learn's own trees, on the same rows: minutes, where `dci` is seconds."""
    # scikit-learn takes any of the latents that split a node equally well, by this number.
    random_state = int(generator(seed, "dci_sklearn").integers(2**32))

    def learn(codes: Doubles, labels: Integers, unseen: Doubles) -> Learned:
        return _scikit_learns_trees(codes, labels, unseen, random_state)

    values = _values(table, seed, train_samples, test_samples, learn)
    return {f"dci_sklearn_{name}": value for name, value in values.items()}


def draw(
    table: AbstractTable, *, seed: int, train_samples: int, test_samples: int
) -> tuple[Samples, Samples]:
    """The samples of both metrics."""
    return draw_samples(table, generator(seed, "dci"), train_samples, test_samples)


def _own_trees(codes: Doubles, labels: Integers, unseen: Doubles) -> Learned:
    boosted = boosting.fit(codes, labels)
    return boosted.importances, boosted.predict(codes), boosted.predict(unseen)


def _scikit_learns_trees(
    codes: Doubles, labels: Integers, unseen: Doubles, random_state: int
) -> Learned:
    # It and SciPy take seconds to import, which `latentgrid plan` does not have.
    from sklearn.ensemble import GradientBoostingClassifier

    if np.all(labels == labels[0]):  # which scikit-learn refuses
        return np.zeros(codes.shape[1]), labels, np.full(len(unseen), labels[0])
    trees = GradientBoostingClassifier(random_state=random_state).fit(codes, labels)
    with np.errstate(invalid="ignore"):  # 0/0 where no split lessens anything
        importances = np.nan_to_num(trees.feature_importances_)
    return importances, trees.predict(codes), trees.predict(unseen)


def _values(
    table: AbstractTable, seed: int, train_samples: int, test_samples: int, learn: Learner
) -> dict[str, float]:
    train, test = draw(table, seed=seed, train_samples=train_samples, test_samples=test_samples)
    importances, right, right_unseen = [], [], []
    for k in table.varying:
        of_latents, told, told_unseen = learn(train.codes, train.factors[k], test.codes)
        importances.append(of_latents)
        right.append(np.mean(told == train.factors[k]))
        right_unseen.append(np.mean(told_unseen == test.factors[k]))
    matrix = np.stack(importances, axis=1)
    return {
        "disentanglement": disentanglement(matrix),
        "completeness": completeness(matrix),
        "informativeness_train": float(np.mean(right)),
        "informativeness_test": float(np.mean(right_unseen)),
    }


def disentanglement(importances: Doubles) -> float:
    """D = sum_d rho_d (1 + sum_k P_dk log_F P_dk), P_dk = R_dk / sum_k R_dk

    with rho_d = sum_k R_dk / sum R the weight of latent d. importances: R, float64 [Z, F], none
    negative. 1 for a single factor; 0 where all of R is 0.
    """
    if not importances.any():
        return 0.0
    rows = importances[importances.any(axis=1)]
    weights = rows.sum(axis=1)
    shares = rows / weights[:, None]
    nats = -np.sum(shares * np.log(shares, out=np.zeros_like(shares), where=shares > 0), axis=1)
    # A single factor has no entropy, in any unit.
    most = np.log(max(2, importances.shape[1]))
    # Rounding can leave a little less than 0 or more than 1.
    return float(np.clip(np.average(1 - nats / most, weights=weights), 0, 1))


def completeness(importances: Doubles) -> float:
    """C = sum_k kappa_k (1 + sum_d Q_dk log_Z Q_dk), Q_dk = R_dk / sum_d R_dk

    with kappa_k = sum_d R_dk / sum R: to factors what disentanglement is to latents.
    """
    return disentanglement(importances.T)
