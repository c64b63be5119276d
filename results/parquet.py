"""Reading the published tables.

Checked, so that a newer, damaged or foreign file is one clear line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from results.files import Location, reading
from results.schema import SCHEMA_VERSION, SCHEMAS, VERSION_KEY, SchemaError

if TYPE_CHECKING:
    from results.store import StudyFolder


MOST_BYTES = 2**33
"""Of a table in memory, by what its footer says of its rows."""
MOST_TEXT_BYTES = 2**30
"""Of a column of texts in memory: a long one that is in every row takes a few bytes of the file."""
_TEXTS = {
    table: {field.name for field in schema if field.type == pa.string()}
    for table, schema in SCHEMAS.items()
}


@contextlib.contextmanager
def open_table(folder: StudyFolder, table: str) -> Iterator[pq.ParquetFile | None]:
    """The published table as an open file, or None before the first publish.

    One file handle serves footer and pages, so a table that is replaced meanwhile is read whole as
    it was. Texts come as dictionaries, which `conform` unpacks. SchemaError for a table that is
    newer than this code, damaged, too large, or not ours; also for damage found while reading.
    """
    path = folder.table(table)
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(reading(path))
        except ValueError as error:
            raise SchemaError(f"{path}: {error}, not a Parquet file; move it away") from None
        except FileNotFoundError:
            if folder.compacted.exists():
                raise SchemaError(
                    f"{path}: missing, and the study was compacted: restore the file from a copy"
                ) from None
            yield None
            return
        try:
            footer = pq.read_metadata(file)
            there = {footer.schema.column(c).path for c in range(footer.num_columns)}
            parquet = pq.ParquetFile(
                file,
                metadata=footer,
                read_dictionary=sorted(there & _TEXTS[table]),
                page_checksum_verification=True,
            )
            _check_columns(parquet)
            _check_size(path, footer)
            _check(path, table, parquet.schema_arrow)
            yield parquet
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's error, not the file's
            raise SchemaError(
                f"{path}: damaged, or not a Parquet file; {_remedy(folder)}"
            ) from error


def read_table(
    folder: StudyFolder, table: str, columns: Sequence[str] | None = None
) -> pa.Table | None:
    """The table with every column of its schema (or `columns`), None before the first publish."""
    with open_table(folder, table) as parquet:
        if parquet is None:
            return None
        schema = SCHEMAS[table]
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        return conform(parquet.read(columns=columns), schema)


def conform(found: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table in the schema's order; a column that was declared after it was written is null.

    SchemaError where a column of texts is larger than any of ours.
    """
    columns = [
        _unpacked(field.name, found[field.name])
        if field.name in found.column_names
        else pa.nulls(len(found), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def plain_type(kind: pa.DataType) -> pa.DataType:
    """What it is unpacked."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _unpacked(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(column.type):
        return column
    for chunk in column.chunks:
        chunk.dictionary.validate(full=True)  # that texts are texts
    lengths = (pc.take(pc.binary_length(c.dictionary), c.indices) for c in column.chunks)
    size = sum(pc.sum(pc.cast(of, pa.int64())).as_py() or 0 for of in lengths)
    if size > MOST_TEXT_BYTES:
        raise SchemaError(
            f"column {name!r}: texts of {size:,} bytes; valid: at most {MOST_TEXT_BYTES:,}"
        )
    return column.cast(column.type.value_type)


def _check_columns(parquet: pq.ParquetFile) -> None:
    """Reads a row of each group. Of a damaged column this raises; to ask the footer for the column,
    as below, would end the process, since pyarrow (26) lets an exception of C++ through.
    """
    for group in range(parquet.num_row_groups):
        next(parquet.iter_batches(batch_size=1, row_groups=[group], use_threads=False), None)


def _check_size(path: Location, footer: pq.FileMetaData) -> None:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    values = sum(g.column(c).num_values for g in groups for c in range(g.num_columns))
    rows = max(footer.num_rows, sum(group.num_rows for group in groups))
    size = 8 * max(values, rows * footer.num_columns)
    if size > MOST_BYTES:
        raise SchemaError(
            f"{path}: {rows:,} rows of {size:,} bytes; valid: at most {MOST_BYTES:,} bytes"
        )


def _remedy(folder: StudyFolder) -> str:
    if folder.compacted.exists():
        return "the study was compacted, so restore the file from a copy"
    return "move it away and run again: it is rebuilt from _rows"


def _check(path: Location, table: str, found: pa.Schema) -> None:
    remedy = "use the latentgrid that wrote it, or a newer one"
    version = (found.metadata or {}).get(VERSION_KEY, b"")
    if not version.isdigit():
        raise SchemaError(
            f"{path}: not written by latentgrid; move it away and run again: "
            "the table is written anew"
        )
    if int(version) > SCHEMA_VERSION:
        raise SchemaError(
            f"{path}: schema version {int(version)} is newer than this code's "
            f"{SCHEMA_VERSION}; {remedy}"
        )
    declared = SCHEMAS[table]
    if len(set(found.names)) < len(found.names):
        raise pa.ArrowInvalid("a column stands twice")
    for field in found:
        if field.name not in declared.names:
            raise SchemaError(
                f"{path}: column {field.name!r} is not of this code's table {table}; {remedy}"
            )
        expected = declared.field(field.name).type
        if plain_type(field.type) != expected:
            raise SchemaError(
                f"{path}: column {field.name!r} holds {field.type}, this code's table {table} "
                f"has {expected}; {remedy}"
            )
