from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grids import parts
from trainers.datasets.xysquares import XYSquares

Array = npt.NDArray[np.float64]

# Derived by hand from the definition, grid_size 8: offset, then by factor the distance's mean and
# standard deviation and its correlation with the displacement, then random pairs' mean and sd.
CAPPED = {
    8: (0, 0.010417, 0.0, None, 0.030762, 0.002238),
    7: (3, 0.010091, 0.000564, 0.6667, 0.030525, 0.002279),
    6: (7, 0.009766, 0.001128, 0.6667, 0.030241, 0.002433),
    5: (10, 0.009440, 0.001691, 0.6667, 0.029911, 0.002702),
    4: (14, 0.009115, 0.002255, 0.6667, 0.029533, 0.003087),
    3: (17, 0.008231, 0.002697, 0.8164, 0.028274, 0.003621),
    2: (21, 0.006882, 0.003129, 0.9266, 0.025688, 0.004462),
    1: (24, 0.003906, 0.002255, 1.0, 0.017143, 0.004196),
}
# The same, grid_size None: positions, offset, number of images, mean distance along a factor.
UNCAPPED = {
    8: (8, 0, 262_144, 0.010417),
    7: (9, 0, 531_441, 0.010127),
    6: (10, 1, 1_000_000, 0.009896),
    5: (12, 0, 2_985_984, 0.009766),
    4: (15, 0, 11_390_625, 0.009722),
    3: (19, 1, 47_045_881, 0.009472),
    2: (29, 0, 594_823_321, 0.009365),
    1: (57, 0, 34_296_447_249, 0.009183),
}


def xysquares(**parameters: Any) -> XYSquares:
    return XYSquares(parts.XYSquares(**parameters))


