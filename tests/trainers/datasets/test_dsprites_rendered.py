from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grids import parts
from trainers.datasets.dsprites_rendered import DSpritesRendered

Bytes = npt.NDArray[np.uint8]

DATASET = DSpritesRendered(parts.DSpritesRendered())
SQUARE, ELLIPSE, HEART = range(3)
SIZES = (3, 6, 40, 32, 32)

# dSprites in Michlo et al. 2023, supplement, table 1: mean and standard deviation of distances;
# largest first.
PUBLISHED = {
    "random": (0.0754, 0.0289),
    "y": (0.0584, 0.0378),
    "x": (0.0559, 0.0363),
    "scale": (0.0250, 0.0148),
    "shape": (0.0214, 0.0095),
    "orientation": (0.0172, 0.0106),
}
# The same, table 2.
PUBLISHED_MEAN, PUBLISHED_STD = 0.042494423521890, 0.195166458806261


def rendered(factors: npt.ArrayLike) -> Bytes:
    """[B, 64, 64]."""
    factors_BF = torch.as_tensor(np.asarray(factors, dtype=np.int64))
    images: Bytes = DATASET.images(factors_BF, torch.zeros(len(factors_BF), dtype=torch.int64))[
        :, 0
    ].numpy()
    return images


@cache
def centred() -> Bytes:
    """All sprites at one place, cut out around their centres: [3, 6, 40, 31, 31]."""
    kinds = np.stack(np.meshgrid(*map(np.arange, SIZES[:3]), indexing="ij"), -1).reshape(-1, 3)
    factors = np.concatenate([kinds, np.full((len(kinds), 2), 16)], axis=1)
    row, column = centre(16, 33), centre(16, 31)
    window = np.s_[:, row - 15 : row + 16, column - 15 : column + 16]
    return rendered(factors)[window].reshape(*SIZES[:3], 31, 31)


def centre(position: int, span: int) -> int:
    """The pixel of a sprite's centre: `span` pixels around the image's middle, at 31.5."""
    return round(31.5 - span / 2 + span * position / 31)


def is_filled(
    shape: int, scale: int, orientation: int, right: int, down: int, size: float = 1.0
) -> bool:
    """Whether a pixel, counted from the sprite's centre, is inside the outline, in plain Python."""
    angle = 2 * math.pi * orientation / 39
    size *= 0.5 + 0.1 * scale
    # The pixel in the frame of the unturned sprite, as a complex number: turn it back.
    point = complex(right, down) * complex(math.cos(angle), -math.sin(angle))
    x, y = point.real, point.imag
    if shape == SQUARE:
        return -9.6 * size <= x <= 9.6 * size and -9.6 * size <= y <= 9.6 * size
    if shape == ELLIPSE:
        # A point of an ellipse is as far from the two foci together as the long axis is long.
        long, short = 12.4 * size, 7.1 * size
        focus = math.sqrt(long**2 - short**2)
        return math.hypot(x - focus, y) + math.hypot(x + focus, y) <= 2 * long
    # The heart's rows in this column: up to the half height of an ellipse around a slanted line.
    across = abs(x) / (9.8 * size)
    if across > 1:
        return False
    middle, half = -7.7 * size * 0.8 * across, 7.7 * size * math.sqrt(1 - across**2)
    return middle - half <= y <= middle + half


def by_definition(cell: tuple[int, ...]) -> Bytes:
    shape, scale, orientation, x, y = cell
    row, column = centre(y, 33), centre(x, 31)
    return np.array(
        [
            [255 * is_filled(shape, scale, orientation, j - column, i - row) for j in range(64)]
            for i in range(64)
        ],
        dtype=np.uint8,
    )


@settings(max_examples=60)
@given(st.tuples(*(st.integers(0, size - 1) for size in SIZES)))
def test_an_image_is_its_definition(cell: tuple[int, ...]) -> None:
    assert np.array_equal(rendered([cell])[0], by_definition(cell))


