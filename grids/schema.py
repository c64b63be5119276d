"""The JSON Schema of grid files, for editors: `python -m grids.schema` writes grid.schema.json.

It is written from the same declarations that the loader checks with. What a schema cannot say
(a parameter that belongs to another choice, duplicate trials) only the loader refuses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grids.blocks import BLOCKS, STUDY_PATTERN
from grids.configuration import PARTS
from grids.fields import Field, declared_fields
from grids.measurement import Measurement
from grids.metrics import CELL, METRICS
from grids.reports import REPORTS
from grids.settings import AUTO, MEMORY_PATTERN, MOST_PACKED, Budget, Evaluate, Resources
from grids.trial import Trial

FILE = Path(__file__).with_name("grid.schema.json")
Schema = dict[str, Any]

_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
_LIMITS = {
    "at_least": "minimum",
    "above": "exclusiveMinimum",
    "at_most": "maximum",
    "below": "exclusiveMaximum",
}


def schema() -> Schema:
    """The schema of a whole grid file (draft 7, which editors know best)."""
    keys = _trial_keys()
    axes = {key: _list_of(value) for key, value in keys.items()}
    resources = _settings(Resources)
    blocks: dict[str, Schema] = {
        "study": {"type": "string", "pattern": STUDY_PATTERN},
        "source": {"type": "string"},
        "report": {"enum": list(REPORTS)},
        "trial": {"$ref": "#/definitions/partial"},
        "measurement": {"$ref": "#/definitions/partial"},
        "grid": {"$ref": "#/definitions/axes"},
        "zip": {"$ref": "#/definitions/axes"},
        "cases": _list_of({"$ref": "#/definitions/case"}),
        "exclude": _list_of({"$ref": "#/definitions/partial"}),
        "include": _list_of({"$ref": "#/definitions/partial"}),
        "evaluate": _settings(Evaluate),
        "resources": resources,
        "budget": _settings(Budget),
    }
    in_a_case = {"grid": blocks["grid"], "zip": blocks["zip"], "resources": resources}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "latentgrid grid file",
        "definitions": {
            "partial": _object(keys),
            "axes": _object(axes),
            "case": _object(keys | in_a_case),
        },
    } | _object(
        # `allOf` because draft 7 ignores what stands beside a `$ref`.
        {name: {"description": text, "allOf": [blocks[name]]} for name, text in BLOCKS.items()},
        required=["study"],
    )


def text() -> str:
    """The schema as it stands in grid.schema.json."""
    return json.dumps(schema(), indent=2) + "\n"


def _trial_keys() -> dict[str, Schema]:
    """The keys of a partial trial or measurement: fields, and the dotted keys into parts."""
    scalars = declared_fields(Measurement) | declared_fields(Trial)
    keys: dict[str, Schema] = {}
    for name in dict.fromkeys((*Trial.field_names(), *Measurement.field_names())):
        keys[name] = _part(PARTS[name]) if name in PARTS else _field(scalars[name])
    for kind, choices in PARTS.items():
        for name, part in choices.items():
            for parameter in declared_fields(part).values():
                described = _field(parameter)
                described["description"] = f"{name}: {parameter.description}"
                key = f"{kind}.{parameter.name}"
                keys[key] = {"anyOf": [keys[key], described]} if key in keys else described
    return keys


def _part(choices: Mapping[str, type]) -> Schema:
    with_parameters = [
        _object(
            {"name": {"const": name}}
            | {parameter.name: _field(parameter) for parameter in declared_fields(part).values()},
            required=["name"],
        )
        | {"description": (part.__doc__ or "").partition("\n")[0]}
        for name, part in choices.items()
    ]
    return {"anyOf": [{"enum": list(choices)}, *with_parameters]}


def _settings(cls: type) -> Schema:
    described = {name: _field(field) for name, field in declared_fields(cls).items()}
    if "memory_bytes" in described:
        described["memory"] = {
            "type": ["string", "null"],
            "pattern": MEMORY_PATTERN,
            "description": described.pop("memory_bytes")["description"] + ", as in 2GiB",
        }
    if "pack" in described:
        sizes = {"type": "integer", "minimum": 1, "maximum": MOST_PACKED}
        described["pack"] = {
            "anyOf": [sizes, {"enum": [AUTO]}],
            "description": described["pack"]["description"],
            "default": 1,
        }
    if cls is Evaluate:
        by_metric = {"type": "integer", "minimum": 1}
        # Those of cells are scored once all seeds are done.
        each = _object({name: by_metric for name in METRICS if METRICS[name] != (CELL,)})
        described["every"] = {
            "anyOf": [{k: v for k, v in described["every"].items() if k != "default"}, each],
            "description": described["every"]["description"],
        }
    return _object(described)


def _field(field: Field) -> Schema:
    value: Schema
    if field.choices is not None:
        value = {"enum": [*field.choices, *([None] if field.optional else [])]}
    else:
        name = _TYPES[field.python_type]
        value = {"type": [name, "null"] if field.optional else name}
        for limit, keyword in _LIMITS.items():
            if (bound := getattr(field.valid, limit)) is not None:
                value[keyword] = bound
    if field.many:
        value = _list_of(value) | {"uniqueItems": True}
    if field.description:
        value["description"] = field.description
    if not field.required:
        value["default"] = field.default
    return value


def _list_of(value: Schema) -> Schema:
    return {"type": "array", "items": value, "minItems": 1}


def _object(properties: Mapping[str, Schema], required: list[str] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        "required": required or [],
    }


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
