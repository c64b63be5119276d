"""Points and axes of the blocks `trial`, `grid`, `zip`, `cases`, `include` and `exclude`.

Values stay nodes, which know their place in the file, until a trial is made of them. Every function
raises DocumentError at the place of the key or the value that is wrong.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grids.blocks import CASE_BLOCKS, items, mapping, settings, spelled
from grids.configuration import PARTS
from grids.document import DocumentError, Node
from grids.expand import CHOICE, Axis, Point, count, product, side_by_side
from grids.fields import declared_fields, instead, shown
from grids.measurement import Measurement
from grids.settings import Resources
from grids.trial import Trial

MOST_TRIALS = 100_000
"""Of a grid: a file of a few kilobytes can stand for any number, and each takes its time."""
TRIAL_FIELDS = tuple(dict.fromkeys((*Trial.field_names(), *Measurement.field_names())))
"""Of trials and measurements together; a field of the other kind is refused with its trial."""
PART_PARAMETERS = {
    kind: tuple(
        dict.fromkeys(
            f"{kind}.{name}" for part in choices.values() for name in declared_fields(part)
        )
    )
    for kind, choices in PARTS.items()
}
"""The dotted keys of each part, of all its choices together."""


@dataclass(frozen=True, kw_only=True)
class _Case:
    """The axes of a case and of the outer grid together, and what its trials take."""

    axes: list[Axis]
    resources: Resources


def partial(node: Node, what: str, besides: Sequence[str] = ()) -> Point:
    """The flat point of a mapping of trial fields, parts and dotted keys; `besides` is skipped."""
    point: Point = {}
    for key, entry in mapping(node, what).items():
        if key in besides:
            continue
        _check_trial_key(key, entry, besides)
        _join(point, _values(key, entry))
    return point


def excluded(node: Node) -> dict[str, Any]:
    """A partial trial of an `exclude` list, as columns; names that no trial has are refused."""
    columns = {}
    for key, entry in partial(node, "an item of exclude").items():
        column = key.removesuffix(CHOICE)
        if column in PARTS and entry.value not in PARTS[column]:
            raise DocumentError(
                entry.at, f"{column} is {spelled(entry)}; {instead(entry.value, PARTS[column])}"
            )
        columns[column] = entry.value
    if not columns:
        raise DocumentError(node.at, "an item of exclude is empty; valid: values of the grid")
    return columns


def _cases(blocks: Mapping[str, Node]) -> list[_Case]:
    """The cases of the file, each with the outer axes; one empty case where the file has none."""
    outer = _axes(blocks)
    resources = blocks.get("resources")
    if "cases" not in blocks:
        return [_Case(axes=outer, resources=settings(Resources, resources))]
    found = []
    for node in items(blocks["cases"], "cases"):
        entries = mapping(node, "an item of cases")
        point = partial(node, "an item of cases", besides=CASE_BLOCKS)
        axes: list[Axis] = [[point], *outer, *_axes(entries)]
        found.append(
            _Case(axes=axes, resources=settings(Resources, resources, entries.get("resources")))
        )
    return found


def points_of(blocks: Mapping[str, Node]) -> Iterator[tuple[Point, Resources]]:
    """Every point of the grid with its resources; refuses by counting more than MOST_TRIALS."""
    cases = _cases(blocks)
    total = sum(count(case.axes) for case in cases)
    if total > MOST_TRIALS:
        place = next(blocks[name].key_at for name in ("grid", "zip", "cases") if name in blocks)
        raise DocumentError(place, f"the grid has {total:,} trials; valid: at most {MOST_TRIALS:,}")
    for case in cases:
        _check_disjoint(case.axes)
    for case in cases:
        for point in product(case.axes):
            yield point, case.resources


def _axes(entries: Mapping[str, Node]) -> list[Axis]:
    """The axes of `zip` (one, of rows) and of `grid` (one a key), in this order."""
    found: list[Axis] = []
    if "zip" in entries:
        columns = {key: _axis(key, entry) for key, entry in mapping(entries["zip"], "zip").items()}
        lengths = {key: len(axis) for key, axis in columns.items()}
        for key, length in lengths.items():
            first = next(iter(lengths))
            if length != lengths[first]:
                raise DocumentError(
                    entries["zip"].value[key].at,
                    f"{key} has {length} values and {first} has {lengths[first]}; "
                    "valid: lists of one length in zip",
                )
        _check_disjoint(list(columns.values()))
        if columns:
            found.append(side_by_side(columns.values()))
    if "grid" in entries:
        found += [_axis(key, entry) for key, entry in mapping(entries["grid"], "grid").items()]
    _check_disjoint(found)
    return found


def _axis(key: str, node: Node) -> Axis:
    _check_trial_key(key, node)
    return [
        _values(key, dataclasses.replace(item, key_at=node.key_at)) for item in items(node, key)
    ]


def _values(key: str, node: Node) -> Point:
    """The point that one key sets: a scalar, or a part by name or with parameters."""
    if key in PARTS and isinstance(node.value, dict):
        if "name" not in node.value:
            raise DocumentError(
                node.at, f"{key} has no name; valid: name: and one of {', '.join(PARTS[key])}"
            )
        for name, value in node.value.items():
            if name != "name" and f"{key}.{name}" not in PART_PARAMETERS[key]:
                part = PARTS[key].get(str(node.value["name"].value))
                known = PART_PARAMETERS[key] if part is None else declared_fields(part)
                names = ["name", *(parameter.removeprefix(f"{key}.") for parameter in known)]
                raise DocumentError(
                    value.key_at,
                    f"unknown parameter {shown(name)} of {key}; {instead(name, names)}",
                )
        point = {f"{key}.{name}": value for name, value in node.value.items()}
    else:
        point = {key + CHOICE if key in PARTS else key: node}
    for name, value in point.items():
        if isinstance(value.value, list | dict):
            hint = "one value (lists of values stand in grid, zip or cases)"
            raise DocumentError(
                value.at, f"{name.removesuffix(CHOICE)} is {spelled(value)}; valid: {hint}"
            )
    return point


def _check_trial_key(key: str, node: Node, besides: Sequence[str] = ()) -> None:
    kind, dot, _ = key.partition(".")
    if key in TRIAL_FIELDS or key in PART_PARAMETERS.get(kind, ()):
        return
    dotted = [known for parameters in PART_PARAMETERS.values() for known in parameters]
    valid = PART_PARAMETERS.get(kind, dotted) if dot else [*TRIAL_FIELDS, *besides]
    raise DocumentError(node.key_at, f"unknown key {shown(key)}; {instead(key, valid)}")


def _check_disjoint(axes: Sequence[Axis]) -> None:
    """Within a point a key is set once: by one axis."""
    seen: Point = {}
    for axis in axes:
        own: Point = {}
        for point in axis:
            own |= point
        _join(seen, own)


def _join(point: Point, more: Point) -> None:
    for key, node in more.items():
        if key in point:
            first, second = sorted((point[key].key_at, node.key_at))
            name = key.removesuffix(CHOICE)
            raise DocumentError(
                second, f"{name} is set here and on line {first.line}; valid: each key once"
            )
        point[key] = node