def test_images_are_bytes_laid_out_channels_last() -> None:
    cells = torch.zeros(4, 5, dtype=torch.int64)
    images = DATASET.images(cells, torch.zeros(4, dtype=torch.int64))
    assert images.dtype == torch.uint8
    assert images.shape == (4, *DATASET.image_shape) == (4, 1, 64, 64)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.stride() == (4096, 1, 64, 1)
    assert torch.equal(images, DATASET.images(cells, torch.arange(4)))
    assert set(np.unique(images.numpy())) == {0, 255}


def test_the_factors_are_those_of_dsprites() -> None:
    assert DATASET.factor_names == parts.DATASETS["dsprites"]().factor_names
    assert DATASET.factor_sizes == SIZES
    assert math.prod(DATASET.factor_sizes) == 737_280


@pytest.mark.parametrize("size", [1 - 1e-6, 1 + 1e-6])
def test_rounding_decides_no_pixel(size: float) -> None:
    sprites = centred()
    for shape, scale, orientation in np.ndindex(*SIZES[:3]):
        # Only the pixels at the outline can change: those with a neighbour of the other kind.
        sprite = np.pad(sprites[shape, scale, orientation] > 0, 1)
        around = [np.roll(sprite, step, axis) for step in (1, -1) for axis in (0, 1)]
        outline = (np.any(around, axis=0) & ~sprite) | (~np.all(around, axis=0) & sprite)
        for i, j in zip(*np.nonzero(outline[1:-1, 1:-1]), strict=True):
            filled = is_filled(shape, scale, orientation, int(j) - 15, int(i) - 15, size)
            assert filled == bool(sprite[i + 1, j + 1])


def test_no_sprite_is_cut_off_or_reaches_the_edge() -> None:
    kinds = np.stack(np.meshgrid(*map(np.arange, SIZES[:3]), indexing="ij"), -1).reshape(-1, 3)
    area = (centred() > 0).sum(axis=(3, 4)).reshape(-1)
    for x in (0, 31):
        for y in (0, 31):
            places = np.tile([x, y], (len(kinds), 1))
            images = rendered(np.concatenate([kinds, places], axis=1)) > 0
            assert np.array_equal(images.sum(axis=(1, 2)), area)
            assert not images[:, [0, -1], :].any()
            assert not images[:, :, [0, -1]].any()


@pytest.mark.parametrize("kind", [(SQUARE, 5, 7), (ELLIPSE, 0, 23), (HEART, 3, 31)])
def test_images_of_a_sprite_differ_by_a_shift(kind: tuple[int, int, int]) -> None:
    places = np.stack(np.meshgrid(np.arange(32), np.arange(32), indexing="ij"), -1).reshape(-1, 2)
    images = rendered(np.concatenate([np.tile(kind, (len(places), 1)), places], axis=1))
    corners = set()
    for image, (x, y) in zip(images, places.tolist(), strict=True):
        shift = (centre(0, 33) - centre(y, 33), centre(0, 31) - centre(x, 31))
        assert np.array_equal(np.roll(image, shift, axis=(0, 1)), images[0])
        corners.add(shift)
    assert len(corners) == 32 * 32


def test_the_first_and_the_last_orientation_are_one() -> None:
    assert np.array_equal(centred()[:, :, 0], centred()[:, :, 39])


def test_sprites_have_the_symmetries_of_their_shapes() -> None:
    sprites = centred()
    # The shapes are their own mirror images, so that a sprite turned back mirrors one turned on.
    assert np.array_equal(sprites[..., ::-1], sprites[:, :, ::-1])
    squares, ellipses, hearts = sprites
    assert np.array_equal(np.rot90(squares, axes=(2, 3)), squares)
    assert np.array_equal(np.rot90(ellipses, 2, axes=(2, 3)), ellipses)
    assert not np.array_equal(np.rot90(hearts, 2, axes=(2, 3)), hearts)


