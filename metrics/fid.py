"""The Fréchet distance of two Gaussians, and the moments of features that they come from.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6. FID is this distance
between the Inception features, 2,048 an image, of real and of generated images: a number for two
sets of images rather than for a code table. With 2,048 images or fewer the covariances have not the
full rank, which the distance here takes, and the FID is biased upwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg.lapack import dpstrf

from metrics.inception import Images, Moments
from metrics.table import Doubles

ROUNDING = 1e-6  # of a covariance, as a share of its largest variance


def fid_reconstruction(moments: Images, *, seed: int, images: int) -> dict[str, float]:
    """{"fid_reconstruction": the distance of reconstructions from their originals}.

    Of samples of the posteriors (Fil et al. 2021), of as many `images` as the trial took.
    """
    return {"fid_reconstruction": _distance(moments.real, moments.reconstructed)}


def fid_sample(moments: Images, *, seed: int, images: int) -> dict[str, float]:
    """{"fid_sample": the distance of decoded draws of the prior from the dataset's images}."""
    return {"fid_sample": _distance(moments.real, moments.sampled)}


def _distance(real: Moments, made: Moments | None) -> float:
    if made is None:
        raise ValueError("the trial has made no such images")
    return frechet_distance(real.mean, real.covariance, made.mean, made.covariance)


def merge(parts: Sequence[Moments]) -> Moments:
    """The moments of all images together, exact but for rounding, from those of disjoint parts:

    (n - 1) Sigma = sum_i (n_i - 1) Sigma_i + n_i (m_i - m) (m_i - m)^T,  n m = sum_i n_i m_i.
    """
    if not parts or min(part.images for part in parts) < 1:
        raise ValueError("moments to merge: valid: one part or more, of one image or more each")
    images = np.array([part.images for part in parts])
    means = np.stack([part.mean for part in parts])
    total = int(images.sum())
    mean = images @ means / total
    from_mean = means - mean
    scatter = from_mean.T * images @ from_mean
    for part in parts:
        scatter += (part.images - 1) * part.covariance
    return Moments(total, mean, scatter / max(total - 1, 1))


def frechet_distance(
    mean_a: Doubles, covariance_a: Doubles, mean_b: Doubles, covariance_b: Doubles
) -> float:
    """|mean_a - mean_b|^2 + tr(Sigma_a + Sigma_b - 2 (Sigma_a Sigma_b)^1/2), 0 at best.

    means: float64 [d]; covariances: float64 [d, d]. ValueError for other shapes, NaN, Inf and for
    a matrix that is no covariance: not symmetric, or with a negative eigenvalue.

    With Sigma_a = A A^T and Sigma_b = B B^T the trace of the root is the sum of the singular values
    of A^T B. Unlike a root of the product, which is not symmetric, they are never complex and need
    no regularisation where a covariance has not the full rank. What rounding leaves below 0 is 0.
    """
    _check(mean_a, covariance_a, mean_b, covariance_b)
    factor_a, factor_b = _factor(covariance_a), _factor(covariance_b)
    root_trace = np.sum(np.linalg.svd(factor_a.T @ factor_b, compute_uv=False))
    traces = np.trace(covariance_a) + np.trace(covariance_b)
    return max(0.0, float(np.sum((mean_a - mean_b) ** 2) + traces - 2 * root_trace))


def _check(mean_a: Doubles, covariance_a: Doubles, mean_b: Doubles, covariance_b: Doubles) -> None:
    features = np.size(mean_a)
    shapes = [np.shape(x) for x in (mean_a, covariance_a, mean_b, covariance_b)]
    if shapes != [(features,), (features, features)] * 2 or not features:
        raise ValueError(f"moments have shapes {shapes}; valid: twice [d] and [d, d]")
    if not all(np.isfinite(x).all() for x in (mean_a, covariance_a, mean_b, covariance_b)):
        raise ValueError("moments hold NaN or Inf")


def _factor(covariance: Doubles) -> Doubles:
    """float64 [d, rank]: A with A A^T = covariance, by Cholesky's method with pivots."""
    lower, pivots, rank, _ = dpstrf(covariance, lower=1)
    factor = np.zeros((len(covariance), rank))
    factor[pivots - 1] = np.tril(lower)[:, :rank]
    # Of a matrix that is no covariance, more than rounding is left over.
    left_over = np.abs(factor @ factor.T - covariance).max()
    if not left_over <= ROUNDING * np.diag(covariance).max():
        raise ValueError("a covariance is not symmetric or has a negative eigenvalue")
    return factor
