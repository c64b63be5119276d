"""What other programs read: checked with their own readers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorboardX.proto.event_pb2 import Event

from results.export import export_csv, export_tensorboard
from results.schema import SCHEMAS
from results.tables import Frames


@pytest.fixture
def frames() -> Frames:
    empty = {name: schema.empty_table().to_pandas() for name, schema in SCHEMAS.items()}
    trials = pd.DataFrame([{"trial_id": "a", "framework": "beta_vae", "beta": 4.0, "error": None}])
    curves = pd.DataFrame(
        [
            {"trial_id": "a", "step": 1, "loss": 0.5, "kl_nats_by_latent": np.array([1.0, 2.0])},
            {"trial_id": "a", "step": 2, "loss": float("nan"), "kl_nats_by_latent": None},
        ]
    )
    scores = pd.DataFrame(
        [
            {"trial_id": "a", "step": 2, "representation": "mean", "size": "full"}
            | {"score": "mig", "value": 0.25}
        ]
    )
    return Frames(**(empty | {"trials": trials, "curves": curves, "scores": scores}))


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    """(tag, step) -> value of the one event file: records of a length, a checksum, the event."""
    [file] = folder.glob("events.out.tfevents.*")
    data, at, found = file.read_bytes(), 0, {}
    while at < len(data):
        length = int.from_bytes(data[at : at + 8], "little")
        event = Event.FromString(data[at + 12 : at + 12 + length])
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found[value.tag, event.step] = value.simple_value
        at += 16 + length
    return found


def test_tensorboard_has_a_run_a_trial_with_its_terms_and_scores(
    frames: Frames, tmp_path: Path
) -> None:
    expected = {
        ("curve/loss", 1): 0.5,
        ("kl_nats/z0", 1): 1.0,
        ("kl_nats/z1", 1): 2.0,
        ("score/mean/full/mig", 2): 0.25,
    }
    for _ in range(2):  # a second time writes it anew
        assert export_tensorboard(frames, tmp_path) == 1
        assert scalars(tmp_path / "a") == expected


@given(st.lists(st.one_of(st.none(), st.lists(st.floats(), max_size=300)), min_size=1, max_size=4))
@example([[1 / 3] * 200, None, [], [1e-300, float("nan"), float("-inf")]])
@settings(max_examples=20)
def test_a_list_in_a_csv_is_json_in_one_line_and_exact(lists: list[list[float] | None]) -> None:
    tables = {
        "curves": [{"trial_id": "a", "kl_nats_by_latent": values} for values in lists],
        "trials": [{"trial_id": "a", "final_kl_nats_by_latent": values} for values in lists],
    }
    frames = {name: schema.empty_table().to_pandas() for name, schema in SCHEMAS.items()}
    for name, rows in tables.items():
        frames[name] = pa.Table.from_pylist(rows, SCHEMAS[name]).to_pandas()
    with TemporaryDirectory() as out:
        export_csv(Frames(**frames), Path(out))
        for name, rows in tables.items():
            text = (Path(out) / f"{name}.csv").read_text()
            assert text.count("\n") == 1 + len(lists)
            for line, row in zip(csv.DictReader(text.splitlines()), rows, strict=True):
                column = list(row)[1]
                read = json.loads(line[column]) if line[column] else None
                assert repr(read) == repr(row[column])  # as NaN is not itself


def test_csv_has_every_table_and_row(frames: Frames, tmp_path: Path) -> None:
    names = {path.name for path in export_csv(frames, tmp_path)}
    assert names == {"trials.csv", "scores.csv", "curves.csv", "attempts.csv"}
    assert pd.read_csv(tmp_path / "scores.csv")["value"].tolist() == [0.25]
    assert len(pd.read_csv(tmp_path / "attempts.csv")) == 0
