"""Locatello et al. 2019, theorem 1: the family of functions f of its proof (appendix A).

For factors z of independent dimensions, f(z) has the distribution of z, and each of its dimensions
depends on each of z.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Doubles = npt.NDArray[np.float64]


def householder(dimensions: int, alpha: float) -> Doubles:
    """A = I - 2 v v^T,  v_1 = sqrt(alpha), v_i = sqrt((1 - alpha) / (d - 1)): orthogonal.

    Of 0 < alpha < 1/2 no entry is 0, so A mixes all dimensions.
    """
    v = np.full(dimensions, np.sqrt((1 - alpha) / (dimensions - 1)))
    v[0] = np.sqrt(alpha)
    reflection: Doubles = np.eye(dimensions) - 2 * np.outer(v, v)
    return reflection


def entangled(z: Doubles, alpha: float = 0.25) -> Doubles:
    """f(z) = h^-1(A h(z)), of independent uniform z in (0, 1), [..., d], to the same.

    h makes each dimension normal, A turns the normal vector, which stays one.
    """
    turned: Doubles = ndtr(ndtri(z) @ householder(z.shape[-1], alpha))
    return turned


def uniform_factors(size: int, dimensions: int, replicates: int) -> Doubles:
    """[replicates, size^d, d]: a full grid of factors, each at a random place of its cell."""
    rng = np.random.default_rng(0)
    positions = np.indices((size,) * dimensions).reshape(dimensions, -1).T
    return (positions + rng.random((replicates, *positions.shape))) / size
