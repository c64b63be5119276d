from __future__ import annotations

import errno
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from results.parquet import open_table, read_table
from results.schema import SCHEMAS, TRIALS, VERSION_KEY, SchemaError
from results.store import StudyFolder
from results.tables import Tables, load


def published(folder: StudyFolder, rows: int = 3) -> Path:
    folder.root.mkdir(parents=True, exist_ok=True)
    path = folder.table("trials")
    table = pa.Table.from_pylist([{"trial_id": str(row)} for row in range(rows)], schema=TRIALS)
    pq.write_table(table, path)
    return path


def with_version(table: pa.Table, version: bytes) -> pa.Table:
    return table.replace_schema_metadata({VERSION_KEY: version})


def refused(folder: StudyFolder) -> str:
    """The one line with which every reader refuses the study; the file is left as it was."""
    path = folder.table("trials")
    before = path.read_bytes()
    for reader in (
        lambda: read_table(folder, "trials"),
        folder.outcomes,
        lambda: load(folder.root),
        lambda: Tables(folder).refresh(),
    ):
        with pytest.raises(SchemaError) as caught:
            reader()
    assert path.read_bytes() == before
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_a_table_comes_back_and_before_the_first_publish_there_is_none(folder: StudyFolder) -> None:
    assert read_table(folder, "trials") is None
    published(folder)
    table = read_table(folder, "trials")
    assert table is not None and table["trial_id"].to_pylist() == ["0", "1", "2"]
    assert table.schema.equals(TRIALS, check_metadata=True)
    some = read_table(folder, "trials", ["status", "trial_id"])
    assert some is not None and some.column_names == ["status", "trial_id"]


def test_a_newer_table_is_refused(folder: StudyFolder) -> None:
    path = published(folder)
    pq.write_table(with_version(TRIALS.empty_table(), b"2"), path)
    assert "schema version 2 is newer than this code's 1" in refused(folder)


def test_a_truncated_table_is_refused_with_what_to_do(folder: StudyFolder) -> None:
    path = published(folder)
    path.write_bytes(path.read_bytes()[:-20])
    assert "move it away and run again: it is rebuilt from _rows" in refused(folder)


def test_an_empty_file_is_refused(folder: StudyFolder) -> None:
    published(folder).write_bytes(b"")
    assert "damaged, or not a Parquet file" in refused(folder)


def test_a_changed_byte_is_noticed(folder: StudyFolder) -> None:
    path = published(folder, rows=1)
    table = pa.Table.from_pylist([{"trial_id": "a" * 5_000}], schema=TRIALS)
    pq.write_table(table, path, compression="none", write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[data.index(b"a" * 1_000) + 500] = ord("b")
    path.write_bytes(data)
    with pytest.raises(SchemaError, match="damaged"):
        read_table(folder, "trials")


def test_a_compacted_study_must_be_restored(folder: StudyFolder) -> None:
    path = published(folder)
    folder.write(folder.compacted, b"{}")
    path.write_bytes(b"PAR1")
    message = refused(folder)
    assert "the study was compacted, so restore the file from a copy" in message
    assert "run again" not in message


@pytest.mark.parametrize("table", SCHEMAS)
def test_a_missing_table_of_a_compacted_study_is_refused(folder: StudyFolder, table: str) -> None:
    Tables(folder).compact()
    folder.table(table).unlink()
    for reader in (folder.check, lambda: load(folder.root), lambda: Tables(folder).refresh()):
        with pytest.raises(SchemaError, match=f"{table}.parquet: missing.*restore"):
            reader()


def test_a_foreign_table_is_refused(folder: StudyFolder) -> None:
    path = published(folder)
    pq.write_table(pa.table({"trial_id": ["a"]}), path)
    assert "not written by latentgrid; move it away" in refused(folder)


def test_a_column_that_this_code_does_not_know_is_not_dropped_silently(folder: StudyFolder) -> None:
    path = published(folder)
    table = TRIALS.empty_table().append_column("framework.warmth", pa.array([], pa.float64()))
    pq.write_table(with_version(table, b"1"), path)
    assert "column 'framework.warmth' is not of this code's table trials" in refused(folder)


def test_a_column_of_another_type_is_refused(folder: StudyFolder) -> None:
    path = published(folder)
    pq.write_table(with_version(pa.table({"seed": ["one"]}), b"1"), path)
    assert "column 'seed' holds string, this code's table trials has int64" in refused(folder)


def test_a_column_declared_later_is_null_in_an_older_table(folder: StudyFolder) -> None:
    path = published(folder)
    older = pa.table({"status": ["completed"], "trial_id": ["a"]})
    pq.write_table(with_version(older, b"1"), path)
    table = read_table(folder, "trials")
    assert table is not None and table.schema.equals(TRIALS)
    [row] = table.to_pylist()
    assert {name: value for name, value in row.items() if value is not None} == {
        "status": "completed",
        "trial_id": "a",
    }


def test_an_error_of_the_disk_is_not_blamed_on_the_file(folder: StudyFolder) -> None:
    published(folder)
    with pytest.raises(OSError, match="stale"), open_table(folder, "trials"):
        raise OSError(errno.ESTALE, "stale")


def test_a_table_that_is_replaced_while_it_is_read_is_whole(folder: StudyFolder) -> None:
    path = published(folder, rows=3)
    with open_table(folder, "trials") as parquet:
        assert parquet is not None
        new = path.with_name("new")
        pq.write_table(TRIALS.empty_table(), new)
        new.rename(path)
        assert len(parquet.read()) == 3
