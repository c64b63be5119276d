"""The blocks of a grid file: which there are, and those that are not about trials.

Every function raises DocumentError at the place of the key or the value that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from grids.document import DocumentError, Node
from grids.fields import FieldError, declared_fields, instead, shown
from grids.reports import GENERIC, REPORTS
from grids.settings import Budget, Evaluate, Resources, memory_bytes, pack_size

BLOCKS = {
    "study": "name of the study and of its folder: letters, digits, '-', '_' and '.'",
    "source": "where the study comes from",
    "report": "the paper whose figures and tables its report draws",
    "trial": "defaults of every trial",
    "measurement": "defaults of every measurement, in a study of measurements in place of trials",
    "grid": "lists whose combinations are run",
    "zip": "lists of one length that are run side by side",
    "cases": "partial trials, each crossed with grid and zip, with a grid and zip of their own",
    "exclude": "partial trials; whatever of the grid has all values of one is left out",
    "include": "partial trials that are run besides the grid",
    "evaluate": "which metrics score the trials, and when",
    "resources": "what a process takes of a node while it runs a trial, or a pack of them",
    "budget": "compute hours after which no more trials are started",
}
CASE_BLOCKS = ("grid", "zip", "resources")
STUDY_PATTERN = r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$"

Settings = TypeVar("Settings", Resources, Evaluate, Budget)


def blocks_of(root: Node) -> dict[str, Node]:
    if not isinstance(root.value, dict):
        raise DocumentError(root.at, f"the file holds {spelled(root)}; valid: a mapping of blocks")
    _check_keys(root.value, BLOCKS, "block")
    return root.value


def study_name(blocks: Mapping[str, Node], root: Node) -> str:
    node = blocks.get("study")
    if node is None:
        raise DocumentError(root.at, "study is missing; valid: a name for the study")
    # `$` would also match before a newline at the end, hence fullmatch.
    if not isinstance(node.value, str) or not re.fullmatch(STUDY_PATTERN, node.value):
        raise DocumentError(
            node.at,
            f"study is {spelled(node)}; valid: 1 to 100 letters, digits, '-', '_' and '.', "
            "not starting with '.'",
        )
    return node.value


def source_of(blocks: Mapping[str, Node]) -> str | None:
    node = blocks.get("source")
    if node is not None and not isinstance(node.value, str):
        raise DocumentError(node.at, f"source is {spelled(node)}; valid: text")
    return None if node is None else node.value


def report_of(blocks: Mapping[str, Node]) -> str:
    node = blocks.get("report")
    if node is None:
        return GENERIC
    if not isinstance(node.value, str) or node.value not in REPORTS:
        raise DocumentError(node.at, f"report is {spelled(node)}; {instead(node.value, REPORTS)}")
    return str(node.value)


def settings(cls: type[Settings], *nodes: Node | None) -> Settings:
    """The settings of blocks laid one over the other; a missing block says nothing."""
    values: dict[str, Any] = {}
    places: dict[str, Node] = {}
    for node in nodes:
        if node is None:
            continue
        declared = [_yaml_name(name) for name in declared_fields(cls)]
        entries = mapping(node, cls.__name__.lower())
        _check_keys(entries, declared, f"key of {cls.__name__.lower()}")
        for key, entry in entries.items():
            try:
                if key == "memory":
                    values["memory_bytes"] = memory_bytes(entry.value)
                elif key == "pack":
                    values["pack"] = pack_size(entry.value)
                elif key == "every" and isinstance(entry.value, dict):
                    values["every_by_metric"] = _every_by_metric(entry.value)
                else:
                    values[key] = _setting(cls, key, entry)
            except FieldError as error:
                raise DocumentError(entry.at, str(error)) from None
            places[key] = entry
    try:
        return cls(**values)
    except FieldError as error:
        raise DocumentError(places[error.field].at, str(error)) from None


def items(node: Node | None, what: str) -> list[Node]:
    """The nodes of a list that is not empty; none where there is no list."""
    if node is None:
        return []
    if not isinstance(node.value, list):
        raise DocumentError(node.at, f"{what} is {spelled(node)}; valid: a list, [...]")
    if not node.value:
        raise DocumentError(node.at, f"{what} is an empty list; valid: at least one value")
    return node.value


def mapping(node: Node, what: str) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        raise DocumentError(node.at, f"{what} is {spelled(node)}; valid: a mapping of keys")
    return node.value


def spelled(node: Node) -> str:
    if isinstance(node.value, list | dict):
        return "a list" if isinstance(node.value, list) else "a mapping"
    return shown(node.value)


def _check_keys(entries: Mapping[str, Node], valid: Collection[str], what: str) -> None:
    for key, entry in entries.items():
        if key not in valid:
            raise DocumentError(entry.key_at, f"unknown {what} {shown(key)}; {instead(key, valid)}")


def _setting(cls: type, key: str, node: Node) -> Any:
    field = declared_fields(cls)[key]
    if not field.many:
        if isinstance(node.value, list | dict):
            raise FieldError(key, f"is {spelled(node)}; valid: {field.what}{_or_more(key)}")
        return field.checked(node.value)
    values = items(node, key)
    for value in values:
        if isinstance(value.value, list | dict):
            raise DocumentError(value.at, f"{key} holds {spelled(value)}; valid: {field.what}")
        try:
            field.checked((value.value,))
        except FieldError as error:
            raise DocumentError(value.at, str(error)) from None
    return field.checked(tuple(value.value for value in values))


def _or_more(key: str) -> str:
    """What a key takes beside what is declared of it."""
    return ", or a mapping of metrics to such, as in {mig: 2400}" if key == "every" else ""


def _every_by_metric(steps: Mapping[str, Node]) -> tuple[tuple[str, Any], ...]:
    for name, node in steps.items():
        if isinstance(node.value, list | dict):
            raise DocumentError(
                node.at, f"every of {name} is {spelled(node)}; valid: an integer of at least 1"
            )
    return tuple((name, node.value) for name, node in steps.items())


def _yaml_name(field: str) -> str:
    """Memory is written with its unit (`memory: 2GiB`), and held in bytes."""
    return "memory" if field == "memory_bytes" else field
