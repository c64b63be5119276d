"""A YAML text as plain values that know their line and column.

The subset a grid file needs: mappings, lists and scalars of YAML 1.2's core schema. Aliases,
anchors, tags and directives are refused, so that a small file cannot stand for a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

DEEPEST = 10  # a grid file needs six levels: cases, a case, its grid, a list, a part, a value


class Mark(NamedTuple):
    """A place in a text, counted from 1."""

    line: int
    column: int


class DocumentError(ValueError):
    """Something at a place of the text is wrong; one line, `line:column: what; valid: ...`."""

    def __init__(self, at: Mark, problem: str) -> None:
        super().__init__(f"{at.line}:{at.column}: {one_line(problem)}")


def one_line(text: str) -> str:
    """The text with line breaks and other characters that do not print as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


@dataclass(frozen=True, slots=True)
class Node:
    """A value (dict[str, Node] | list[Node] | str | int | float | bool | None) and its place.

    Equal nodes hold equal values, wherever they stand. `key_at` is the place of the key above it.
    """

    value: Any
    at: Mark = field(compare=False)
    key_at: Mark = field(compare=False)


def parse(text: str) -> Node:
    """The root of the one document of a text; raises DocumentError."""
    events = _events(text)
    try:
        start = next(events, None)
        if start is None:
            raise DocumentError(Mark(1, 1), "the file is empty; valid: a mapping of blocks")
        root = _node(next(events), events, key_at=None, depth=0)
        if next(events, None) is not None:
            raise DocumentError(Mark(1, 1), "the file holds more than one document; valid: one")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Mark(1, 1) if mark is None else Mark(mark.line + 1, mark.column + 1)
        raise DocumentError(at, f"this is not YAML: {error.problem}") from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        at = Mark(line, error.position - text.rfind("\n", 0, error.position))
        raise DocumentError(at, "this is not YAML: a control character") from None
    except YAMLError as error:
        raise DocumentError(Mark(1, 1), f"this is not YAML: {error}") from None
    return root


def _events(text: str) -> Iterator[Any]:
    """The parser's events that make values, and the start of each document."""
    for event in YAML(typ="safe", pure=True).parse(text):
        at = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, AliasEvent):
            raise DocumentError(at, f"an alias (*{event.anchor}); valid: the value written out")
        if getattr(event, "anchor", None) is not None:
            raise DocumentError(at, f"an anchor (&{event.anchor}); valid: values without anchors")
        if getattr(event, "ctag", None) is not None:
            raise DocumentError(at, "a tag (!); valid: values without tags")
        if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
            raise DocumentError(Mark(1, 1), "a directive (%); valid: YAML 1.2 without directives")
        if isinstance(
            event,
            (
                DocumentStartEvent,
                ScalarEvent,
                SequenceStartEvent,
                SequenceEndEvent,
                MappingStartEvent,
                MappingEndEvent,
            ),
        ):
            yield event


def _node(event: Any, events: Iterator[Any], key_at: Mark | None, depth: int) -> Node:
    at = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
    if depth > DEEPEST:
        raise DocumentError(at, f"nested too deeply; valid: at most {DEEPEST} levels")
    if isinstance(event, ScalarEvent):
        value = _scalar(event.value, at) if event.implicit[0] else event.value
    elif isinstance(event, SequenceStartEvent):
        value = _list(events, depth)
    else:
        value = _mapping(events, depth)
    return Node(value, at, key_at or at)


def _list(events: Iterator[Any], depth: int) -> list[Node]:
    items = []
    while not isinstance(event := next(events), SequenceEndEvent):
        items.append(_node(event, events, None, depth + 1))
    return items


def _mapping(events: Iterator[Any], depth: int) -> dict[str, Node]:
    entries: dict[str, Node] = {}
    while not isinstance(event := next(events), MappingEndEvent):
        at = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
        if not isinstance(event, ScalarEvent):
            raise DocumentError(at, "a list or mapping as a key; valid: a name")
        if event.value in entries:
            first = entries[event.value].key_at
            raise DocumentError(
                at, f"{event.value!r} stands here and on line {first.line}; valid: each key once"
            )
        entries[event.value] = _node(next(events), events, at, depth + 1)
    return entries


_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INF_OR_NAN = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LONGEST_NUMBER = 100  # characters; Python's int() is slow, then refuses, on thousands of digits


def _scalar(text: str, at: Mark) -> str | int | float | bool | None:
    """The value of a plain scalar by YAML 1.2.2, section 10.3.2.

    The parser's own resolution also takes 1_000 for a number and 2023-01-01 for a date.
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INF_OR_NAN.fullmatch(text):
        return float(text.replace(".", ""))
    number = _INT.fullmatch(text) or _OCTAL_OR_HEX.fullmatch(text) or _FLOAT.fullmatch(text)
    if number is None:
        return text
    if len(text) > LONGEST_NUMBER:
        raise DocumentError(at, f"a number of {len(text)} characters; valid: {LONGEST_NUMBER}")
    if _INT.fullmatch(text):
        return int(text)
    return int(text, 0) if _OCTAL_OR_HEX.fullmatch(text) else float(text)
