"""Laws of the construction; tests/metrics/test_theorem_1.py has what metrics make of it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from results.analysis.entanglement import entangled, householder, uniform_factors


@pytest.mark.parametrize(("dimensions", "alpha"), [(2, 0.1), (4, 0.25), (7, 0.49)])
def test_the_reflection_is_orthogonal_and_mixes_all(dimensions: int, alpha: float) -> None:
    a = householder(dimensions, alpha)
    np.testing.assert_allclose(a.T @ a, np.eye(dimensions), atol=1e-12)
    assert np.abs(a).min() > 0.01
    v = np.sqrt((1 - np.diag(a)) / 2)
    assert v[0] ** 2 == pytest.approx(alpha) and v @ v == pytest.approx(1)


def test_factors_fill_their_cells_in_the_order_of_a_code_table() -> None:
    z = uniform_factors(3, 2, 5)
    assert z.shape == (5, 9, 2) and z.min() > 0 and z.max() < 1
    np.testing.assert_array_equal(
        np.floor(3 * z), np.broadcast_to(np.indices((3, 3)).reshape(2, -1).T, z.shape)
    )


def test_the_marginals_stay_uniform_and_independent() -> None:
    z = uniform_factors(8, 3, 20).reshape(-1, 3)
    f = entangled(z, alpha=0.2)
    for marginal in f.T:
        assert kstest(marginal, "uniform").statistic < 1.63 / np.sqrt(len(f))
    halves = np.bincount(np.ravel_multi_index(tuple((f > 0.5).astype(int).T), (2, 2, 2)))
    np.testing.assert_allclose(halves / len(f), 1 / 8, atol=0.012)
    # A reflection undoes itself.
    np.testing.assert_allclose(entangled(f, alpha=0.2), z, atol=1e-9)


def test_every_dimension_depends_on_every_other() -> None:
    z = uniform_factors(4, 3, 1)[0]
    for dimension in range(3):
        moved = z.copy()
        moved[:, dimension] += 1e-6
        assert (np.abs(entangled(moved) - entangled(z)) > 1e-10).all()