def rendered(dataset: XYSquares, factors: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    cells = torch.as_tensor(np.asarray(factors, dtype=np.int64))
    return dataset.images(cells, torch.zeros(len(cells), dtype=torch.int64)).numpy()


def by_definition(parameters: parts.XYSquares, factors: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """One image, square by square."""
    size, q = parameters.image_size, parameters.square_size
    positions = (size - q) // parameters.spacing + 1
    if parameters.grid_size is not None:
        positions = min(positions, parameters.grid_size)
    offset = (size - (q + (positions - 1) * parameters.spacing)) // 2
    image = np.zeros((3, size, size), dtype=np.uint8)
    for square in range(3):
        column = offset + parameters.spacing * factors[2 * square]
        row = offset + parameters.spacing * factors[2 * square + 1]
        image[square, row : row + q, column : column + q] = 255
    return image if parameters.rgb else image.max(axis=0, keepdims=True)


def all_cells(dataset: XYSquares) -> npt.NDArray[np.int64]:
    return np.array(list(itertools.product(*map(range, dataset.factor_sizes))))


def distances(dataset: XYSquares, factor: int) -> tuple[Array, Array]:
    """Displacements and mean squared distances of all pairs of images along one factor."""
    positions = dataset.factor_sizes[factor]
    factors = np.full((positions, 6), positions // 2)
    factors[:, factor] = np.arange(positions)
    images = rendered(dataset, factors).reshape(positions, -1) / 255.0
    first, second = map(np.array, zip(*itertools.permutations(range(positions), 2), strict=True))
    return np.abs(first - second), ((images[first] - images[second]) ** 2).mean(axis=1)


@given(
    spacing=st.integers(1, 8),
    grid_size=st.none() | st.integers(2, 8),
    square_size=st.integers(1, 9),
    rgb=st.booleans(),
    data=st.data(),
)
def test_an_image_is_its_definition(
    spacing: int, grid_size: int | None, square_size: int, rgb: bool, data: st.DataObject
) -> None:
    dataset = xysquares(
        spacing=spacing, grid_size=grid_size, square_size=square_size, image_size=24, rgb=rgb
    )
    cell = data.draw(st.tuples(*(st.integers(0, size - 1) for size in dataset.factor_sizes)))
    image = rendered(dataset, [cell])[0]
    assert image.dtype == np.uint8
    assert image.shape == dataset.image_shape
    assert np.array_equal(image, by_definition(dataset.parameters, cell))


def test_images_are_laid_out_channels_last() -> None:
    images = xysquares().images(*(torch.zeros(4, *f, dtype=torch.int64) for f in ((6,), ())))
    assert images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("spacing", CAPPED)
def test_distances_along_a_factor_are_those_of_the_table(spacing: int) -> None:
    offset, mean, sd, correlation, _, _ = CAPPED[spacing]
    dataset = xysquares(spacing=spacing)
    assert dataset.parameters.offset == offset
    assert dataset.factor_sizes == (8,) * 6
    for factor in range(6):
        displacement, distance = distances(dataset, factor)
        # 2 * 8 pixels change per pixel of displacement, up to the side of the square.
        np.testing.assert_allclose(distance, 16 * np.minimum(8, spacing * displacement) / 12288)
        assert distance.mean() == pytest.approx(mean, abs=5e-7)
        assert distance.std() == pytest.approx(sd, abs=5e-7)
        if correlation is not None:
            measured = np.corrcoef(displacement, distance)[0, 1]
            assert measured == pytest.approx(correlation, abs=5e-5)


@pytest.mark.parametrize("spacing", CAPPED)
def test_distances_of_random_pairs_are_those_of_the_table(spacing: int) -> None:
    *_, mean, sd = CAPPED[spacing]
    dataset = xysquares(spacing=spacing)
    # The channels are independent and alike, so all 64^2 pairs of one channel give both moments.
    factors = np.zeros((64, 6), dtype=np.int64)
    factors[:, 0], factors[:, 1] = np.divmod(np.arange(64), 8)
    red = rendered(dataset, factors)[:, 0].reshape(64, -1) / 255.0
    changed = 64 + 64 - 2 * red @ red.T
    assert 3 * changed.mean() / 12288 == pytest.approx(mean, abs=5e-7)
    assert math.sqrt(3) * changed.std() / 12288 == pytest.approx(sd, abs=5e-7)


@pytest.mark.parametrize("spacing", UNCAPPED)
def test_an_uncapped_grid_fills_the_image(spacing: int) -> None:
    positions, offset, count, mean = UNCAPPED[spacing]
    dataset = xysquares(spacing=spacing, grid_size=None)
    assert dataset.factor_sizes == (positions,) * 6
    assert dataset.parameters.offset == offset
    assert math.prod(dataset.factor_sizes) == count
    _, distance = distances(dataset, factor=3)
    assert distance.mean() == pytest.approx(mean, abs=5e-7)
    corners = rendered(dataset, [[0] * 6, [positions - 1] * 6])
    filled_rows = np.unique(np.nonzero(corners)[2])
    assert filled_rows[0] == offset
    assert filled_rows[-1] == offset + (positions - 1) * spacing + 7


@pytest.mark.parametrize("spacing", CAPPED)
@pytest.mark.parametrize("grid_size", [8, None])
def test_constants_are_those_of_the_paper(spacing: int, grid_size: int | None) -> None:
    dataset = xysquares(spacing=spacing, grid_size=grid_size)
    # Michlo et al. 2023, supplement, table 2.
    assert dataset.mean == (0.015625,) * 3
    assert dataset.std == pytest.approx((0.124034734589209,) * 3, rel=1e-14)


def test_the_constant_is_not_the_standard_deviation_of_all_pixels() -> None:
    dataset = xysquares(grid_size=2)
    pixels = rendered(dataset, all_cells(dataset))[:, 0] / 255.0
    assert pixels.std() == pytest.approx(math.sqrt(63) / 64)
    assert abs(pixels.std() - dataset.std[0]) > 1e-5
    assert pixels.std(ddof=1) != pytest.approx(dataset.std[0], rel=1e-5)


def test_constants_of_one_channel_are_those_of_disent() -> None:
    # nmichlo/disent 8f061a87, _groundtruth__xysquares.py, XYSquaresMinimalData without colour.
    dataset = xysquares(rgb=False)
    assert dataset.mean == pytest.approx((0.046146392822265625,), rel=1e-14)
    assert dataset.std == pytest.approx((0.2096506119375896,), rel=1e-12)


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(2, 3),
    st.integers(1, 8),
    st.sampled_from([12, 16]),
    st.booleans(),
)
def test_constants_are_means_over_the_images(
    spacing: int, grid_size: int, square_size: int, image_size: int, rgb: bool
) -> None:
    assume(square_size + spacing <= image_size)
    dataset = xysquares(
        spacing=spacing,
        grid_size=grid_size,
        square_size=square_size,
        image_size=image_size,
        rgb=rgb,
    )
    images = rendered(dataset, all_cells(dataset)) / 255.0
    np.testing.assert_allclose(dataset.mean, images.mean(axis=(0, 2, 3)), rtol=1e-12)
    by_image = images.reshape(*images.shape[:2], -1).std(axis=2, ddof=1)
    np.testing.assert_allclose(dataset.std, by_image.mean(axis=0), rtol=1e-12)


def test_the_fingerprint_is_of_the_pixels() -> None:
    plain = xysquares()
    assert len(plain.fingerprint) == 64
    assert plain.fingerprint == xysquares(standardise=True).fingerprint
    others: list[dict[str, Any]] = [
        {"spacing": 7},
        {"grid_size": 7},
        {"square_size": 7, "spacing": 8},
        {"rgb": False},
    ]
    prints = {xysquares(**other).fingerprint for other in others}
    assert len(prints | {plain.fingerprint}) == 5
    # At spacing 8 the cap and the image end together: the pixels are the same.
    assert plain.fingerprint == xysquares(grid_size=None).fingerprint
