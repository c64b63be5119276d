from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.publishing import KEPT_VERSIONS, append, rewrite

Replace = Callable[[Path, int], None]


SCHEMA = pa.schema(
    {"text": pa.string(), "number": pa.int64(), "list": pa.list_(pa.float64())},
    metadata={"note": "kept"},
)


def rows(version: int, length: int) -> pa.Table:
    return pa.table(
        {
            "text": [f"{version}-{index}" for index in range(length)],
            "number": [version * 1_000 + index for index in range(length)],
            "list": [[version / 3, index / 7] for index in range(length)],
        },
        schema=SCHEMA,
    )


def replace(path: Path, write: Callable[[Path], None]) -> None:
    new = path.with_name(".new")
    write(new)
    os.replace(new, path)


def rewritten(path: Path, table: pa.Table) -> None:
    replace(path, lambda new: rewrite(path, new, table))


def appended(path: Path, *tables: pa.Table) -> None:
    replace(path, lambda new: append(path, new, tables, SCHEMA))


def footer_read(path: Path) -> ds.ParquetFileFragment:
    """A reader between its first and its second look at the file."""
    fragment = ds.ParquetFileFormat().make_fragment(str(path), pa.fs.LocalFileSystem())
    fragment.ensure_complete_metadata()
    return fragment


@settings(max_examples=30)
@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=12))
def test_every_version_is_a_whole_parquet_file(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int]
) -> None:
    path = tmp_path_factory.mktemp("ring") / "table.parquet"
    for version, length in enumerate(lengths):
        rewritten(path, rows(version, length))
        assert pq.ParquetFile(path).read().equals(rows(version, length))
        assert pq.read_schema(path).metadata[b"note"] == b"kept"


def test_a_reader_that_has_the_footer_finds_its_pages_in_the_next_versions(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    readers: list[tuple[int, ds.ParquetFileFragment]] = []
    for version in range(40):
        rewritten(path, rows(version, 100 + version))
        readers.append((version, footer_read(path)))
        for older, fragment in readers[-(KEPT_VERSIONS - 1) :]:
            assert fragment.to_table().equals(rows(older, 100 + older))


def test_a_file_that_is_simply_replaced_fails_such_a_reader(tmp_path: Path) -> None:
    """Why all this is needed; if this test fails, it is not any more."""
    path = tmp_path / "table.parquet"
    pq.write_table(rows(0, 100), path)
    fragment = footer_read(path)
    replace(path, lambda new: pq.write_table(rows(1, 5), new))
    with pytest.raises(OSError):
        fragment.to_table()


def test_a_file_stays_a_few_versions_long(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    alone = tmp_path / "alone.parquet"
    for version in range(60):
        rewritten(path, rows(version, 2_000 + 10 * version))
    pq.write_table(rows(59, 2_590), alone, compression="zstd")
    assert path.stat().st_size < (KEPT_VERSIONS + 2) * alone.stat().st_size


def test_a_growing_table_keeps_all_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    appended(path)
    assert pq.ParquetFile(path).read().equals(rows(0, 0))
    expected = [rows(0, 0)]
    readers = []
    for version in range(10):
        new = [rows(version, 30), rows(100 + version, 3)]
        appended(path, *new)
        expected += new
        readers.append((footer_read(path), pa.concat_tables(expected)))
    assert pq.ParquetFile(path).read().equals(pa.concat_tables(expected))
    assert pq.read_schema(path).metadata[b"note"] == b"kept"
    for fragment, table in readers:
        assert fragment.to_table().equals(table)


@pytest.mark.parametrize("how", ["rewrite", "append"])
def test_pandas_polling_the_path_never_fails(tmp_path: Path, how: str) -> None:
    path = tmp_path / "table.parquet"
    appended(path, rows(0, 10))
    done = threading.Event()

    def write() -> None:
        for version in range(1, 300):
            length = 10 + version
            if how == "rewrite":
                rewritten(path, rows(version, length))
            else:
                appended(path, rows(version, 1))
            done.wait(0.005)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    longest = 0
    reads = 0
    while not done.is_set():
        length = len(pd.read_parquet(path))
        assert length >= longest
        longest = length
        reads += 1
    writer.join()
    assert reads > 10
