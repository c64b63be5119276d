"""What a configuration is: plain fields and parts that check themselves, and their identity."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, ClassVar, Self

from grids.fields import FieldError, check_fields, declared_fields, instead, shown
from grids.parts import (
    DATASETS,
    FRAMEWORKS,
    MODELS,
    OPTIMIZERS,
    RECONSTRUCTIONS,
    SCHEDULES,
    Part,
)

PARTS: dict[str, Mapping[str, type[Part]]] = {
    "dataset": DATASETS,
    "framework": FRAMEWORKS,
    "model": MODELS,
    "reconstruction": RECONSTRUCTIONS,
    "optimizer": OPTIMIZERS,
    "lr_schedule": SCHEDULES,
    "beta_schedule": SCHEDULES,
}
"""The fields that are parts, with the valid choices of each."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A frozen dataclass of plain fields and parts that checks itself; subclasses have the fields.

    Raises FieldError (a ValueError) that names the field, its value and what is valid.
    """

    kind: ClassVar[str]
    epoch: ClassVar[int]

    def __post_init__(self) -> None:
        names = self.field_names()
        for kind, choices in PARTS.items():
            part = getattr(self, kind, None)
            if kind in names and type(part) not in choices.values():
                raise FieldError(kind, f"is {shown(part)}; valid: {', '.join(choices)}")
        check_fields(self)

    @classmethod
    @functools.cache
    def field_names(cls) -> tuple[str, ...]:
        return tuple(field.name for field in _fields(cls))

    @classmethod
    @functools.cache
    def _defaults(cls) -> list[tuple[str, Any]]:
        """Names, sorted, and defaults of the fields."""
        return sorted(((f.name, f.default) for f in _fields(cls)), key=itemgetter(0))

    @cached_property
    def trial_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the identity and the epoch.

        The identity leaves out what equals its pinned default, so that a field added later with a
        neutral default moves no id.
        """
        differing = [
            f'"{name}":{_identity(value)}'
            for name, default in self._defaults()
            if (value := getattr(self, name)) != default
        ]
        # The canonical JSON of both; put together from texts, as the trials of a grid share most.
        text = f'{{"code_epoch":{self.epoch},"{self.kind}":{{{",".join(differing)}}}}}'
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def cell(self) -> tuple[object, ...]:
        """What is equal for trials that are alike but for their seeds."""
        return tuple(getattr(self, name) for name in self.field_names() if name != "seed")

    def to_dict(self) -> dict[str, Any]:
        """Every field, parts as dicts with their `name`: plain values for JSON."""
        return {
            field.name: as_values(value) if field.name in PARTS else value
            for field in _fields(type(self))
            for value in [getattr(self, field.name)]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; what is left out takes its default, a part may be a bare name.

        Raises FieldError.
        """
        declared = cls.field_names()
        for name in values:
            if name not in declared:
                raise FieldError(
                    str(name),
                    f"is not a field of a {cls.kind}; {instead(name, declared)}",
                    unknown=True,
                )
        missing = [
            field.name
            for field in _fields(cls)
            if field.default is dataclasses.MISSING and field.name not in values
        ]
        if missing:
            first, *others = missing
            valid = ", ".join(PARTS[first]) if first in PARTS else declared_fields(cls)[first].what
            also = f"; missing too: {', '.join(others)}" if others else ""
            raise FieldError(first, f"is missing; valid: {valid}{also}")
        arguments: dict[str, Any] = {
            name: part_from(name, value) if name in PARTS else value
            for name, value in values.items()
        }
        return cls(**arguments)

    def columns(self) -> dict[str, str | int | float | bool | None]:
        """The configuration as one flat row, a column a parameter."""
        row: dict[str, str | int | float | bool | None] = {}
        for name in self.field_names():
            value = getattr(self, name)
            if name in PARTS:
                row |= _columns(name, value)
            else:
                row[name] = value
        return row


_fields: Callable[[Any], tuple[dataclasses.Field[Any], ...]] = functools.cache(
    dataclasses.fields  # which sorts them out anew at every call, and trials are many
)


def canonical_json(value: Any) -> str:
    """One text for equal plain values: sorted keys, no spaces, floats by repr; NaN is refused."""
    return _canonical.encode(value)


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


MOST_KEPT = 10_000
"""Of what is kept of parts: the trials of a grid share most of theirs."""


def part_from(kind: str, value: Any) -> Part:
    """The part of a kind from its name, or from a mapping of `name` and parameters."""
    written = kind, repr(value)  # which tells 1 from 1.0 and from true
    part = _made.get(written)
    if part is None:
        part = _part_from(kind, value)
        if len(_made) >= MOST_KEPT:
            _made.clear()
        _made[written] = part
    return part


_made: dict[tuple[str, str], Part] = {}


def _part_from(kind: str, value: Any) -> Part:
    choices = PARTS[kind]
    parameters = dict(value) if isinstance(value, Mapping) else {"name": value}
    if "name" not in parameters:
        raise FieldError(kind, f"has no name; valid: {', '.join(choices)}")
    name = parameters.pop("name")
    if not isinstance(name, str) or name not in choices:
        raise FieldError(kind, f"is {shown(name)}; {instead(name, choices)}")
    declared = declared_fields(choices[name])
    for parameter in parameters:
        if parameter not in declared:
            owners = [other for other in choices if parameter in declared_fields(choices[other])]
            whose = f" (but of {', '.join(owners)})" if owners else ""
            raise FieldError(
                f"{kind}.{parameter}",
                f"is not a parameter of {name}{whose}; {instead(parameter, declared)}",
                unknown=True,
            )
    try:
        return choices[name](**parameters)
    except FieldError as error:
        raise error.inside(kind) from None


def as_values(part: Part) -> dict[str, Any]:
    """The name and every parameter, as `part_from` takes them."""
    return {"name": part.name} | {name: getattr(part, name) for name in declared_fields(type(part))}


@functools.lru_cache(MOST_KEPT)
def _columns(kind: str, part: Part) -> dict[str, Any]:
    parameters = declared_fields(type(part))
    return {kind: part.name} | {f"{kind}.{name}": getattr(part, name) for name in parameters}


@functools.lru_cache(MOST_KEPT, typed=True)
def _identity(value: Any) -> str:
    """The canonical JSON of a plain value; of a part, of its name and what is not its default.

    `typed` tells 1 from 1.0 and from true; inside a part its fields have one type each.
    """
    if not isinstance(value, Part):
        return canonical_json(value)
    differing = {
        name: given
        for name, field in declared_fields(type(value)).items()
        if (given := getattr(value, name)) != field.default
    }
    return canonical_json({"name": value.name, **differing})
