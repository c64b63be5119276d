from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.song.factors import ELLIPSE, SQUARE, TRIANGLE, Draw, Factors, Floats, Looks
from trainers.datasets.song.rendering import render

Image = npt.NDArray[np.uint8]
KEY = np.array([0.22, 0.44, 0.88]) / math.sqrt(0.22**2 + 0.44**2 + 0.88**2)
FILL = np.array([-0.88, -0.22, -0.44]) / math.sqrt(0.22**2 + 0.44**2 + 0.88**2)
WIDTH = 2 * math.tan(math.pi / 6)
PLACE = ((np.arange(256) + 0.5) / 256 - 0.5) * WIDTH
"""Of the rays of a row or a column, at distance 1."""


def solid(
    shape: int,
    x: float = 0,
    y: float = 0,
    z: float = 0,
    *,
    rotation: tuple[float, float] = (0, 0),
    colour: tuple[float, ...] = (1,),
) -> Image:
    """A solid at a place in the world; [64, 64], or [64, 64, 3] in a colour."""
    looks = Looks(
        position=np.array([[(x + 7) / 14, (y + 7) / 14]]),
        scale=np.array([(z + 7) / 14]),
        shape=np.array([shape]),
        rotation=np.array([rotation], dtype=np.float64),
        colour=np.array([colour], dtype=np.float64),
    )
    image: Image = render(looks)[0].squeeze()
    return image