def test_squares_and_ellipses_come_near_to_where_they_began() -> None:
    # 90 and 180 degrees are 9.75 and 19.5 steps. A square looks the same 2.3 degrees further, ...
    squares, ellipses, hearts = (centred().reshape(3, 6, 40, -1) > 0).astype(int)
    for orientation in (10, 29, 39):
        assert np.array_equal(squares[:, orientation], squares[:, 0])
    # ... an ellipse is nearest to it half a step before and after, ...
    changed = np.abs(ellipses[5] - ellipses[5, 0]).sum(axis=1)
    assert changed[19] == changed[20] == changed[1:39].min() > 0
    # ... and a heart never comes back.
    for heart in hearts:
        assert len(np.unique(heart, axis=0)) == 39


def test_hearts_have_a_notch_and_a_tip() -> None:
    for heart in centred()[HEART, :, 0] > 0:
        rows = np.nonzero(heart.any(axis=1))[0]
        filled, runs = heart[rows[0]], np.flatnonzero(np.diff(heart[rows[0]].astype(int)))
        assert len(runs) == 4  # two lobes, apart
        assert not filled[15]
        assert heart[rows[-1]].sum() <= 3
        assert heart[rows[-1], 15]


@cache
def sampled_distances(factor: str, pairs: int = 50_000) -> npt.NDArray[np.float64]:
    """Mean squared distances, as Michlo et al. sample them: random pairs may be equal."""
    random = np.random.default_rng(sum(map(ord, factor)))
    first = random.integers(0, SIZES, (pairs, 5))
    if factor == "random":
        second = random.integers(0, SIZES, (pairs, 5))
    else:
        axis = DATASET.factor_names.index(factor)
        second = first.copy()
        second[:, axis] += random.integers(1, SIZES[axis], pairs)
        second[:, axis] %= SIZES[axis]
    distances = [
        ((rendered(a) / np.float32(255) - rendered(b) / np.float32(255)) ** 2).mean(axis=(1, 2))
        for a, b in zip(np.split(first, 50), np.split(second, 50), strict=True)
    ]
    return np.concatenate(distances).astype(np.float64)


@pytest.mark.parametrize("factor", PUBLISHED)
def test_distances_are_those_published_of_dsprites(factor: str) -> None:
    mean, sd = PUBLISHED[factor]
    assert sampled_distances(factor).mean() == pytest.approx(mean, rel=0.05)
    assert sampled_distances(factor).std() == pytest.approx(sd, rel=0.05)


def test_factors_matter_in_the_published_order() -> None:
    means = [sampled_distances(factor).mean() for factor in PUBLISHED]
    assert means == sorted(means, reverse=True)


def test_constants_are_near_those_published_of_dsprites() -> None:
    assert DATASET.mean == pytest.approx((PUBLISHED_MEAN,), rel=0.05)
    assert DATASET.std == pytest.approx((PUBLISHED_STD,), rel=0.05)
    assert DATASET.mean == pytest.approx((0.04241129557291667,), rel=1e-12)
    assert DATASET.std == pytest.approx((0.19513592585547448,), rel=1e-12)


def test_constants_are_means_over_the_images() -> None:
    # One place stands for all: no sprite is cut off.
    images = np.pad(centred(), [(0, 0)] * 3 + [(16, 17)] * 2).reshape(720, -1) / 255.0
    np.testing.assert_allclose(DATASET.mean, images.mean(), rtol=1e-12)
    np.testing.assert_allclose(DATASET.std, images.std(axis=1, ddof=1).mean(), rtol=1e-12)
    assert images.std() != pytest.approx(DATASET.std[0], rel=0.01)


def test_the_fingerprint_is_pinned() -> None:
    # Results are recorded under it: another value means other images.
    pinned = "a6331672ac4f6127590926b20023a72f20fa04079aeaa8974d6a1168a2a5ce2a"
    standardised = DSpritesRendered(parts.DSpritesRendered(standardise=True))
    assert DATASET.fingerprint == standardised.fingerprint == pinned
