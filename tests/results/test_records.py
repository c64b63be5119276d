from __future__ import annotations

import datetime as dt
import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import records
from results.schema import SCHEMA_VERSION, SchemaError

FLOATS = st.floats(width=64)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
MOMENTS = st.datetimes(
    min_value=dt.datetime(1970, 1, 1), max_value=dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)
)
NAME = Path("record.json")


def through_record_and_parquet(column: str, values: list[Any]) -> pa.ChunkedArray:
    rows = [{column: value} for value in values]
    decoded = records.decode("trials", NAME, records.encode("trials", rows))
    file = io.BytesIO()
    pq.write_table(records.to_table("trials", [(NAME, decoded)]), file)
    return pq.ParquetFile(file).read()[column]


def same(left: Any, right: Any) -> bool:
    """Equal, NaN equal to NaN, and -0.0 not to 0.0."""
    if isinstance(left, float) and isinstance(right, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right) and type(left) is type(right)


@given(st.lists(st.none() | FLOATS))
def test_floats_come_back_to_the_bit(values: list[float | None]) -> None:
    found = through_record_and_parquet("final_loss", values)
    assert all(map(same, found.to_pylist(), values))
    in_pandas = found.to_pandas()
    expected = [math.nan if value is None else value for value in values]
    assert all(map(same, map(float, in_pandas), expected))


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_whole_numbers_of_64_bits_come_back(values: list[int | None]) -> None:
    assert through_record_and_parquet("seed", values).to_pylist() == values


@given(st.lists(st.none() | TEXT))
def test_text_comes_back(values: list[str | None]) -> None:
    found = through_record_and_parquet("error", values)
    assert found.to_pylist() == values
    in_pandas = [None if pd.isna(value) else value for value in found.to_pandas()]
    assert in_pandas == values


def test_text_that_is_not_unicode_is_spelled_out() -> None:
    assert through_record_and_parquet("error", ["a\udcffb"]).to_pylist() == ["a\\udcffb"]


@given(st.lists(st.none() | st.booleans()))
def test_truth_values_come_back(values: list[bool | None]) -> None:
    assert through_record_and_parquet("dataset.rgb", values).to_pylist() == values


@given(st.lists(st.none() | st.lists(FLOATS, max_size=12)))
def test_lists_of_floats_come_back_to_the_bit(values: list[list[float] | None]) -> None:
    found = through_record_and_parquet("final_kl_nats_by_latent", values).to_pylist()
    assert all(map(same, found, values))


@given(st.lists(st.none() | MOMENTS))
def test_times_come_back_to_the_microsecond(values: list[dt.datetime | None]) -> None:
    assert through_record_and_parquet("finished_at", values).to_pylist() == values


def test_times_of_other_zones_are_the_same_moments() -> None:
    moment = dt.datetime(2026, 1, 1, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    [found] = through_record_and_parquet("finished_at", [moment]).to_pylist()
    assert found == moment and found.utcoffset() == dt.timedelta(0)


def test_whole_numbers_are_numbers_too() -> None:
    [found] = through_record_and_parquet("final_loss", [1]).to_pylist()
    assert found == 1.0 and isinstance(found, float)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("seed", 1.0),
        ("seed", True),
        ("seed", 2**63),
        ("final_loss", "0.1"),
        ("final_loss", False),
        ("status", 1),
        ("dataset.rgb", 1),
        ("final_kl_nats_by_latent", 1.0),
        ("final_kl_nats_by_latent", [1.0, None]),
        ("finished_at", "2026-01-01"),
        ("finished_at", dt.datetime(2026, 1, 1)),
    ],
)
def test_a_value_of_another_type_is_refused_where_it_is_written(column: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"table trials, column '{column}'"):
        records.encode("trials", [{column: value}])


def test_an_unknown_column_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="no column 'stauts'; columns: study, trial_id"):
        records.encode("trials", [{"stauts": "completed"}])


def test_a_newer_record_is_one_line() -> None:
    data = json.dumps({"schema_version": SCHEMA_VERSION + 1, "rows": []}).encode()
    with pytest.raises(SchemaError, match="record.json: schema version 2 is newer") as caught:
        records.decode("trials", NAME, data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"schema_version": 1, "rows": [{"seed"',
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"schema_version": "one", "rows": []}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "rows": [1]}',
        b'{"schema_version": 1, "rows": [{"finished_at": "soon"}]}',
    ],
)
def test_a_damaged_or_foreign_record_is_one_line(content: bytes) -> None:
    with pytest.raises(SchemaError, match="record.json: .*move it away and run again") as caught:
        records.decode("trials", NAME, content)
    assert "\n" not in str(caught.value)


def test_a_column_of_a_newer_code_is_not_dropped_silently() -> None:
    data = json.dumps({"schema_version": 1, "rows": [{"framework.warmth": 6.0}]}).encode()
    with pytest.raises(SchemaError, match="framework.warmth"):
        records.decode("trials", NAME, data)


def test_among_many_records_the_wrong_one_is_named() -> None:
    good = (Path("good.json"), [{"trial_id": "a", "seed": 1}])
    bad = (Path("bad.json"), [{"trial_id": "b", "seed": "one"}])
    with pytest.raises(SchemaError, match="bad.json"):
        records.to_table("trials", [good, bad])
