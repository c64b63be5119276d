from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grids.columns import COLUMN_TYPES
from grids.parts import FRAMEWORKS
from results.schema import CURVES, KEYS, PROVENANCE, SCHEMAS, TRIALS


@pytest.mark.parametrize("table", SCHEMAS)
def test_a_table_of_zero_rows_has_every_column_with_its_type(table: str, tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pq.write_table(SCHEMAS[table].empty_table(), path)
    assert pq.read_schema(path).equals(SCHEMAS[table])
    frame = pd.read_parquet(path)
    assert list(frame.columns) == SCHEMAS[table].names
    assert len(frame) == 0


@pytest.mark.parametrize("table", SCHEMAS)
def test_every_column_may_be_missing_and_keys_are_columns(table: str) -> None:
    schema = SCHEMAS[table]
    assert all(field.nullable for field in schema)
    assert len(set(schema.names)) == len(schema)
    assert set(KEYS[table]) <= set(schema.names)
    assert set(PROVENANCE[table]) <= set(schema.names)


def test_result_columns_of_a_row_are_its_key_and_what_was_found() -> None:
    assert not set(KEYS["trials"]) & set(PROVENANCE["trials"])
    assert not set(KEYS["scores"]) & set(PROVENANCE["scores"])
    assert "value" not in PROVENANCE["scores"]
    assert {"gpu_hours", "attempt_id", "finished_at", "device"} <= set(PROVENANCE["trials"])
    assert not {"status", "final_loss", *COLUMN_TYPES} & set(PROVENANCE["trials"])


def test_parameters_are_columns_of_their_declared_types() -> None:
    arrow = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    for name, kind in COLUMN_TYPES.items():
        assert TRIALS.field(name).type == arrow[kind]


def test_every_loss_term_of_every_framework_is_a_column() -> None:
    for framework in FRAMEWORKS.values():
        for term in framework.terms:
            assert term in CURVES.names
            assert f"final_{term}" in TRIALS.names


def test_plain_pandas_keeps_whole_numbers_that_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "trials.parquet"
    rows = [{"seed": 2**63 - 1, "dataset.rgb": True}, {"seed": None, "dataset.rgb": None}]
    pq.write_table(pa.Table.from_pylist(rows, schema=TRIALS), path)
    frame = pd.read_parquet(path)
    assert str(frame["seed"].dtype) == "Int64"
    assert frame["seed"][0] == 2**63 - 1
    assert frame["seed"][1] is pd.NA
    assert str(frame["dataset.rgb"].dtype) == "boolean"
    assert frame["finished_at"].dtype == pd.DatetimeTZDtype("us", "UTC")
