from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from grids import parts
from trainers.datasets.xycolumns import XYColumns


def xycolumns(**parameters: Any) -> XYColumns:
    return XYColumns(parts.XYColumns(**parameters))


def rendered(dataset: XYColumns, factors: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    factors_BF = torch.as_tensor(np.asarray(factors, dtype=np.int64))
    images: npt.NDArray[np.uint8] = dataset.images(
        factors_BF, torch.zeros(len(factors_BF), dtype=torch.int64)
    ).numpy()
    return images


def by_definition(parameters: parts.XYColumns, cell: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """One image, column by column."""
    size, q = parameters.image_size, parameters.square_size
    positions = (size - q) // parameters.spacing + 1
    if parameters.grid_size is not None:
        positions = min(positions, parameters.grid_size)
    offset = (size - (q + (positions - 1) * parameters.spacing)) // 2
    image = np.zeros((3, size, size), dtype=np.uint8)
    for column, position in enumerate(cell):
        left = offset + parameters.spacing * position
        image[column, :, left : left + q] = 255
    return image if parameters.rgb else image.max(axis=0, keepdims=True)


def all_cells(dataset: XYColumns) -> npt.NDArray[np.int64]:
    return np.array(list(itertools.product(*map(range, dataset.factor_sizes))))


@given(
    spacing=st.integers(1, 8),
    grid_size=st.none() | st.integers(2, 8),
    width=st.integers(1, 9),
    rgb=st.booleans(),
    data=st.data(),
)
def test_an_image_is_its_definition(
    spacing: int, grid_size: int | None, width: int, rgb: bool, data: st.DataObject
) -> None:
    dataset = xycolumns(
        spacing=spacing, grid_size=grid_size, square_size=width, image_size=24, rgb=rgb
    )
    cell = data.draw(st.tuples(*(st.integers(0, size - 1) for size in dataset.factor_sizes)))
    image = rendered(dataset, [cell])[0]
    assert image.dtype == np.uint8
    assert image.shape == dataset.image_shape
    assert np.array_equal(image, by_definition(dataset.parameters, cell))


def test_the_factors_are_those_of_disent() -> None:
    # nmichlo/disent 8f061a87, _groundtruth__xcolumns.py.
    assert xycolumns().factor_names == ("x_R", "x_G", "x_B")
    assert xycolumns().factor_sizes == (8, 8, 8)
    assert xycolumns(spacing=1, grid_size=None).factor_sizes == (57, 57, 57)


def test_images_are_laid_out_channels_last() -> None:
    cells = torch.zeros(4, 3, dtype=torch.int64)
    images = xycolumns().images(cells, torch.zeros(4, dtype=torch.int64))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, xycolumns().images(cells, torch.arange(4)))


@pytest.mark.parametrize("factor", range(3))
@pytest.mark.parametrize("spacing", range(1, 9))
def test_distance_grows_with_displacement_up_to_the_width(spacing: int, factor: int) -> None:
    factors = np.full((8, 3), 4)
    factors[:, factor] = np.arange(8)
    images = rendered(xycolumns(spacing=spacing), factors).reshape(8, -1) / 255.0
    distances = ((images[:, None] - images[None]) ** 2).mean(axis=2)
    displacement = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    # 2 * 64 pixels change per pixel of displacement, of 3 * 64 * 64.
    np.testing.assert_allclose(distances, 128 * np.minimum(8, spacing * displacement) / 12288)
    if spacing == 8:  # adversarial: one distance between any two positions
        assert len(np.unique(distances[displacement > 0])) == 1


@pytest.mark.parametrize("grid_size", [8, None])
@pytest.mark.parametrize("spacing", [8, 3, 1])
def test_constants_are_those_of_disent(spacing: int, grid_size: int | None) -> None:
    # nmichlo/disent 8f061a87, dataset/util/stats.py.
    dataset = xycolumns(spacing=spacing, grid_size=grid_size)
    assert dataset.mean == (0.125,) * 3
    assert dataset.std == pytest.approx((0.3307592922378892,) * 3, rel=1e-14)


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.none() | st.integers(2, 4),
    st.integers(1, 8),
    st.sampled_from([12, 16]),
    st.booleans(),
)
def test_constants_are_means_over_the_images(
    spacing: int, grid_size: int | None, width: int, image_size: int, rgb: bool
) -> None:
    assume(spacing <= image_size - width)
    dataset = xycolumns(
        spacing=spacing, grid_size=grid_size, square_size=width, image_size=image_size, rgb=rgb
    )
    images = rendered(dataset, all_cells(dataset)) / 255.0
    np.testing.assert_allclose(dataset.mean, images.mean(axis=(0, 2, 3)), rtol=1e-12)
    by_image = images.reshape(*images.shape[:2], -1).std(axis=2, ddof=1)
    np.testing.assert_allclose(dataset.std, by_image.mean(axis=0), rtol=1e-12)


def test_the_fingerprint_is_of_the_pixels() -> None:
    plain = xycolumns()
    assert len(plain.fingerprint) == 64
    assert plain.fingerprint == xycolumns(standardise=True).fingerprint
    others: list[dict[str, Any]] = [
        {"spacing": 7},
        {"grid_size": 7},
        {"square_size": 7, "spacing": 8},
        {"rgb": False},
    ]
    prints = {xycolumns(**other).fingerprint for other in others}
    assert len(prints | {plain.fingerprint}) == 5
    # At spacing 8 the cap and the image end together: the pixels are the same.
    assert plain.fingerprint == xycolumns(grid_size=None).fingerprint
