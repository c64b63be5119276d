from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grids import parts
from trainers.datasets.xyobject import XYObject

# By name, the channels that are lit in each full colour.
LIT = {
    "rainbow": ["R", "RG", "G", "GB", "B", "RB"],
    "colors": ["R", "G", "B", "RG", "GB", "RB", "RGB"],
    "rgb": ["R", "G", "B"],
}


def xyobject(**parameters: Any) -> XYObject:
    return XYObject(parts.XYObject(**parameters))


def rendered(dataset: XYObject, factors: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    factors_BF = torch.as_tensor(np.asarray(factors, dtype=np.int64))
    images: npt.NDArray[np.uint8] = dataset.images(
        factors_BF, torch.zeros(len(factors_BF), dtype=torch.int64)
    ).numpy()
    return images


def by_definition(parameters: parts.XYObject, cell: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """One image, painted row by row."""
    lit = ["G"] if parameters.palette == "greys" else LIT[parameters.palette]
    channels = "G" if parameters.palette == "greys" else "RGB"
    if parameters.shaded:
        x, y, scale, intensity, color = cell
    else:
        x, y, scale, shade = cell
        intensity, color = shade // len(lit), shade % len(lit)
    side = parameters.smallest + parameters.size_step * scale
    margin = (parameters.largest - side) // 2
    value = 255 * (intensity + 1) // parameters.intensities
    size = parameters.image_size
    image = np.zeros((size, size, len(channels)), dtype=np.uint8)
    left, top = parameters.spacing * x + margin, parameters.spacing * y + margin
    for row in range(top, top + side):
        image[row, left : left + side] = [value * (name in lit[color]) for name in channels]
    return image.transpose(2, 0, 1)


def all_cells(dataset: XYObject) -> npt.NDArray[np.int64]:
    return np.array(list(itertools.product(*map(range, dataset.factor_sizes))))


@given(
    spacing=st.integers(1, 6),
    smallest=st.integers(1, 8),
    more=st.integers(0, 9),
    size_step=st.integers(1, 4),
    palette=st.sampled_from([*LIT, "greys"]),
    intensities=st.integers(1, 5) | st.just(255),
    shaded=st.booleans(),
    data=st.data(),
)
def test_an_image_is_its_definition(
    spacing: int,
    smallest: int,
    more: int,
    size_step: int,
    palette: str,
    intensities: int,
    shaded: bool,
    data: st.DataObject,
) -> None:
    dataset = xyobject(
        spacing=spacing,
        smallest=smallest,
        largest=smallest + more,
        size_step=size_step,
        palette=palette,
        intensities=intensities,
        shaded=shaded,
        image_size=24,
    )
    cell = data.draw(st.tuples(*(st.integers(0, size - 1) for size in dataset.factor_sizes)))
    image = rendered(dataset, [cell])[0]
    assert image.dtype == np.uint8
    assert image.shape == dataset.image_shape
    assert np.array_equal(image, by_definition(dataset.parameters, cell))


def test_the_factors_are_those_of_disent() -> None:
    # nmichlo/disent 8f061a87, _groundtruth__xyobject.py.
    assert xyobject().factor_names == ("x", "y", "scale", "color")
    assert xyobject().factor_sizes == (25, 25, 5, 24)
    assert xyobject().image_shape == (3, 64, 64)
    assert xyobject(shaded=True).factor_names == ("x", "y", "scale", "intensity", "color")
    assert xyobject(shaded=True).factor_sizes == (25, 25, 5, 4, 6)


def test_images_are_laid_out_channels_last() -> None:
    cells = torch.zeros(4, 4, dtype=torch.int64)
    images = xyobject().images(cells, torch.zeros(4, dtype=torch.int64))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, xyobject().images(cells, torch.arange(4)))


@pytest.mark.parametrize("palette", [*LIT, "greys"])
def test_a_shade_of_its_own_changes_no_image(palette: str) -> None:
    sizes = {"palette": palette, "spacing": 4, "image_size": 24}
    plain, shaded = xyobject(**sizes), xyobject(**sizes, shaded=True)
    assert np.array_equal(rendered(plain, all_cells(plain)), rendered(shaded, all_cells(shaded)))
    assert plain.mean == shaded.mean
    assert plain.std == shaded.std
    assert plain.fingerprint != shaded.fingerprint


@pytest.mark.parametrize("shaded", [False, True])
def test_constants_are_those_of_disent(shaded: bool) -> None:
    # nmichlo/disent 8f061a87, dataset/util/stats.py, of float32 pixels; the same in every channel.
    dataset = xyobject(shaded=shaded)
    assert dataset.mean == pytest.approx((0.009818761549013288,) * 3, rel=1e-8)
    assert dataset.std == pytest.approx((0.052632363725245844,) * 3, rel=1e-8)
    # Exactly: sides 7, 9, ... 15 have 129 pixels on average, half of the colours light a channel.
    assert dataset.mean == pytest.approx((129 / 4096 * 636 / 1020 / 2,) * 3, rel=1e-14)


@settings(max_examples=25)
@given(
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(1, 2),
    st.sampled_from([*LIT, "greys"]),
    st.integers(1, 3),
)
def test_constants_are_means_over_the_images(
    spacing: int, smallest: int, more: int, size_step: int, palette: str, intensities: int
) -> None:
    dataset = xyobject(
        spacing=spacing,
        smallest=smallest,
        largest=smallest + more,
        size_step=size_step,
        palette=palette,
        intensities=intensities,
        image_size=12,
    )
    images = rendered(dataset, all_cells(dataset)) / 255.0
    np.testing.assert_allclose(dataset.mean, images.mean(axis=(0, 2, 3)), rtol=1e-12)
    by_image = images.reshape(*images.shape[:2], -1).std(axis=2, ddof=1)
    np.testing.assert_allclose(dataset.std, by_image.mean(axis=0), rtol=1e-12)


# nmichlo/disent 8f061a87, comments in plot_dataset_traversal_dists.py: mean and standard deviation
# of the distances of pairs, plain and shaded. Left out: shaded x .0122 and y .0124; the images are
# those of the plain x and y, and their few traversals carry that much noise.
DISTANCES = {
    (False, "random"): (0.0145, 0.0111),
    (False, "y"): (0.0116, 0.0139),
    (False, "x"): (0.0115, 0.0140),
    (False, "color"): (0.0088, 0.0084),
    (False, "scale"): (0.0051, 0.0056),
    (True, "random"): (0.0145, 0.0111),
    (True, "color"): (0.0090, 0.0101),
    (True, "scale"): (0.0050, 0.0055),
    (True, "intensity"): (0.0033, 0.0039),
}


@pytest.mark.parametrize(("shaded", "factor"), DISTANCES)
def test_distances_are_those_of_disent(shaded: bool, factor: str) -> None:
    dataset = xyobject(shaded=shaded)
    sizes, pairs = dataset.factor_sizes, 20_000
    random = np.random.default_rng(sum(map(ord, factor)))
    first = random.integers(0, sizes, (pairs, len(sizes)))
    if factor == "random":
        second = random.integers(0, sizes, (pairs, len(sizes)))
    else:
        axis = dataset.factor_names.index(factor)
        second = first.copy()
        second[:, axis] += random.integers(1, sizes[axis], pairs)
        second[:, axis] %= sizes[axis]
    distances = np.concatenate(
        [
            ((rendered(dataset, a).astype(np.float32) - rendered(dataset, b)) ** 2).mean((1, 2, 3))
            for a, b in zip(np.split(first, 100), np.split(second, 100), strict=True)
        ]
    )
    mean, sd = DISTANCES[shaded, factor]
    assert distances.mean() / 255**2 == pytest.approx(mean, rel=0.05)
    assert distances.std() / 255**2 == pytest.approx(sd, rel=0.05)


def test_the_fingerprint_is_of_the_pixels() -> None:
    plain = xyobject()
    assert len(plain.fingerprint) == 64
    assert plain.fingerprint == xyobject(standardise=True).fingerprint
    others: list[dict[str, Any]] = [
        {"spacing": 3},
        {"smallest": 9, "largest": 17, "image_size": 66},
        {"size_step": 4},
        {"palette": "rgb", "intensities": 8},
        {"palette": "greys", "intensities": 24},
        {"intensities": 3},
        {"shaded": True},
    ]
    prints = {xyobject(**other).fingerprint for other in others}
    assert len(prints | {plain.fingerprint}) == 8
