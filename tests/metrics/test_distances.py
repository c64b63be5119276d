from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cityblock, euclidean, pdist

from metrics.distances import distances, draw_traversals, widths_and_steps
from metrics.table import CodeTable, generator

CODES = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)


def test_distances_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(60, size=(2, 500))
    wide = CODES.astype(np.float64)
    found = distances(CODES, first, second)
    expected = [[by(wide[i], wide[j]) for i, j in zip(first, second, strict=True)] for by in NORMS]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


NORMS = (cityblock, euclidean)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_widths_and_steps_are_those_of_scipy(size: int) -> None:
    traversals = np.random.default_rng(1).integers(60, size=(50, size))
    widths, steps = widths_and_steps(CODES, traversals)
    for norm, name in enumerate(("cityblock", "euclidean")):
        for t, rows in enumerate(traversals):
            points = CODES[rows].astype(np.float64)
            assert widths[norm, t] == pytest.approx(pdist(points, name).max(), rel=1e-12)
            ring = [NORMS[norm](points[i - 1], points[i]) for i in range(size)]
            expected = sum(sorted(ring)[:-1])
            assert steps[norm, t] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("factor", [0, 1, 2])
def test_a_traversal_takes_one_factor_through_its_positions(factor: int) -> None:
    sizes, replicates = (3, 4, 5), 2
    table = CodeTable.checked(np.zeros((replicates, 60, 1)), sizes)
    rows = draw_traversals(table, generator(0, "test"), factor, 6_000)
    assert rows.shape == (6_000, sizes[factor])
    replicate, *positions = np.unravel_index(rows, (replicates, *sizes))
    for k, position in enumerate(positions):
        if k == factor:
            assert np.all(position == np.arange(sizes[factor]))
        else:
            assert np.all(position == position[:, :1])
            counts = np.bincount(position[:, 0], minlength=sizes[k])
            assert np.all(np.abs(counts - 6_000 / sizes[k]) < 5 * np.sqrt(6_000 / sizes[k]))
    # Every row has a replicate of its own.
    assert np.all(np.abs(replicate.mean(axis=0) - 0.5) < 5 * 0.5 / np.sqrt(6_000))
    assert abs(np.corrcoef(replicate[:, 0], replicate[:, 1])[0, 1]) < 5 / np.sqrt(6_000)
