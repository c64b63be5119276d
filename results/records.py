"""Rows as JSON: exact for every column type, and checked where they are written.

JSON writes floats by `repr` (exact; NaN and Infinity as Python spells them) and timestamps as ISO
8601 in UTC. A missing value is left out.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from results.files import Location, read_small
from results.schema import NUMBERS, SCHEMA_VERSION, SCHEMAS, TIMESTAMP, SchemaError

Row = dict[str, Any]

MOST_BYTES = 2**27
"""Of a file of ours that is read whole; what is larger is not ours."""


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("is not text")
    return value.encode("utf-8", "backslashreplace").decode()  # a traceback may hold stray bytes


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("is not True or False")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise TypeError("is not a whole number of 64 bits")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError("is not a number")
    return float(value)


def _numbers(value: Any) -> list[float]:
    if not isinstance(value, list | tuple):
        raise TypeError("is not a list of numbers")
    return [_number(item) for item in value]


def _moment(value: Any) -> str:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise TypeError("is not a time with a time zone")
    return value.astimezone(dt.UTC).isoformat()


_TO_JSON: dict[pa.DataType, Callable[[Any], Any]] = {
    pa.string(): _text,
    pa.bool_(): _truth,
    pa.int64(): _whole,
    pa.float64(): _number,
    NUMBERS: _numbers,
    TIMESTAMP: _moment,
}


_TO_JSON_BY_COLUMN = {
    table: {field.name: _TO_JSON[field.type] for field in schema}
    for table, schema in SCHEMAS.items()
}
_TIMESTAMPS = {
    table: [field.name for field in schema if field.type == TIMESTAMP]
    for table, schema in SCHEMAS.items()
}


def to_json(table: str, row: Mapping[str, Any]) -> Row:
    """The row as plain JSON values.

    ValueError names a column that the table lacks or a value of the wrong type.
    """
    converters = _TO_JSON_BY_COLUMN[table]
    encoded = {}
    for name, value in row.items():
        if name not in converters:
            raise ValueError(
                f"table {table} has no column {name!r}; columns: {', '.join(converters)}"
            )
        if value is None:
            continue
        try:
            encoded[name] = converters[name](value)
        except TypeError as error:
            raise ValueError(f"table {table}, column {name!r}: {value!r} {error}") from None
    return encoded


def encode(table: str, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The content of a record file."""
    content = {"schema_version": SCHEMA_VERSION, "rows": [to_json(table, row) for row in rows]}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def content_of(path: Location) -> bytes:
    """What a JSON file of ours holds; FileNotFoundError, SchemaError where it cannot be ours."""
    try:
        return read_small(path, MOST_BYTES)
    except ValueError as error:
        raise SchemaError(
            f"{path}: {error}; move it away and run again: what it held is made anew"
        ) from None


def parse(path: Location, data: bytes) -> dict[str, Any]:
    """A JSON file of ours as a dict.

    SchemaError if it is damaged, not ours, or newer than this code.
    """
    try:
        content = json.loads(data)
        version = content["schema_version"]
        if not isinstance(version, int):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SchemaError(
            f"{path}: damaged, or not written by latentgrid; move it away and run again: "
            "what it held is made anew"
        ) from None
    if version > SCHEMA_VERSION:
        raise SchemaError(
            f"{path}: schema version {version} is newer than this code's {SCHEMA_VERSION}; "
            "use the latentgrid that wrote it, or a newer one"
        )
    assert isinstance(content, dict)
    return content


def decode(table: str, path: Location, data: bytes) -> list[Row]:
    """The rows of a record file, timestamps as datetimes; columns that were left out stay out."""
    rows = parse(path, data).get("rows")
    known = _TO_JSON_BY_COLUMN[table].keys()
    try:
        assert isinstance(rows, list)
        for row in rows:
            for name in _TIMESTAMPS[table]:
                if name in row:
                    row[name] = dt.datetime.fromisoformat(row[name])
            unknown = row.keys() - known
            if unknown:
                raise SchemaError(
                    f"{path}: columns {sorted(unknown)} are not of this code's table {table}; "
                    "use the latentgrid that wrote it, or a newer one"
                )
    except (AssertionError, AttributeError, TypeError, ValueError):
        raise SchemaError(
            f"{path}: rows are damaged; move it away and run again: what it held is made anew"
        ) from None
    return rows


def to_table(table: str, files: Sequence[tuple[Location, list[Row]]]) -> pa.Table:
    """The rows of record files as Arrow, with every column.

    SchemaError names a file with a wrong value.
    """
    rows = [row for _, rows_of_file in files for row in rows_of_file]
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMAS[table])
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        if len(files) > 1:
            for file in files:
                to_table(table, [file])
        first = str(error).splitlines()[0]
        raise SchemaError(
            f"{files[0][0]}: a value has the wrong type ({first}); move it away and run again: "
            "what it held is made anew"
        ) from error