def turned(axis: Floats, angle: float) -> Floats:
    """Rodrigues' matrix of a right-handed turn."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def triangles(shape: int) -> Floats:
    """The surface of a box or a pyramid in its own frame, [n, 3 corners, 3]."""
    square = [(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)]
    if shape == TRIANGLE:
        base = [(0.0, y, z) for y, z in square]
        sides = [[base[k], base[k - 1], (7.0, 0.0, 0.0)] for k in range(4)]
        return np.array([*sides, [base[0], base[1], base[2]], [base[0], base[2], base[3]]])
    faces = []
    for axis, side in itertools.product(range(3), (-3.5, 3.5)):
        corners = [np.insert(corner, axis, side) for corner in square]
        faces += [corners[:3], [corners[0], corners[2], corners[3]]]
    return np.array(faces)


def cast(looks: Looks, i: int) -> Image:
    """One image by casting rays in the world, as its definition is written."""
    pose = turned(np.array([0, 1.0, 0]), looks.rotation[i, 1])
    pose = pose @ turned(np.array([1.0, 0, 0]), looks.rotation[i, 0])
    centre = 14 * np.array([*looks.position[i], looks.scale[i]]) - 7
    camera = np.array([0, 0, 30.0])
    p, q = np.meshgrid(PLACE, -PLACE)
    ray = np.stack([p, q, -np.ones_like(p)], axis=-1).reshape(-1, 3)
    distance = np.full(len(ray), np.inf)
    normal = np.zeros_like(ray)
    if looks.shape[i] == ELLIPSE:
        matrix = pose @ np.diag([1 / 36, 1 / 9, 1 / 9]) @ pose.T
        start = camera - centre
        a = np.einsum("ni,ij,nj->n", ray, matrix, ray)
        b = ray @ matrix @ start
        root = b**2 - a * (start @ matrix @ start - 1)
        hit = root > 0
        distance[hit] = (-b[hit] - np.sqrt(root[hit])) / a[hit]
        normal[hit] = (start + distance[hit, None] * ray[hit]) @ matrix
    else:
        for corners in triangles(looks.shape[i]) @ pose.T + centre:
            # Where camera + t ray = a point of the triangle, by Cramer's rule.
            first, second = corners[1] - corners[0], corners[2] - corners[0]
            across = np.cross(ray, second)
            start = camera - corners[0]
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = 1 / (across @ first)
                u = factor * (across @ start)
                v = factor * (ray @ np.cross(start, first))
                t = factor * (second @ np.cross(start, first))
            hit = (u >= -1e-9) & (v >= -1e-9) & (u + v <= 1 + 1e-9) & (t < distance)
            distance[hit] = t[hit]
            normal[hit] = np.cross(first, second)
        normal[(normal * ray).sum(axis=1) > 0] *= -1
    seen = np.isfinite(distance)
    normal[seen] /= np.linalg.norm(normal[seen], axis=1, keepdims=True)
    light = 0.2 + 0.8 * np.maximum(0, normal @ KEY) + 0.5 * np.maximum(0, normal @ FILL)
    light = np.where(seen, light, 0).reshape(64, 4, 64, 4).mean(axis=(1, 3))
    image: Image = np.floor(255 * light[:, :, None] * looks.colour[i] + 0.5).astype(np.uint8)
    return image


def test_an_image_is_its_definition() -> None:
    factors = Factors(7)
    looks = factors.looks(factors.sample(Draw.IMAGES, np.arange(24)))
    images = render(looks)
    assert images.dtype == np.uint8
    assert images.shape == (24, 64, 64, 3)
    differing = 0
    for i in range(24):
        difference = np.abs(images[i].astype(int) - cast(looks, i))
        assert difference.max() <= 1, i  # a half that is rounded the other way
        differing += int(np.count_nonzero(difference))
    assert differing < 10


def test_an_image_does_not_depend_on_the_others() -> None:
    factors = Factors(7)
    values = factors.sample(Draw.IMAGES, np.arange(100))
    together = render(factors.looks(values))
    order = np.random.default_rng(0).permutation(100)
    assert np.array_equal(render(factors.looks(values[order])), together[order])
    assert np.array_equal(render(factors.looks(values[7:8])), together[7:8])


def test_the_silhouette_of_an_ellipsoid() -> None:
    """From distance 30, half axes 6 and 3 across and 3 along: half angles a / sqrt(30^2 - 3^2)."""
    p, q = np.meshgrid(PLACE, PLACE)
    along = math.sqrt(30**2 - 3**2)
    inside = (p / (6 / along)) ** 2 + (q / (3 / along)) ** 2 <= 1
    for rotation_1 in (0, 0.7):  # about the long axis, which changes nothing
        image = solid(ELLIPSE, rotation=(rotation_1, 0))
        assert np.array_equal(image > 0, inside.reshape(64, 4, 64, 4).any(axis=(1, 3)))


@pytest.mark.parametrize("shape", [SQUARE, ELLIPSE])
@pytest.mark.parametrize("place", [(0, 0, 0), (5, -6, 0), (-7, 7, -7), (4, 6, 7), (-7, -7, 5)])
def test_a_centre_is_seen_where_it_is_projected(shape: int, place: tuple[int, int, int]) -> None:
    x, y, z = place
    rows, columns = np.nonzero(solid(shape, x, y, z, rotation=(0.4, 1.1)))
    column = 64 * (0.5 + x / (30 - z) / WIDTH) - 0.5
    row = 64 * (0.5 - y / (30 - z) / WIDTH) - 0.5
    # Not closer: the near half of a solid is seen larger, and more from the side.
    assert (columns.mean(), rows.mean()) == pytest.approx((column, row), abs=2)


def test_a_nearer_solid_is_larger() -> None:
    for shape in (SQUARE, ELLIPSE, TRIANGLE):
        areas = [np.count_nonzero(solid(shape, z=z)) for z in range(-7, 8)]
        assert (np.diff(areas) >= 0).all()
        assert areas[-1] > 1.8 * areas[0]
    for z in (-7, 0, 7):
        side = 64 * 7 / (30 - 3.5 - z) / WIDTH
        assert np.count_nonzero(solid(SQUARE, z=z)[32]) == pytest.approx(side, abs=1.5)


def test_lamps_shine_from_where_they_are() -> None:
    facing = 0.2 + 0.8 * KEY[2]
    assert solid(SQUARE)[32, 32] == round(255 * facing)
    # Turned by 45 degrees about x: the upper face leans back, the one that was in front looks down.
    upper = solid(SQUARE, rotation=(math.pi / 4, 0))
    light = [0.2 + 0.8 * max(0, (KEY[2] + s * KEY[1]) / math.sqrt(2)) for s in (1, -1)]
    assert upper[29, 32] == round(255 * light[0])
    assert upper[34, 32] == round(255 * light[1])
    ball = solid(ELLIPSE, rotation=(0, math.pi / 2)).astype(float)
    assert ball[:32].sum() > 1.3 * ball[32:].sum()
    brightest = np.unravel_index(ball.argmax(), ball.shape)
    assert brightest[0] < 31
    assert brightest[1] > 31


def test_the_apex_of_a_pyramid_goes_where_it_is_turned() -> None:
    rows, columns = np.nonzero(solid(TRIANGLE))  # to the right, base in the middle of the image
    assert (columns.min(), columns.max()) == (32, 44)
    assert np.count_nonzero(rows[columns == 44]) <= 2 < np.count_nonzero(rows[columns == 33])
    rows, columns = np.nonzero(solid(TRIANGLE, rotation=(0, math.pi)))
    assert columns.max() <= 32
    assert columns.min() == 19
    away = solid(TRIANGLE, rotation=(0, math.pi / 2))  # the base faces the camera
    assert set(np.unique(away[27:36, 27:36])) == {round(255 * (0.2 + 0.8 * KEY[2]))}
    towards = solid(TRIANGLE, rotation=(0, 3 * math.pi / 2))
    assert len({int(towards[r, c]) for r, c in ((28, 32), (35, 32), (32, 28), (32, 35))}) == 4


def test_rotation_1_comes_first() -> None:
    """About x, then about y: x stays level, however the solid was turned before."""
    for rotation_1 in (0, 1.0, 2.0):
        rows, _ = np.nonzero(solid(ELLIPSE, rotation=(rotation_1, 0.8)))
        assert (rows.min() + rows.max()) / 2 == 31.5
        assert rows.max() - rows.min() == 11


def test_colours_on_black() -> None:
    image = solid(SQUARE, colour=(1, 0.5, 0))
    facing = 255 * (0.2 + 0.8 * KEY[2])
    assert image[32, 32].tolist() == [round(facing), round(facing / 2), 0]
    assert image[0, 0].tolist() == [0, 0, 0]


def test_the_image_is_wide_enough_for_all_centres() -> None:
    for place in itertools.product((-7, 7), repeat=3):
        for shape in (SQUARE, ELLIPSE, TRIANGLE):
            assert np.count_nonzero(solid(shape, *place, rotation=(0.3, 0.5))) > 40
