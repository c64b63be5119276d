"""UDR, Unsupervised Disentanglement Ranking: do models of one cell, of different seeds, find the
same latents?

Duan et al. 2020, "Unsupervised Model Selection for Variational Disentangled Representation
Learning", section 4, as disentanglement_lib estimates it (udr.py). It scores a model among others,
not a code table: all of them encode the same images, 1,000 there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from metrics.table import Doubles

INFORMATIVE_NATS = 0.01
ALPHA = 0.1
MAX_ROUNDS = 1_000
TOLERANCE = 1e-9  # of the slope of the objective
RIDGE = 1e-12
BLOCK_VALUES = 2**22  # 32 MiB of float64

Floating = npt.NDArray[np.floating]


def udr(codes: Floating, kl_nats: Floating) -> dict[str, Doubles]:
    """{"udr_lasso", "udr_spearman"}: float64 [M], the scores of M >= 2 models, 1 at best.

    codes: floats [M, P, Z], the means that each model gives P >= 2 images, the same ones in the
    same order. kl_nats: floats [M, Z], the mean KL of each latent; those of 0.01 nats or less are
    not informative and left out. ValueError for other shapes, NaN and Inf.

        UDR_b = median of R_ab over a != b,  R_ab = (mean_j m_j^2 / s_j + mean_i m_i^2 / s_i) / 2

    with m_j and s_j the largest and the sum of the strengths S_ij of what ties latent j of model b
    to the latents i of a; m_i and s_i likewise for latent i of a. S_ij is the size of the
    coefficient of i where a Lasso predicts j from all of a, or of Spearman's correlation of both.

    0 / 0 is 0: a latent that is the same for all images is tied to none (in disentanglement_lib its
    Spearman correlations are NaN and take those of the other model's latents with them), and R_ab
    is 0 where a or b has no informative latent, where disentanglement_lib stops. So the score of
    such a model is 0, and it lowers those of the others.
    """
    _check(codes, kl_nats)
    informative = np.asarray(kl_nats) > INFORMATIVE_NATS
    standardised = _standardised(np.asarray(codes, np.float64)) * informative[:, None]
    ranks = _standardised(rankdata(codes, axis=1)) * informative[:, None]
    return {
        "udr_lasso": _scores([lasso_strengths(a, standardised) for a in standardised], informative),
        "udr_spearman": _scores([correlation_strengths(a, ranks) for a in ranks], informative),
    }


def _check(codes: Floating, kl_nats: Floating) -> None:
    shape = np.shape(codes)
    if len(shape) != 3 or shape[0] < 2 or shape[1] < 2 or shape[2] < 1:
        raise ValueError(
            f"codes has shape {list(shape)}; valid: [M, P, Z] of 2 or more models and images"
        )
    if np.shape(kl_nats) != (shape[0], shape[2]):
        raise ValueError(
            f"kl_nats has shape {list(np.shape(kl_nats))}; valid: {[shape[0], shape[2]]}"
        )
    if not (np.isfinite(codes).all() and np.isfinite(kl_nats).all()):
        raise ValueError("codes or kl_nats hold NaN or Inf")


def _standardised(codes: Doubles) -> Doubles:
    """float64 [M, P, Z]: each latent with mean 0 and variance 1 over the images, 0 if constant."""
    constant = codes.min(axis=1, keepdims=True) == codes.max(axis=1, keepdims=True)
    centred = np.where(constant, 0.0, codes - codes.mean(axis=1, keepdims=True))
    standardised: Doubles = centred / np.where(constant, 1.0, centred.std(axis=1, keepdims=True))
    return standardised


def correlation_strengths(a: Doubles, models: Doubles) -> Doubles:
    """float64 [M, Z, Z]: |correlation| of latent i of `a` and latent j of each of `models`.

    a: float64 [P, Z], models: float64 [M, P, Z], both standardised.
    """
    correlations: Doubles = a.T @ models / len(a)
    return np.abs(correlations)


def lasso_strengths(a: Doubles, models: Doubles) -> Doubles:
    """float64 [M, Z, Z]: |w_i| of the Lasso that predicts latent j of each of `models` from `a`,

        min_w |y - a w|^2 / 2P + 0.1 sum_i |w_i|,  for all targets y at once.

    a: float64 [P, Z], models: float64 [M, P, Z], both standardised.
    """
    images, latents = a.shape
    gram = a.T @ a / images
    ties = (a.T @ models / images).transpose(1, 0, 2).reshape(latents, -1)
    block = max(1, BLOCK_VALUES // latents**2)
    blocks = range(0, ties.shape[1], block)
    weights = np.hstack([_lasso_weights(gram, ties[:, start : start + block]) for start in blocks])
    sizes = np.abs(weights).reshape(latents, len(models), latents)
    strengths: Doubles = sizes.transpose(1, 0, 2)
    return strengths


def _lasso_weights(gram: Doubles, ties: Doubles) -> Doubles:
    """float64 [Z, T]: the weights of Z latents for T targets.

    gram: float64 [Z, Z], ties: float64 [Z, T], the correlations of the latents and of both.

    A sweep of coordinate descent, which is what scikit-learn does, finds the weights that are not 0
    and their signs; the minimum for these signs is closed. Alone it takes thousands of sweeps where
    latents are nearly collinear, and stopped early is off by a tenth and more.
    """
    weights = np.zeros_like(ties)
    to_do = np.arange(ties.shape[1])
    for _ in range(MAX_ROUNDS):
        w = _sweep(gram, ties[:, to_do], weights[:, to_do])
        w = _towards_minimum_of_signs(gram, ties[:, to_do], w)
        weights[:, to_do] = w
        slopes = ties[:, to_do] - gram @ w
        off = np.where(w == 0, np.maximum(np.abs(slopes) - ALPHA, 0), slopes - ALPHA * np.sign(w))
        to_do = to_do[np.abs(off).max(axis=0) > TOLERANCE]
        if not len(to_do):
            break
    return weights


def _sweep(gram: Doubles, ties: Doubles, weights: Doubles) -> Doubles:
    """float64 [Z, T]: each weight in turn at the minimum, the others staying as they are."""
    weights = weights.copy()
    for i in np.flatnonzero(np.diag(gram) > 0):
        fit = ties[i] - gram[i] @ weights + gram[i, i] * weights[i]
        weights[i] = (fit - np.clip(fit, -ALPHA, ALPHA)) / gram[i, i]
    return weights


def _towards_minimum_of_signs(gram: Doubles, ties: Doubles, weights: Doubles) -> Doubles:
    """float64 [Z, T]: the minimum for the weights that are not 0 and their signs, or where on the
    way to it the first of them becomes 0.
    """
    signs = np.sign(weights)
    active = (signs != 0).T
    system = gram * active[:, :, None] * active[:, None, :]
    # Noughts stay noughts. The ridge is for latents that others determine.
    system[:, *np.diag_indices(len(gram))] += np.where(active, RIDGE, 1.0)
    right = (signs * (signs * ties - ALPHA)).T
    minimum = np.linalg.solve(system, right[:, :, None])[:, :, 0].T
    crosses = minimum * signs < 0
    shares = np.divide(weights, weights - minimum, out=np.ones_like(weights), where=crosses)
    moved: Doubles = weights + shares.min(axis=0) * (minimum - weights)
    return moved


def _scores(strengths: list[Doubles], informative: npt.NDArray[np.bool_]) -> Doubles:
    """float64 [M], from M strengths [M, Z, Z] of each model a with all models b."""
    models = len(strengths)
    counts = np.maximum(informative.sum(axis=1), 1)
    similarity = np.empty((models, models))
    for a, ties in enumerate(strengths):
        of_b = _relative_strength(ties, axis=1) / counts
        of_a = _relative_strength(ties, axis=2) / counts[a]
        similarity[a] = (of_a + of_b) / 2
    return np.array([np.median(np.delete(similarity[:, b], b)) for b in range(models)])


def _relative_strength(ties: Doubles, axis: int) -> Doubles:
    """float64 [M]: the sum of m^2 / s with m and s the largest and the sum of ties along `axis`."""
    total = ties.sum(axis=axis)
    squares = ties.max(axis=axis) ** 2
    ratios = np.divide(squares, total, out=np.zeros_like(total), where=total > 0)
    sums: Doubles = ratios.sum(axis=1)
    return sums
