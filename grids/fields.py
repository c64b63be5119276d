"""What a field of a parameter dataclass may hold, read from its annotation, and the check of it.

The annotation is the one source of what is valid: the dataclasses check themselves with it, the
columns of the tables take their types from it, and the JSON Schema is written from it.

    spacing: Annotated[int, Valid(at_least=1), "pixels between neighbouring positions"] = 8
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Collection
from typing import Any, Literal, Union

LARGEST_INTEGER = 2**63 - 1  # what a column of the tables holds
SHOWN_CHARACTERS = 60


class FieldError(ValueError):
    """A field is unknown, missing, or holds what it may not; `field` is its dotted name."""

    def __init__(self, field: str, problem: str, *, unknown: bool = False) -> None:
        super().__init__(f"{field} {problem}")
        self.field = field
        self.problem = problem
        self.unknown = unknown

    def inside(self, part: str) -> FieldError:
        """The same error seen from the mapping that holds the part."""
        return FieldError(f"{part}.{self.field}", self.problem, unknown=self.unknown)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Valid:
    """The range of a number, or (for text whose choices are a list) the choices."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """One declared field. `many` is a tuple of such values; `choices` makes text an enumeration."""

    name: str
    python_type: type[Any]
    optional: bool
    many: bool
    choices: tuple[str, ...] | None
    valid: Valid
    description: str
    default: Any  # dataclasses.MISSING where the field must be given

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING

    def checked(self, value: Any) -> Any:
        """The value in its declared type (an int becomes a float), or FieldError."""
        if value is None and self.optional:
            return None
        if not self.many:
            return self._one(value)
        if not isinstance(value, tuple):
            raise self._error(value)
        items = tuple(self._one(item) for item in value)
        if len(set(items)) < len(items):
            raise FieldError(self.name, f"is {shown(value)}; valid: each value once")
        return items

    def _one(self, given: Any) -> Any:
        value = given
        if self.python_type is float and type(given) is int and abs(given) <= LARGEST_INTEGER:
            value = float(given)
        if type(value) is not self.python_type:
            raise self._error(given)
        if self.choices is not None:
            if value not in self.choices:
                raise FieldError(self.name, f"is {shown(given)}; {instead(given, self.choices)}")
        elif self.python_type in (int, float):
            if not self._in_range(value):
                raise self._error(given)
            return value + 0  # -0.0 becomes 0.0: equal numbers have one spelling
        return value

    def _in_range(self, value: float) -> bool:
        valid = self.valid
        return (
            (self.python_type is float or abs(value) <= LARGEST_INTEGER)
            and math.isfinite(value)
            and (valid.at_least is None or value >= valid.at_least)
            and (valid.above is None or value > valid.above)
            and (valid.at_most is None or value <= valid.at_most)
            and (valid.below is None or value < valid.below)
        )

    def _error(self, value: Any) -> FieldError:
        return FieldError(self.name, f"is {shown(value)}; valid: {self.what}")

    @property
    def what(self) -> str:
        """What is valid, in words."""
        if self.choices is not None:
            words = ", ".join(self.choices)
        else:
            words = {int: "an integer", float: "a number", bool: "true or false", str: "text"}[
                self.python_type
            ]
            limits = {
                "of at least": self.valid.at_least,
                "above": self.valid.above,
                "at most": self.valid.at_most,
                "below": self.valid.below,
            }
            given = [
                f"{word} {_number(limit)}" for word, limit in limits.items() if limit is not None
            ]
            words = " ".join([words, " and ".join(given)]).rstrip()
        if self.many:
            words = f"a list of: {words}"
        return words + (", or null" if self.optional else "")


_DECLARED: dict[type, dict[str, Field]] = {}  # reading annotations is slow, trials are many


def declared_fields(cls: type) -> dict[str, Field]:
    """The declared fields of a dataclass, in order; those that hold another dataclass left out."""
    if cls in _DECLARED:
        return _DECLARED[cls]
    hints = typing.get_type_hints(cls, include_extras=True)
    declared = {}
    for field in dataclasses.fields(cls):
        parsed = _parse(hints[field.name])
        if parsed is not None:
            declared[field.name] = Field(name=field.name, default=field.default, **parsed)
    _DECLARED[cls] = declared
    return declared


def check_fields(instance: Any) -> None:
    """Check each declared field of a frozen dataclass, for its __post_init__; raises FieldError."""
    for name, field in declared_fields(type(instance)).items():
        value = getattr(instance, name)
        checked = field.checked(value)
        if checked is not value:
            object.__setattr__(instance, name, checked)


def instead(given: Any, valid: Collection[str]) -> str:
    """What to write instead of a name that is not among the valid ones."""
    name = given[:SHOWN_CHARACTERS] if isinstance(given, str) else ""
    near = difflib.get_close_matches(name, valid, n=1)
    return (f"did you mean {near[0]}? " if near else "") + "valid: " + (", ".join(valid) or "none")


def shown(value: Any) -> str:
    """A value as a grid file would spell it, on one line and not long."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        return "an integer beyond 64 bits"  # str() of thousands of digits is slow, or refused
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 3] + "..."


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _parse(hint: Any) -> dict[str, Any] | None:
    """python_type, optional, many, choices, valid, description of an annotation."""
    valid, description = Valid(), ""
    if typing.get_origin(hint) is typing.Annotated:
        hint, *notes = typing.get_args(hint)
        valid = next((note for note in notes if isinstance(note, Valid)), valid)
        description = next((note for note in notes if isinstance(note, str)), "")
    optional = typing.get_origin(hint) in (Union, types.UnionType)
    if optional:
        members = [member for member in typing.get_args(hint) if member is not types.NoneType]
        if len(members) > 1:
            return None
        hint = members[0]
    many = typing.get_origin(hint) is tuple
    if many:
        hint = typing.get_args(hint)[0]
    choices = valid.choices
    if typing.get_origin(hint) is Literal:
        choices = typing.get_args(hint)
        hint = str
    if hint not in (str, int, float, bool):
        return None
    return {
        "python_type": hint,
        "optional": optional,
        "many": many,
        "choices": choices,
        "valid": valid,
        "description": description,
    }
