"""Locatello et al. 2019, theorem 1: what no unsupervised score sees, the supervised ones do.

For factors z of independent dimensions there is an f that leaves the distribution of z as it is,
so that z and f(z) explain the same images equally well, while every dimension of f(z) depends on
every dimension of z. The construction is the one of the paper's appendix A: each dimension is made
normal, an orthogonal matrix without a nought among its entries, here a Householder reflection,
turns the normal vector, and each dimension is brought back.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import kstest

from metrics import METRICS, score
from metrics.table import CodeTable

Doubles = npt.NDArray[np.float64]

SIZES = (10, 10, 10, 10)
REPLICATES = 4

# I - 2 v v^T with v the unit vector of four halves: every entry is 1/2 or -1/2.
REFLECTION = np.eye(4) - 0.5

COLLAPSE = {
    # metric: what its score is of z, at least, and of f(z), at most
    "mig": (0.98, 0.02),
    "factor_vae": (0.99, 0.3),
    "sap": (0.08, 0.01),
    "sap_continuous": (0.98, 0.02),
    "irs": (0.85, 0.05),
    "dci": (0.99, 0.02),
    "beta_vae": (0.99, 0.3),
    "modularity": (0.99, 0.1),
}


def entangle(z: Doubles) -> Doubles:
    """f: float64 [..., 4] in (0, 1), independent and uniform, to the same."""
    return ndtr(ndtri(z) @ REFLECTION)


@functools.cache
def factors() -> Doubles:
    """float64 [R, N, 4]: the factors, made uniform on (0, 1): a random place within each cell."""
    rng = np.random.default_rng(0)
    positions = np.indices(SIZES).reshape(4, -1).T
    return (positions + rng.random((REPLICATES, *positions.shape))) / SIZES


@functools.cache
def scores(metric: str, entangled: bool) -> dict[str, float]:
    codes = entangle(factors()) if entangled else factors()
    size = "fast" if metric == "dci" else "full"  # which takes seconds
    return score(metric, CodeTable.checked(codes, SIZES), size=size, seed=0)


def test_the_marginals_stay_uniform_and_independent() -> None:
    entangled = entangle(factors()).reshape(-1, 4)
    for marginal in entangled.T:
        # 1 % of as many uniform numbers are further off than this.
        assert kstest(marginal, "uniform").statistic < 1.63 / np.sqrt(len(entangled))
    quarters = np.floor(4 * entangled).astype(int)
    cells = np.bincount(np.ravel_multi_index(tuple(quarters.T), (4,) * 4), minlength=4**4)
    expected = len(entangled) / 4**4
    # 255 degrees of freedom: mean 255, standard deviation 23.
    assert np.sum((cells - expected) ** 2 / expected) < 255 + 3 * 23


def test_every_dimension_depends_on_every_other_everywhere() -> None:
    z = factors()[0, ::97]
    step = 1e-6
    for j in range(4):
        moved = z.copy()
        moved[:, j] += step
        derivatives = (entangle(moved) - entangle(z)) / step
        assert np.abs(derivatives).min() > 1e-4


def test_the_construction_can_be_undone() -> None:
    # A reflection is its own inverse: f(z) has all that z has.
    np.testing.assert_allclose(entangle(entangle(factors())), factors(), atol=1e-9)


@pytest.mark.parametrize("metric", COLLAPSE)
def test_supervised_scores_collapse(metric: str) -> None:
    at_least, at_most = COLLAPSE[metric]
    name = METRICS[metric].scores[0]
    assert scores(metric, entangled=False)[name] > at_least
    assert scores(metric, entangled=True)[name] < at_most


def test_that_the_factors_can_be_told_from_all_latents_does_not_collapse() -> None:
    # Explicitness ranks positions by a linear classifier of all latents, informativeness asks how
    # often trees tell one of ten: the first hardly moves, the second is a guess, .1, for noise.
    assert scores("explicitness", entangled=False)["explicitness_test"] > 0.99
    assert scores("explicitness", entangled=True)["explicitness_test"] > 0.9
    name = "dci_informativeness_test"
    assert scores("dci", entangled=False)[name] > 0.99
    assert 0.25 < scores("dci", entangled=True)[name] < 0.75


@pytest.mark.parametrize("name", METRICS["unsupervised"].scores)
def test_unsupervised_scores_do_not_move(name: str) -> None:
    before, after = scores("unsupervised", False)[name], scores("unsupervised", True)[name]
    assert after == pytest.approx(before, abs=2e-3)
