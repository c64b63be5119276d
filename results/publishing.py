"""Replacing a Parquet file under readers that open it twice.

`pandas.read_parquet(path)` and `pyarrow.parquet.read_table(path)` open the path for the footer and
open it again for the pages. If the file was replaced in between, the old footer points into the
new file, and the reader fails. So a new version leaves the pages of the last few where they were,
and an old footer finds its own: a file is a ring of versions with the footer of the newest at its
end, which is all that a Parquet reader looks for. A table that only grows keeps all its pages, and
a new version is a copy of the bytes with more of them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from results.files import Location, reading

KEPT_VERSIONS = 4
_PAGES: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
_MAGIC = b"PAR1"


def rewrite(old: Location, new: Path, table: pa.Table) -> None:
    """Write to `new` a file of `table` in which the pages of the last versions of `old` stay."""
    try:
        content = old.read_bytes()
    except FileNotFoundError:
        pages, footer = _encode(table, len(_MAGIC))
        new.write_bytes(_MAGIC + pages + footer)
        return
    start, end = _pages(pq.read_metadata(io.BytesIO(content)))
    content = content[: _footer_start(io.BytesIO(content))]
    length = end - start
    at = end
    if end + length > KEPT_VERSIONS * length and start - len(_MAGIC) >= length + length // 2:
        at = len(_MAGIC)
    pages, footer = _encode(table, at)
    if at < end and at + len(pages) > start:  # grown by half at once: no room before the newest
        pages, footer = _encode(table, end)
        at = end
    new.write_bytes(content[:at] + pages + content[at + len(pages) :] + footer)


def append(old: Location | None, new: Path, tables: Iterable[pa.Table], schema: pa.Schema) -> None:
    """Write to `new` the rows of `old`, as they lie there, then `tables`, each a row group.

    Both must have the schema. Memory holds one of the tables.
    """
    collected: list[pq.FileMetaData] = []
    with pa.OSFile(str(new), "wb") as sink:
        with pq.ParquetWriter(sink, schema, metadata_collector=collected, **_PAGES) as writer:
            known = _copy_pages(old, sink)
            for table in tables:
                writer.write_table(table, row_group_size=max(len(table), 1))
    if known is not None:
        known.append_row_groups(collected[0])
        footer = io.BytesIO()
        known.write_metadata_file(footer)
        with open(new, "r+b") as file:
            file.truncate(_footer_start(file))
            file.seek(0, os.SEEK_END)
            file.write(footer.getvalue()[len(_MAGIC) :])


def _copy_pages(old: Location | None, sink: pa.NativeFile) -> pq.FileMetaData | None:
    """Copy what is between the magic and the footer of `old`, and give the footer."""
    if old is None or not old.exists():
        return None
    with reading(old) as source:
        metadata = pq.read_metadata(source)
        left = _footer_start(source)
        left -= source.seek(len(_MAGIC))
        while left:
            left -= sink.write(source.read(min(left, 1 << 20)))
    return metadata


def _encode(table: pa.Table, offset: int) -> tuple[bytes, bytes]:
    """Pages and footer of the table, the pages for the position `offset` of a file.

    Footers hold positions in the file. Arrow asks its stream for them, which is moved on here
    behind the writer's back, after the magic that it starts with.
    """
    stream = pa.BufferOutputStream()
    with pq.ParquetWriter(stream, table.schema, **_PAGES) as writer:
        stream.write(bytes(offset - len(_MAGIC)))
        writer.write_table(table, row_group_size=max(len(table), 1))
    content = stream.getvalue().to_pybytes()
    split = _footer_start(io.BytesIO(content))
    return content[offset:split], content[split:]


def _footer_start(file: BinaryIO) -> int:
    """Where the footer begins; its length is in four bytes before the magic at the end."""
    size = file.seek(-8, os.SEEK_END) + 8
    return size - 8 - int.from_bytes(file.read(4), "little")


def _pages(metadata: pq.FileMetaData) -> tuple[int, int]:
    """Where the pages of a file begin and end."""
    chunks = [
        metadata.row_group(group).column(column)
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    ]
    starts = [
        chunk.data_page_offset
        if chunk.dictionary_page_offset is None
        else min(chunk.dictionary_page_offset, chunk.data_page_offset)
        for chunk in chunks
    ]
    ends = [
        start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True)
    ]
    return min(starts, default=len(_MAGIC)), max(ends, default=len(_MAGIC))
