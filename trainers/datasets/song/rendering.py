"""The solids of Song 2018, set 7: a box, an ellipsoid or a pyramid in space, by ray casting.

A box of 7 x 7 x 7; an ellipsoid of 12 x 6 x 6; a pyramid on a base of 7 x 7 in the y-z plane with
its apex 7 along x. The box and the ellipsoid stand around their centre, the pyramid around the
centre of its base. A solid is turned by rotation_1 about the x axis, then by rotation_2 about the
y axis of the world (right-handed; x to the right, y up, z to the viewer), and put at
14 (pos_x, pos_y, scale) - 7: scale is the depth, and large is near.

Source: chanyoungs/ucl_project_2018, 3d_1col_2rot/Sampled3.py, and povexport.py, by which VPython's
scene went to POV-Ray. What was rendered, as the exported Multiple/3dSprites000001.txt shows, is not
all that the script says:

    camera     At z = 30, which povexport makes of the script's 20, and 60 degrees wide. It is 30
               here: seen from 20, solids would leave the image, and in the thesis they do not.
    light      Grey .2 all around and, by Lambert's law, .8 from (.22, .44, .88) and .5 from
               (-.88, -.22, -.44), as the script says. The export has VPython's own lamps of .8 and
               .3 too, and POV-Ray reflects .6 of all: .96 and .48, about the same.
    highlights Left out.
    pose       As the two angles say. The script turned its three solids on from the image before,
               so that its angles did not say how a solid stood.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from trainers.datasets.song.factors import ELLIPSE, SQUARE, Floats, Integers, Looks

Pixels = npt.NDArray[np.uint8]

SIZE = 64
SAMPLES = 4
"""A pixel is the mean of SAMPLES^2 rays, evenly spread over it."""
CAMERA = 30.0
HALF_WIDTH = math.tan(math.radians(60) / 2)
"""Of what the image shows, at distance 1."""
AMBIENT, KEY_LIGHT, FILL_LIGHT = 0.2, 0.8, 0.5
LIGHT_LENGTH = math.sqrt(0.22**2 + 0.44**2 + 0.88**2)

# The solids in their own frame: corners, and the faces' planes normal . x = offset.
BOX_CORNERS = np.array([(x, y, z) for x in (-3.5, 3.5) for y in (-3.5, 3.5) for z in (-3.5, 3.5)])
BOX_NORMALS = np.concatenate([np.eye(3), -np.eye(3)])
BOX_OFFSETS = np.full(6, 3.5)
PYRAMID_CORNERS = np.array([(0, y, z) for y in (-3.5, 3.5) for z in (-3.5, 3.5)] + [(7.0, 0, 0)])
PYRAMID_NORMALS = np.array(
    [(1, 2, 0), (1, -2, 0), (1, 0, 2), (1, 0, -2), (-math.sqrt(5), 0, 0)]
) / math.sqrt(5)
PYRAMID_OFFSETS = np.array([7, 7, 7, 7, 0]) / math.sqrt(5)
HALF_AXES = np.array([6.0, 3.0, 3.0])


def render(looks: Looks) -> npt.NDArray[np.uint8]:
    """Solids on black, [n, 64, 64, C]: the whole number nearest to 255 * mean light * colour."""
    images = np.zeros((len(looks.scale), SIZE, SIZE, looks.colour.shape[1]), dtype=np.uint8)
    centre = 14 * np.concatenate([looks.position, looks.scale[:, None]], axis=1) - 7
    _render(centre, looks.shape, looks.rotation, looks.colour, images)
    return images


# A ray goes from the camera along d = (p, q, -1), where (p, q) is a place on the image, x to the
# right and y up, so that the distance t along it is the depth. In the frame of the solid, `eye` is
# where it starts, and with `turn`, whose columns are the axes of the solid in the world, it goes
# along p turn[0] + q turn[1] - turn[2].
# Compiled code is kept until this file changes: kernels call nothing from another file.


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _render(
    centre: Floats, shape: Integers, rotation: Floats, colour: Floats, images: Pixels
) -> None:
    """Fills `images`, which are zero, one by one: none depends on another."""
    turn = np.empty((3, 3))
    for i in range(len(images)):
        cos_1, sin_1 = math.cos(rotation[i, 0]), math.sin(rotation[i, 0])
        cos_2, sin_2 = math.cos(rotation[i, 1]), math.sin(rotation[i, 1])
        turn[0, 0], turn[0, 1], turn[0, 2] = cos_2, sin_2 * sin_1, sin_2 * cos_1
        turn[1, 0], turn[1, 1], turn[1, 2] = 0.0, cos_1, -sin_1
        turn[2, 0], turn[2, 1], turn[2, 2] = -sin_2, cos_2 * sin_1, cos_2 * cos_1
        if shape[i] == SQUARE:
            _polyhedron(
                BOX_CORNERS, BOX_NORMALS, BOX_OFFSETS, centre[i], turn, colour[i], images[i]
            )
        elif shape[i] == ELLIPSE:
            _ellipsoid(centre[i], turn, colour[i], images[i])
        else:
            _polyhedron(
                PYRAMID_CORNERS,
                PYRAMID_NORMALS,
                PYRAMID_OFFSETS,
                centre[i],
                turn,
                colour[i],
                images[i],
            )


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _polyhedron(
    corners: Floats,
    normals: Floats,
    offsets: Floats,
    centre: Floats,
    turn: Floats,
    colour: Floats,
    image: Pixels,
) -> None:
    """Casts rays on the points with normal . x <= offset for all faces; the camera is outside.

    A ray meets the plane of a face where 1 / t = a p + b q + c. It comes in through the last of
    the planes that face the camera, if it has not gone out through one of the others before.
    """
    eye = _eye(centre, turn)
    faces = len(normals)
    a, b, c, light = np.empty(faces), np.empty(faces), np.empty(faces), np.empty(faces)
    fronts, backs = 0, faces  # faces that face the camera come first, the others last
    for face in range(faces):
        normal = normals[face]
        reach = offsets[face] - _dot(normal, eye)
        if reach < 0:
            k = fronts
            fronts += 1
        else:
            backs -= 1
            k = backs
        a[k] = _dot(normal, turn[0]) / reach
        b[k] = _dot(normal, turn[1]) / reach
        c[k] = -_dot(normal, turn[2]) / reach
        light[k] = _light(normal[0], normal[1], normal[2], turn)
    p_low, p_high, q_low, q_high = np.inf, -np.inf, np.inf, -np.inf
    for corner in corners:
        depth = CAMERA - centre[2] - _dot(turn[2], corner)
        p = (centre[0] + _dot(turn[0], corner)) / depth
        q = (centre[1] + _dot(turn[1], corner)) / depth
        p_low, p_high, q_low, q_high = min(p_low, p), max(p_high, p), min(q_low, q), max(q_high, q)
    first_row, last_row = _pixels(-q_high, -q_low)
    first_column, last_column = _pixels(p_low, p_high)
    for row in range(first_row, last_row + 1):
        for column in range(first_column, last_column + 1):
            total = 0.0
            for v in range(SAMPLES):
                q = -_place(row, v)
                for u in range(SAMPLES):
                    p = _place(column, u)
                    entry, entered, leaving = np.inf, 0, 0.0
                    for k in range(fronts):
                        inverse = a[k] * p + b[k] * q + c[k]
                        if inverse < entry:
                            entry, entered = inverse, k
                    for k in range(backs, faces):
                        leaving = max(leaving, a[k] * p + b[k] * q + c[k])
                    if entry > leaving:
                        total += light[entered]
            _paint(image, row, column, colour, total)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _ellipsoid(centre: Floats, turn: Floats, colour: Floats, image: Pixels) -> None:
    """Casts rays on the unit sphere that the ellipsoid is, along axes that its half axes scale.

    From o along d, the sphere is met where (d.d) t^2 + 2 (o.d) t + o.o - 1 = 0. A quarter of the
    discriminant is a quadratic form of (p, q, 1), and what it is positive on, the silhouette.
    """
    o = _eye(centre, turn) / HALF_AXES
    x, y, z = turn[0] / HALF_AXES, turn[1] / HALF_AXES, -turn[2] / HALF_AXES
    ox, oy, oz, rest = _dot(o, x), _dot(o, y), _dot(o, z), _dot(o, o) - 1
    pp, qq, one = ox**2 - rest * _dot(x, x), oy**2 - rest * _dot(y, y), oz**2 - rest * _dot(z, z)
    pq, p1, q1 = (
        ox * oy - rest * _dot(x, y),
        ox * oz - rest * _dot(x, z),
        oy * oz - rest * _dot(y, z),
    )
    # The upright and level tangents of the silhouette, from the adjugate of the form's matrix.
    scale = pp * qq - pq * pq
    p_middle, q_middle = (pq * q1 - p1 * qq) / scale, (pq * p1 - q1 * pp) / scale
    p_half = math.sqrt(max(0.0, p_middle**2 - (qq * one - q1 * q1) / scale))
    q_half = math.sqrt(max(0.0, q_middle**2 - (pp * one - p1 * p1) / scale))
    first_row, last_row = _pixels(-q_middle - q_half, -q_middle + q_half)
    first_column, last_column = _pixels(p_middle - p_half, p_middle + p_half)
    for row in range(first_row, last_row + 1):
        for column in range(first_column, last_column + 1):
            total = 0.0
            for v in range(SAMPLES):
                q = -_place(row, v)
                for u in range(SAMPLES):
                    p = _place(column, u)
                    inside = (pp * p + 2 * (pq * q + p1)) * p + (qq * q + 2 * q1) * q + one
                    if inside >= 0:
                        d_0 = p * x[0] + q * y[0] + z[0]
                        d_1 = p * x[1] + q * y[1] + z[1]
                        d_2 = p * x[2] + q * y[2] + z[2]
                        along = o[0] * d_0 + o[1] * d_1 + o[2] * d_2
                        t = (-along - math.sqrt(inside)) / (d_0 * d_0 + d_1 * d_1 + d_2 * d_2)
                        n_0 = (o[0] + t * d_0) / HALF_AXES[0]
                        n_1 = (o[1] + t * d_1) / HALF_AXES[1]
                        n_2 = (o[2] + t * d_2) / HALF_AXES[2]
                        length = math.sqrt(n_0 * n_0 + n_1 * n_1 + n_2 * n_2)
                        total += _light(n_0 / length, n_1 / length, n_2 / length, turn)
            _paint(image, row, column, colour, total)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _dot(x: Floats, y: Floats) -> float:
    product: float = x[0] * y[0] + x[1] * y[1] + x[2] * y[2]
    return product


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _eye(centre: Floats, turn: Floats) -> Floats:
    """The camera in the frame of the solid."""
    eye: Floats = (CAMERA - centre[2]) * turn[2] - centre[0] * turn[0] - centre[1] * turn[1]
    return eye


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _light(n_0: float, n_1: float, n_2: float, turn: Floats) -> float:
    """What a face reflects, at most 1; its unit normal is in the frame of the solid."""
    x = turn[0, 0] * n_0 + turn[0, 1] * n_1 + turn[0, 2] * n_2
    y = turn[1, 0] * n_0 + turn[1, 1] * n_1 + turn[1, 2] * n_2
    z = turn[2, 0] * n_0 + turn[2, 1] * n_1 + turn[2, 2] * n_2
    key = (0.22 * x + 0.44 * y + 0.88 * z) / LIGHT_LENGTH
    fill = (-0.88 * x - 0.22 * y - 0.44 * z) / LIGHT_LENGTH
    light: float = AMBIENT + KEY_LIGHT * max(0.0, key) + FILL_LIGHT * max(0.0, fill)
    return light


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _place(pixel: int, sample: int) -> float:
    """Where on the image a sample of a row or column is, from -HALF_WIDTH to HALF_WIDTH."""
    return ((pixel + (sample + 0.5) / SAMPLES) / (SIZE / 2) - 1) * HALF_WIDTH


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pixels(low: float, high: float) -> tuple[int, int]:
    """The first and the last row or column of the image between two places."""
    first = math.floor((low / HALF_WIDTH + 1) * (SIZE / 2))
    last = math.floor((high / HALF_WIDTH + 1) * (SIZE / 2))
    return max(0, first), min(SIZE - 1, last)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _paint(image: Pixels, row: int, column: int, colour: Floats, total: float) -> None:
    for channel in range(len(colour)):
        image[row, column, channel] = int(255 * colour[channel] * (total / SAMPLES**2) + 0.5)
