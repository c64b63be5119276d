"""The algebra of grids, on plain dicts.

A point is a flat dict from dotted keys to values: `{"dataset.name": "xysquares",
"dataset.spacing": 16, "beta": 0.001}`. A part's choice stands under `<part>.name`. An axis is a
list of points; a grid is the product of its axes. Values are only ever compared, never read.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

Point = dict[str, Any]
Axis = Sequence[Point]

CHOICE = ".name"


def product(axes: Collection[Axis]) -> Iterator[Point]:
    """Every combination, the last axis fastest; no axes make the one empty point."""
    for combination in itertools.product(*axes):
        yield {key: value for point in combination for key, value in point.items()}


def side_by_side(axes: Collection[Axis]) -> list[Point]:
    """The first points together, the second ones together, ...; ValueError if lengths differ."""
    return [
        {key: value for point in row for key, value in point.items()}
        for row in zip(*axes, strict=True)
    ]


def count(axes: Collection[Axis]) -> int:
    """How many points the product has, without making them."""
    return math.prod(len(axis) for axis in axes)


def merged(defaults: Mapping[str, Any], point: Mapping[str, Any]) -> Point:
    """The point laid over the defaults.

    Where both name a part and the names differ, the point starts that part afresh: parameters of
    the defaults' choice never reach another choice. Where the names agree, or the point sets
    parameters only, the defaults' parameters stay unless set again.
    """
    replaced = tuple(
        key.removesuffix(CHOICE) + "."
        for key, value in point.items()
        if key.endswith(CHOICE) and key in defaults and defaults[key] != value
    )
    kept = {key: value for key, value in defaults.items() if not key.startswith(replaced)}
    return kept | dict(point)


def matches(columns: Mapping[str, Any], partial: Mapping[str, Any]) -> bool:
    """Whether a trial, as flat columns, has every value of a partial one."""
    return all(key in columns and columns[key] == value for key, value in partial.items())
