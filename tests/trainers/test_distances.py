from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from grids import datasets as sets
from grids import parts
from grids.measurement import Measurement, sampled_pairs
from results.distances import ground_truth_matrix
from trainers import make_dataset
from trainers.distances import FactorDistances, Measuring

Array = npt.NDArray[np.float64]
LOSSES = [parts.MSE(), parts.MSEBoxBlur(radius=2, weight=25.0), parts.Bernoulli()]


def measured(
    dataset: Any, loss: Any = None, *, pairs: int = 3_000, **options: Any
) -> dict[str, FactorDistances]:
    work = Measuring(dataset, loss or parts.MSE(), pairs=pairs, seed=777, **options)
    while not work.advance():
        pass
    return {row.factor: row for row in work.results()}


class Tiny:
    """12 cells of 2 noisy draws each, 3 x 4 pixels: small enough to list every pair."""

    factor_names = ("a", "b", "fixed")
    factor_sizes = (3, 4, 1)
    image_shape = (1, 3, 4)

    def __init__(self, nuisances: int) -> None:
        self.nuisances = nuisances
        rng = np.random.default_rng(0)
        self.pixels = rng.integers(0, 256, (3, 4, nuisances, 1, 3, 4), dtype=np.uint8)

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        a, b, _ = factors_BF.numpy().T
        return torch.from_numpy(self.pixels[a, b, nuisance_B.numpy()])


def plain_distance(a: Array, b: Array, loss: Any) -> float:
    """By definition, of images [1, 3, 4] in [0, 1]."""
    if isinstance(loss, parts.Bernoulli):
        p = np.clip(a, 1e-6, 1 - 1e-6)
        return float(-(b * np.log(p) + (1 - b) * np.log(1 - p)).mean())
    error = (a - b)[0]
    if isinstance(loss, parts.MSE):
        return float((error**2).mean())
    r = loss.radius
    padded = np.pad(error, r)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (2 * r + 1, 2 * r + 1))
    blurred = windows.sum(axis=(2, 3)) / (2 * r + 1) ** 2
    return float((error**2 + loss.weight * blurred**2).mean())


def all_pairs(tiny: Tiny, factor: int | None, loss: Any) -> Array:
    """The distance of every pair along a factor (or of all images), each as likely as any other."""
    scaled = tiny.pixels / 255
    cells = list(itertools.product(range(3), range(4)))
    draws = list(itertools.product(range(tiny.nuisances), repeat=2))
    return np.array(
        [
            plain_distance(scaled[x][m], scaled[y][n], loss)
            for x, y in itertools.product(cells, repeat=2)
            if factor is None or (x[factor] != y[factor] and x[1 - factor] == y[1 - factor])
            for m, n in draws
        ]
    )


@pytest.mark.parametrize("nuisances", [1, 2])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_sampled_distances_are_those_of_all_pairs(loss: Any, nuisances: int) -> None:
    tiny = Tiny(nuisances)
    found = measured(tiny, loss, pairs=20_000)
    assert list(found) == ["a", "b", "random"]  # a factor of one position has no pairs
    for name, factor in (("a", 0), ("b", 1), ("random", None)):
        exact = all_pairs(tiny, factor, loss)
        # Pairs of one traversal are correlated: at most as if each traversal had one pair.
        each = 1 if factor is None else sampled_pairs(tiny.factor_sizes[factor], 20_000)[1]
        error = exact.std() / math.sqrt(found[name].pairs / each)
        assert abs(found[name].mean - exact.mean()) < 5 * error
        assert found[name].std == pytest.approx(exact.std(), rel=0.1)
        occurring = np.unique(exact)
        nearest = np.abs(found[name].quantiles[:, None] - occurring).min(axis=1)
        assert nearest.max() < 1e-12  # no value is made up
        assert found[name].quantiles[0] == pytest.approx(exact.min())
        assert found[name].quantiles[-1] == pytest.approx(exact.max())


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
def test_the_matrix_is_the_mean_over_traversals(loss: Any) -> None:
    tiny = Tiny(1)
    found = measured(tiny, loss, pairs=10)["b"].matrix
    scaled = tiny.pixels[:, :, 0] / 255
    by_row = np.array(
        [
            [[plain_distance(scaled[a, b], scaled[a, c], loss) for c in range(4)] for b in range(4)]
            for a in range(3)
        ]
    )
    # 256 traversals, each with one of three values of a: the weights are what is left to fit.
    assert found is not None
    weights, residual, *_ = np.linalg.lstsq(by_row.reshape(3, -1).T, found.ravel(), rcond=None)
    assert residual.max() < 1e-20
    assert weights.sum() == pytest.approx(1)
    assert np.abs(weights - 1 / 3).max() < 5 * math.sqrt(2 / 9 / 256)


