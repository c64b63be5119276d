"""Code tables to compare a metric with its definition on: four kinds of codes of four grids."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from metrics.table import CodeTable

Sizes = tuple[int, ...]

GRIDS: dict[str, Sizes] = {
    "dsprites": (3, 6, 40, 32, 32),
    "shapes3d": (10, 10, 10, 8, 4, 15),
    "xysquares": (8,) * 6,
    "cars3d": (4, 24, 183),
}
KINDS = ("perfect", "entangled", "rotated", "noise")


def codes_of(kind: str, sizes: Sizes) -> npt.NDArray[np.float32]:
    """float32 [N, Z]: codes of the whole grid, factors being evenly spaced from -1 to 1.

    perfect    a latent a factor
    entangled  six latents, each of all factors with a few large weights, and noise of .1
    rotated    the perfect codes turned by an orthogonal matrix
    noise      six latents that know nothing of the factors
    """
    rng = np.random.default_rng(0)
    positions = np.indices(sizes).reshape(len(sizes), -1).T
    factors = 2 * positions / (np.array(sizes) - 1) - 1
    if kind == "perfect":
        codes = factors
    elif kind == "entangled":
        weights = rng.standard_normal((len(sizes), 6))
        codes = factors @ (weights * np.abs(weights))
        codes += 0.1 * rng.standard_normal(codes.shape)
    elif kind == "rotated":
        codes = factors @ np.linalg.qr(rng.standard_normal((len(sizes), len(sizes))))[0]
    else:
        codes = rng.standard_normal((len(factors), 6))
    return codes.astype(np.float32)


@functools.cache
def table_of(kind: str, grid: str) -> CodeTable:
    return CodeTable.checked(codes_of(kind, GRIDS[grid]), GRIDS[grid])
