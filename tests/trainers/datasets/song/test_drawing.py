from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.song.drawing import draw
from trainers.datasets.song.factors import ELLIPSE, SQUARE, TRIANGLE, Draw, Factors, Floats, Looks

AREAS = {SQUARE: 400, ELLIPSE: math.pi * 14 * 6, TRIANGLE: 3 * math.sqrt(3) / 4 * 13**2}
Image = npt.NDArray[np.uint8]


def sprite(
    shape: int,
    x: float = 0.5,
    y: float = 0.5,
    *,
    scale: float = 1,
    rotation: float = 0,
    colour: tuple[float, ...] = (1,),
) -> Image:
    """[64, 64], or [64, 64, 3] in a colour."""
    looks = Looks(
        position=np.array([[x, y]]),
        scale=np.array([float(scale)]),
        shape=np.array([shape]),
        rotation=np.array([[rotation, 0]]),
        colour=np.array([colour], dtype=np.float64),
    )
    image: Image = draw(looks)[0].squeeze()
    return image


def by_definition(looks: Looks, i: int) -> Image:
    """One image, [64, 64, C]: 8 x 8 points a pixel, each in the shape or not."""
    turn = looks.rotation[i, 0]
    place = (np.arange(512) + 0.5) / 8 - 0.5
    across, down = np.meshgrid(place, place)
    from_centre = np.stack(
        [across - (16 + 32 * looks.position[i, 0]), down - (16 + 32 * looks.position[i, 1])]
    )
    # y goes down, so that a counter-clockwise turn takes (0, -1), up, to (-1, 0), left.
    forward = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    x, y = np.einsum("ij,jrc->irc", np.linalg.inv(forward), from_centre)
    size = looks.scale[i]
    if looks.shape[i] == SQUARE:
        inside = (abs(x) < 10 * size) & (abs(y) < 10 * size)
    elif looks.shape[i] == ELLIPSE:
        inside = np.hypot(x / (14 * size), y / (6 * size)) < 1
    else:
        r = 13 * size
        corners = [(0, -r), (r * math.sqrt(3) / 2, r / 2), (-r * math.sqrt(3) / 2, r / 2)]
        inside = np.full(x.shape, True)
        for (x_0, y_0), (x_1, y_1) in zip(corners, corners[1:] + corners[:1], strict=True):
            inside &= (x_1 - x_0) * (y - y_0) > (y_1 - y_0) * (x - x_0)
    coverage = inside.reshape(64, 8, 64, 8).mean(axis=(1, 3))
    image: Image = np.floor(255 * coverage[:, :, None] * looks.colour[i] + 0.5).astype(np.uint8)
    return image


def centroid(image: Image) -> tuple[float, float]:
    """Column and row."""
    weight: Floats = image / image.sum(dtype=np.float64)
    pixel = np.arange(64)
    return float((weight.sum(axis=0) * pixel).sum()), float((weight.sum(axis=1) * pixel).sum())


@pytest.mark.parametrize("complexity", range(1, 7))
def test_an_image_is_its_definition(complexity: int) -> None:
    for factors in (Factors(complexity), Factors(complexity, "printed", "rgb")):
        looks = factors.looks(factors.sample(Draw.IMAGES, np.arange(25)))
        images = draw(looks)
        assert images.dtype == np.uint8
        assert images.shape == (25, 64, 64, factors.channels)
        for i in range(25):
            assert np.array_equal(images[i], by_definition(looks, i))


def test_an_image_does_not_depend_on_the_others() -> None:
    factors = Factors(6)
    values = factors.sample(Draw.IMAGES, np.arange(100))
    together = draw(factors.looks(values))
    order = np.random.default_rng(0).permutation(100)
    assert np.array_equal(draw(factors.looks(values[order])), together[order])
    assert np.array_equal(draw(factors.looks(values[7:8])), together[7:8])


@pytest.mark.parametrize("shape", AREAS)
@pytest.mark.parametrize("scale", [0.5, 1])
def test_areas_and_centroids(shape: int, scale: float) -> None:
    areas = []
    for i in range(50):
        x, y, rotation = (i * 0.37) % 1, (i * 0.61) % 1, i * 0.7
        image = sprite(shape, x, y, scale=scale, rotation=rotation)
        areas.append(image.sum(dtype=np.float64) / 255)
        assert centroid(image) == pytest.approx((16 + 32 * x, 16 + 32 * y), abs=0.05)
    expected = AREAS[shape] * scale**2
    assert np.mean(areas) == pytest.approx(expected, abs=0.1)
    assert areas == pytest.approx([expected] * 50, abs=0.006 * expected + 0.5)


def test_a_quarter_turn_swaps_the_axes() -> None:
    lying = sprite(ELLIPSE)
    standing = sprite(ELLIPSE, rotation=math.pi / 2)
    assert np.array_equal(standing, lying.T)
    rows, columns = np.nonzero(lying)
    assert (rows.min(), rows.max()) == (26, 38)
    assert (columns.min(), columns.max()) == (18, 46)


def test_turns_are_counter_clockwise() -> None:
    def extent(image: Image) -> list[int]:
        """How far it reaches to the left, right, up, down from pixel 32."""
        rows, columns = np.nonzero(image > 32)  # a tip is thin
        return [32 - columns.min(), columns.max() - 32, 32 - rows.min(), rows.max() - 32]

    up, left, down, right = (sprite(TRIANGLE, rotation=k * math.pi / 2) for k in range(4))
    assert extent(up) == [11, 11, 12, 6]
    assert extent(left) == [12, 6, 11, 11]
    assert extent(down) == [11, 11, 6, 12]
    assert extent(right) == [6, 12, 11, 11]


def test_nothing_reaches_the_border() -> None:
    for shape in AREAS:
        for x in (0, 1):
            for rotation in np.linspace(0, 2 * math.pi, 16):
                image = sprite(shape, x, 1 - x, rotation=rotation)
                assert image[[0, -1]].max() == image[:, [0, -1]].max() == 0


def test_edges_are_smooth() -> None:
    image = sprite(ELLIPSE, x=0.5037, rotation=0.3)
    assert len(np.unique(image)) > 20
    assert image[32, 32] == 255


def test_a_position_shows_to_an_eighth_of_a_pixel() -> None:
    """The worst case: all the samples along an edge change at once."""
    for x in np.linspace(0.4, 0.5, 41):
        assert centroid(sprite(SQUARE, x=x))[0] == pytest.approx(16 + 32 * x, abs=0.065)


def test_colours_on_black() -> None:
    image = sprite(SQUARE, colour=(1, 0.5, 0))
    assert image[32, 32].tolist() == [255, 128, 0]
    assert image[0, 0].tolist() == [0, 0, 0]
    assert image[..., 2].max() == 0


def test_a_sprite_of_no_size_is_not_there() -> None:
    for shape in AREAS:
        assert sprite(shape, 0.4, 0.6, scale=0).max() == 0