def test_the_numbers_do_not_depend_on_the_chunks() -> None:
    one, other = (measured(Tiny(2), images_at_once=n, pairs=500) for n in (7, 1000))
    for name in one:
        assert one[name].mean == pytest.approx(other[name].mean, rel=1e-12)
        np.testing.assert_allclose(one[name].quantiles, other[name].quantiles, rtol=1e-12)
        if one[name].matrix is not None:
            np.testing.assert_allclose(one[name].matrix, other[name].matrix, atol=1e-14)


@pytest.mark.parametrize(
    ("positions", "pairs", "expected"),
    [
        (8, 50_000, (5_000, 11)),
        (40, 50_000, (5_000, 126)),
        (2, 50_000, (50_000, 1)),
        (1, 9, (0, 0)),
    ],
)
def test_pairs_are_sampled_as_published(
    positions: int, pairs: int, expected: tuple[int, int]
) -> None:
    # int(n^1.5 / 2) pairs a traversal, at least 50,000 pairs and 5,000 traversals.
    assert sampled_pairs(positions, pairs) == expected


def test_progress_is_counted_in_the_pairs_of_the_measurement() -> None:
    measurement = Measurement(dataset=sets.XYSquares(grid_size=2), pairs=40)
    work = Measuring(make_dataset(measurement.dataset), parts.MSE(), pairs=40, seed=0)
    while not work.advance():
        assert work.pairs_done <= measurement.steps
    assert work.pairs_done == measurement.steps == sum(row.pairs for row in work.results())


# XYSquares with 8 positions: mean and sd along a factor, and of random pairs (derived by hand).
XYSQUARES = {
    8: (0.010417, 0.0, 0.030762, 0.002238),
    7: (0.010091, 0.000564, 0.030525, 0.002279),
    6: (0.009766, 0.001128, 0.030241, 0.002433),
    5: (0.009440, 0.001691, 0.029911, 0.002702),
    4: (0.009115, 0.002255, 0.029533, 0.003087),
    3: (0.008231, 0.002697, 0.028274, 0.003621),
    2: (0.006882, 0.003129, 0.025688, 0.004462),
    1: (0.003906, 0.002255, 0.017143, 0.004196),
}


@pytest.mark.parametrize("spacing", XYSQUARES)
def test_xysquares_at_every_spacing(spacing: int) -> None:
    mean, sd, random_mean, random_sd = XYSQUARES[spacing]
    found = measured(make_dataset(sets.XYSquares(spacing=spacing)), pairs=1_100)
    random = found.pop("random")
    assert random.mean == pytest.approx(random_mean, abs=5 * random_sd / math.sqrt(1_100))
    assert random.std == pytest.approx(random_sd, rel=0.25)
    assert len(found) == 6
    displaced = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    for row in found.values():
        assert row.pairs == 110 * 11
        assert row.mean == pytest.approx(mean, abs=5 * sd / math.sqrt(row.pairs) + 5e-7)
        assert row.std == pytest.approx(sd, rel=0.1, abs=1e-15)
        # d(Delta) = 2 * 8 * min(8, s Delta) / 12288, in every traversal.
        np.testing.assert_allclose(row.matrix, 16 * np.minimum(8, spacing * displaced) / 12288)


def test_of_xysquares_without_overlap_distances_count_the_squares_that_moved() -> None:
    # Michlo et al. 2023, supplement, table 1 (.0104 +- .0000, .0308 +- .0022) and figure 1: the
    # cumulative curve of random pairs is a step function, m of 3 squares moved with probability
    # Binomial(3, 63/64).
    found = measured(make_dataset(sets.XYSquares()), pairs=4_000)
    random = found.pop("random")
    for row in found.values():
        assert (round(row.mean, 4), round(row.std, 4)) == (0.0104, 0.0)
        np.testing.assert_allclose(row.quantiles, 1 / 96)
    steps = np.array([1, 2, 3]) / 96
    assert set(np.round(random.quantiles * 96, 9)) <= {1.0, 2.0, 3.0}
    below_all = (random.quantiles < steps[2] - 1e-9).mean()
    assert below_all == pytest.approx(1 - (63 / 64) ** 3, abs=0.015)


def test_perceived_distance_of_an_angle_follows_the_circle_and_not_the_line() -> None:
    # The stand-in for dSprites: the first and the last orientation are one image.
    row = measured(make_dataset(sets.DSpritesRendered()), pairs=200)["orientation"]
    assert row.matrix is not None and row.matrix[0, 39] == 0
    upper = np.triu_indices(40, 1)
    linear, circular = (
        np.corrcoef(ground_truth_matrix(40, period)[upper], row.matrix[upper])[0, 1]
        for period in (None, 39)
    )
    assert circular > linear + 0.05


def test_a_set_without_factors_has_random_pairs_only() -> None:
    class Unlabelled(Tiny):
        factor_names, factor_sizes = (), ()

        def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
            return torch.from_numpy(self.pixels[0, 0, nuisance_B.numpy()])

    assert list(measured(Unlabelled(2), pairs=50)) == ["random"]
