from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.files import sync
from results.lease import Fenced, acquire
from results.schema import SchemaError
from results.store import StudyFolder, split_trial_record, trial_record_name
from results.tables import Tables


def test_a_folder_is_plain_data_that_travels(folder: StudyFolder) -> None:
    travelled = pickle.loads(pickle.dumps(StudyFolder(folder.root, epoch=3)))
    assert travelled == StudyFolder(folder.root, epoch=3)
    assert (travelled.name, travelled.out.name) == ("study", "out")


def test_every_path_of_a_study_lies_in_its_folder_and_is_its_own(folder: StudyFolder) -> None:
    paths = [
        folder.manifest,
        folder.study_yaml,
        *(folder.table(table) for table in ("trials", "scores", "curves", "attempts")),
        *(folder.rows_dir(table) for table in ("trials", "scores", "curves")),
        folder.compacted,
        folder.attempts_dir,
        folder.lease_dir,
        folder.weights("a"),
        folder.checkpoint_dir("a"),
        folder.codes("a", 10),
        folder.artifacts("a"),
        folder.log("a"),
    ]
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(folder.root) for path in paths)
    assert folder.codes("a", 10).name == "a-10.npz"


def test_a_record_name_carries_the_outcome() -> None:
    name = trial_record_name("0123456789abcdef", "diverged", "000002-aabbccddeeff")
    assert split_trial_record(name) == ("0123456789abcdef", "diverged", "000002-aabbccddeeff")


def test_a_record_comes_back(folder: StudyFolder, trial_row: Callable[..., Any]) -> None:
    row = trial_row("a", "000001-x")
    folder.write_record("trials", "a.completed.000001-x", [row])
    assert folder.read_record("trials", "a.completed.000001-x") == [row]
    assert folder.record_names("trials") == ["a.completed.000001-x"]
    assert folder.record_names("scores") == []


def test_writing_a_record_twice_is_writing_it_once(
    folder: StudyFolder, trial_row: Callable[..., Any]
) -> None:
    row = trial_row("a", "000001-x")
    path = folder.record("trials", "a.completed.000001-x")
    folder.write_record("trials", "a.completed.000001-x", [row])
    first = path.read_bytes()
    folder.write_record("trials", "a.completed.000001-x", [row])
    assert path.read_bytes() == first


def test_an_older_epoch_finds_out_before_it_publishes(folder: StudyFolder) -> None:
    old = acquire(folder).folder
    old.write(folder.manifest, b"old")
    StudyFolder(folder.root).write(folder.lease_dir / "000002.json", b"{}")
    with pytest.raises(Fenced):
        old.write(folder.manifest, b"spoiled")
    with pytest.raises(Fenced):
        old.write_record("trials", "a.failed.000001-x", [])
    assert folder.manifest.read_bytes() == b"old"
    assert list(folder.root.rglob(".*")) == []


def test_the_fence_is_looked_at_after_the_data_is_written(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A take-over while a large file is being written is noticed."""
    old = acquire(folder).folder
    real = sync

    def sync_slowly(path: Path) -> None:
        real(path)
        (folder.lease_dir / "000002.json").write_text("{}")

    monkeypatch.setattr("results.files.sync", sync_slowly)
    with pytest.raises(Fenced):
        old.write(folder.manifest, b"spoiled")
    assert not folder.manifest.exists()


def test_outcomes_of_records_need_no_reading(folder: StudyFolder) -> None:
    directory = folder.rows_dir("trials")
    directory.mkdir(parents=True)
    for name in (
        "a.failed.000001-x",
        "a.completed.000002-x",
        "b.failed.000001-y",
        "b.failed.000002-y",
        "c.diverged.000001-z",
        "c.failed.000002-z",
    ):
        (directory / f"{name}.json").touch()
    (directory / ".d.completed.000001-w.json").touch()
    assert folder.outcomes() == {"a": "completed", "b": "failed", "c": "diverged"}


def test_outcomes_are_those_of_table_and_records(
    folder: StudyFolder, trial_row: Callable[..., Any]
) -> None:
    for trial_id, status in (("a", "failed"), ("b", "completed")):
        row = trial_row(trial_id, "000001-x", status)
        folder.write_record("trials", trial_record_name(trial_id, status, "000001-x"), [row])
    Tables(folder).compact()
    assert folder.record_names("trials") == []
    assert folder.outcomes() == {"a": "failed", "b": "completed"}
    folder.write_record("trials", "a.completed.000002-x", [trial_row("a", "000002-x")])
    folder.write_record("trials", "b.failed.000002-x", [trial_row("b", "000002-x", "failed")])
    assert folder.outcomes() == {"a": "completed", "b": "completed"}


def test_outcomes_of_an_empty_folder(folder: StudyFolder) -> None:
    assert folder.outcomes() == {}
    folder.check()


def test_a_newer_manifest_is_one_line(folder: StudyFolder) -> None:
    folder.write(folder.manifest, json.dumps({"schema_version": 2}).encode())
    with pytest.raises(SchemaError, match=r"manifest.json: schema version 2 is newer") as caught:
        folder.check()
    assert "\n" not in str(caught.value)


def test_what_is_no_checkpoint_of_ours_holds_no_step(folder: StudyFolder) -> None:
    place = folder.checkpoint_dir("trial")
    assert isinstance(place, Path)
    place.mkdir(parents=True)
    for name in ("000001-a.000000000007.pt", "notes", "x.pt", ".000001-a.000000000009.pt.1-a"):
        (place / name).touch()
    (place.parent / "stray.8.pt").touch()
    assert folder.checkpoint_steps() == {"trial": 7}
