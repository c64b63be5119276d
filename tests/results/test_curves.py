from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from results import curves
from results.schema import CURVES
from results.store import StudyFolder


def record(folder: StudyFolder, trial_id: str, rows: int = 3) -> None:
    curve = [{"trial_id": trial_id, "step": step, "loss": step / 7} for step in range(rows)]
    folder.write_record("curves", trial_id, curve, durable=False)


def lengths(folder: StudyFolder) -> dict[str, int]:
    found = curves.read(folder)
    return {
        name: found["trial_id"].to_pylist().count(name)
        for name in set(found["trial_id"].to_pylist())
    }


def test_curves_are_added_to_those_that_are_there(folder: StudyFolder) -> None:
    record(folder, "a")
    record(folder, "b", 5)
    assert curves.publish(folder, ["a"]) == {"a"}
    assert curves.publish(folder, ["b", "without a record"]) == {"b"}
    assert curves.published_trials(folder) == {"a", "b"}
    table = pq.ParquetFile(folder.table("curves")).read().to_pylist()
    assert [(row["trial_id"], row["step"], row["loss"]) for row in table] == [
        *(("a", step, step / 7) for step in range(3)),
        *(("b", step, step / 7) for step in range(5)),
    ]


def test_nothing_to_publish_is_a_table_of_zero_rows(folder: StudyFolder) -> None:
    assert curves.publish(folder, []) == set()
    assert curves.published_trials(folder) == set()
    assert pq.ParquetFile(folder.table("curves")).read().num_rows == 0


def test_reading_adds_records_that_are_not_in_the_table(folder: StudyFolder) -> None:
    record(folder, "a", 4)
    curves.publish(folder, ["a"])
    record(folder, "a", 2)  # a straggler that repeats a finished trial changes nothing
    record(folder, "b", 5)
    assert lengths(folder) == {"a": 4, "b": 5}


def test_new_rows_are_gathered_into_large_row_groups(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "ROWS_AT_ONCE", 10)
    for number in range(12):
        record(folder, str(number), 3)
    curves.publish(folder, [str(number) for number in range(12)])
    file = pq.ParquetFile(folder.table("curves"))
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    assert sizes == [12, 12, 12]


def test_a_table_from_before_a_loss_term_was_declared_gets_its_column(folder: StudyFolder) -> None:
    record(folder, "a")
    curves.publish(folder, ["a"])
    table = pq.ParquetFile(folder.table("curves")).read().drop_columns(["shared_latents"])
    pq.write_table(table, folder.table("curves"))
    record(folder, "b")
    curves.publish(folder, ["b"])
    file = pq.ParquetFile(folder.table("curves"))
    assert file.schema_arrow.equals(CURVES)
    assert file.read()["trial_id"].to_pylist() == ["a"] * 3 + ["b"] * 3


def test_an_error_while_publishing_leaves_the_table(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(folder, "a")
    curves.publish(folder, ["a"])
    record(folder, "b")
    monkeypatch.setattr(curves, "read_records", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        curves.publish(folder, ["b"])
    assert curves.published_trials(folder) == {"a"}
    assert list(folder.root.glob(".*")) == []
