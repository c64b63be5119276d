"""Unsupervised scores: how far from independent are the latents of a representation?

As Locatello et al. 2019 define them (section 5.2; disentanglement_lib, unsupervised_metrics.py):
of the Gaussian that has the codes' covariance Sigma, and of binned codes. The study compares the
mean with the sampled representation, which has the encoder's noise in it; here they are scores of
the one representation that the table holds.
"""

from __future__ import annotations

import math

import numpy as np

from metrics.elections import ACTIVE_STD
from metrics.mig import BINS, discretise
from metrics.table import AbstractTable, Doubles, Integers, codes_at, draw_rows, generator

LEAST_EIGENVALUE = 1e-12


def unsupervised(table: AbstractTable, *, seed: int, samples: int) -> dict[str, float]:
    """Scores of `samples` rows drawn with replacement; each but the last is 0 for independence.

    ..._gaussian_total_correlation: in nats, over the latents that vary at all.
    ..._gaussian_wasserstein: in units of a squared code; ..._normalised: as a share of tr Sigma.
    ..._mutual_information: in nats, the mean over all pairs of different latents.
    ..._active_gaussian_total_correlation, ..._active_mutual_information: the same over the active
        latents, which have a standard deviation of 0.05 or more, as for the FactorVAE score.
    ..._active_latents: how many are active.

    The first four are the study's. Total correlation and mutual information do not see scale: what
    the means of latents that the encoder has all but shut still have in common counts in full.
    """
    rng = generator(seed, "unsupervised")
    codes = codes_at(table, draw_rows(table, rng, samples), rng)
    centred = codes - codes.mean(axis=0)
    covariance = centred.T @ centred / (samples - 1)
    varying = np.flatnonzero(codes.min(axis=0) < codes.max(axis=0))
    active = np.flatnonzero(np.sqrt(np.diag(covariance)) >= ACTIVE_STD)
    wasserstein = gaussian_wasserstein(covariance)
    informations = mutual_informations(codes)
    return {
        "unsupervised_gaussian_total_correlation": gaussian_total_correlation(
            covariance[np.ix_(varying, varying)]
        ),
        "unsupervised_gaussian_wasserstein": wasserstein,
        "unsupervised_gaussian_wasserstein_normalised": (
            wasserstein / float(np.trace(covariance)) if len(varying) else 0.0
        ),
        "unsupervised_mutual_information": mean_of_pairs(informations),
        "unsupervised_active_gaussian_total_correlation": gaussian_total_correlation(
            covariance[np.ix_(active, active)]
        ),
        "unsupervised_active_mutual_information": mean_of_pairs(
            informations[np.ix_(active, active)]
        ),
        "unsupervised_active_latents": float(len(active)),
    }


def gaussian_total_correlation(covariance: Doubles) -> float:
    """TC = (sum_d ln Sigma_dd - ln |Sigma|) / 2 = -(sum_i ln lambda_i) / 2 in nats

    with lambda the eigenvalues of the correlation matrix, float64 [Z, Z]; all variances above 0.
    An eigenvalue counts as 1e-12 at least: a latent that others determine, whose TC is infinite,
    adds 13.8 nats.
    """
    deviations = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))
    return max(0.0, -float(np.sum(np.log(np.maximum(eigenvalues, LEAST_EIGENVALUE)))) / 2)


def gaussian_wasserstein(covariance: Doubles) -> float:
    """W = 2 tr Sigma - 2 tr (D^1/2 Sigma D^1/2)^1/2,  D = diag Sigma, float64 [Z, Z].

    The squared Wasserstein distance of order 2 between the Gaussian and the product of its
    marginals. The root of D Sigma, disentanglement_lib's, has the same trace, but not being
    symmetric may come out complex.
    """
    deviations = np.sqrt(np.diag(covariance))
    eigenvalues = np.linalg.eigvalsh(covariance * np.outer(deviations, deviations))
    root_trace = np.sum(np.sqrt(np.maximum(eigenvalues, 0)))
    return max(0.0, 2 * float(np.trace(covariance) - root_trace))


def mutual_informations(codes: Doubles) -> Doubles:
    """I(z_a; z_b), float64 [Z, Z], in nats of codes, float64 [S, Z], in 20 bins each, as for MIG.

    I(a; b) = H(a) + H(b) - H(a, b); of a latent with itself it is H(a).
    """
    bins = [discretise(code) for code in codes.T]
    latents = len(bins)
    joint = np.empty((latents, latents))
    for a in range(latents):
        for b in range(a + 1):
            joint[a, b] = joint[b, a] = _entropy(np.bincount(bins[a] * BINS + bins[b]))
    own = np.diag(joint)
    informations: Doubles = np.maximum(own[:, None] + own - joint, 0)
    return informations


def _entropy(counts: Integers) -> float:
    counts = counts[counts > 0]
    shares = counts / counts.sum()
    return -float(np.sum(shares * np.log(shares)))


def mean_of_pairs(values: Doubles) -> float:
    """The mean off the diagonal of float64 [Z, Z]; 0 where there is no pair."""
    latents = len(values)
    if latents < 2:
        return 0.0
    # Exact sums, which the order of the latents does not change.
    off_diagonal = values[~np.eye(latents, dtype=bool)]
    return math.fsum(off_diagonal) / (latents * (latents - 1))
