from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import results
from results import curves, merge, records
from results.lease import Fenced, acquire
from results.ledger import Attempt, new_attempt_id
from results.schema import SCHEMAS, SchemaError
from results.store import StudyFolder, trial_record_name
from results.tables import MOST_CHUNKS, Frames, Tables, compact, load, rows_of_trials

Finish = Any  # the fixture's class lives in conftest.py


def plain(folder: StudyFolder) -> Frames:
    """What pandas reads without our code."""
    names = ("trials", "curves", "scores", "attempts")
    return Frames(*(pd.read_parquet(folder.table(name)) for name in names))


def same(left: Frames, right: Frames) -> None:
    """The same tables, in whatever order of rows."""
    for name, keys in (
        ("trials", ["trial_id"]),
        ("curves", ["trial_id", "step"]),
        ("scores", ["trial_id", "score"]),
        ("attempts", ["attempt_id", "trial_id"]),
    ):
        frames = [
            getattr(side, name).sort_values(keys).reset_index(drop=True) for side in (left, right)
        ]
        pd.testing.assert_frame_equal(*frames)


def test_published_tables_need_none_of_our_code(folder: StudyFolder, finish: Finish) -> None:
    for trial_id in ("a", "b"):
        finish(folder, trial_id)
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    found = plain(folder)
    assert found.trials["trial_id"].tolist() == ["a", "b"]
    assert found.trials["seed"].tolist() == [3, 3]
    assert found.trials["beta"].tolist() == [1e-3, 1e-3]
    assert len(found.curves) == 6 and len(found.scores) == 2 and len(found.attempts) == 4
    same(found, load(folder.root))
    same(found, tables.frames())


def test_load_is_a_name_of_the_package(folder: StudyFolder) -> None:
    assert results.load is load
    found = load(str(folder.root))
    assert [len(frame) for frame in found] == [0, 0, 0, 0]
    for name, frame in found._asdict().items():
        assert list(frame.columns) == SCHEMAS[name].names


@pytest.mark.parametrize("column", ["status", "cpu_hours"])
def test_few_columns_are_those_of_all(folder: StudyFolder, finish: Finish, column: str) -> None:
    for trial_id in ("a", "b"):
        finish(folder, trial_id)
    everything = load(folder.root)
    assert everything.trials["cpu_hours"].notna().all()  # which no record says
    few = load(folder.root, columns={"trials": ["trial_id", column], "scores": ["value"]})
    pd.testing.assert_frame_equal(few.trials, everything.trials[["trial_id", column]])
    pd.testing.assert_frame_equal(few.scores, everything.scores[["value"]])
    pd.testing.assert_frame_equal(few.attempts, everything.attempts)


def test_an_empty_study_is_published_with_every_column(folder: StudyFolder) -> None:
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    for name, frame in plain(folder)._asdict().items():
        assert list(frame.columns) == SCHEMAS[name].names


def test_load_sees_what_is_not_published_yet(folder: StudyFolder, finish: Finish) -> None:
    finish(folder, "a")
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    finish(folder, "b")
    assert set(plain(folder).trials["trial_id"]) == {"a"}
    found = load(folder.root)
    assert set(found.trials["trial_id"]) == {"a", "b"}
    assert set(found.curves["trial_id"]) == set(found.scores["trial_id"]) == {"a", "b"}


def test_a_record_is_read_once(
    folder: StudyFolder, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = StudyFolder.read_record

    def counted(self: StudyFolder, table: str, name: str) -> Any:
        opened.append(name)
        return real(self, table, name)

    monkeypatch.setattr(StudyFolder, "read_record", counted)
    finish(folder, "a")
    tables = Tables(folder)
    for _ in range(2):
        tables.refresh()
        assert len(opened) == 2
    finish(folder, "b")
    tables.refresh()
    assert len(opened) == 4


def test_what_a_table_holds_is_not_read_again_from_its_records(
    folder: StudyFolder, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large study would take seconds to look at, however well it is published."""
    finish(folder, "a")
    finish(folder, "b", status="failed")
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    later = finish(folder, "c")
    finish(folder, "b")
    everything = load(folder.root)
    opened: list[Path] = []
    real = records.content_of

    def counted(path: Path) -> bytes:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(records, "content_of", counted)
    reader = Tables(folder)
    for _ in range(2):
        reader.refresh()
    closed = [path for path in opened if path.parent == folder.attempts_dir]
    assert len(closed) == 4 and folder.attempt(later, "close") in closed  # of trials and of scores
    recorded = [path.parent.name for path in opened if folder.root / "_rows" in path.parents]
    assert sorted(recorded) == ["scores"] * 2 + ["trials"] * 2
    same(reader.frames(), everything)
    assert reader.compact() == 4 + 3 + 3 + 7
    same(load(folder.root), everything)


def test_who_follows_a_publisher_merges_only_what_is_new(
    folder: StudyFolder, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merging is done row by row, and a large study has a million of them."""
    publisher, reader = Tables(folder), Tables(folder)
    for trial_id in ("a", "b", "c"):
        finish(folder, trial_id)
    for tables in (publisher, reader):
        tables.refresh()
    publisher.publish()
    finish(folder, "d")  # this one only the reader has seen
    merged: list[int] = []
    real = merge.best
    monkeypatch.setattr(merge, "best", lambda t, rows: merged.append(len(rows)) or real(t, rows))
    reader.refresh()
    assert sum(merged) <= 2 * (1 + 1 + 2)  # as a record, and beside the table
    monkeypatch.undo()
    same(reader.frames(), load(folder.root))


def test_a_table_that_grows_record_by_record_stays_in_few_pieces(
    folder: StudyFolder, finish: Finish
) -> None:
    tables = Tables(folder)
    for number in range(100):
        finish.score(folder, f"t{number}")
        tables.refresh()
    assert tables.table("scores").column(0).num_chunks <= MOST_CHUNKS
    assert len(tables.table("scores")) == 100


def test_only_tables_that_changed_are_written(folder: StudyFolder, finish: Finish) -> None:
    def identities() -> dict[str, int]:
        return {name: folder.table(name).stat().st_mtime_ns for name in SCHEMAS}

    finish(folder, "a")
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    before = identities()
    tables.refresh()
    tables.publish()
    assert identities() == before
    finish.score(folder, "b")
    tables.refresh()
    tables.publish()
    after = identities()
    assert after["scores"] != before["scores"]
    assert (after["trials"], after["curves"]) == (before["trials"], before["curves"])


def test_a_new_driver_that_finds_nothing_new_publishes_the_same_rows(
    folder: StudyFolder, finish: Finish
) -> None:
    finish(folder, "a")
    finish(folder, "b", status="failed")
    found = []
    for _ in range(3):
        tables = Tables(folder)
        tables.refresh()
        tables.publish()
        found.append(plain(folder))
    same(found[0], found[1])
    same(found[0], found[2])


def test_nan_losses_of_a_diverged_trial_are_published(
    folder: StudyFolder, trial_row: Callable[..., Any]
) -> None:
    row = trial_row("a", "000001-x", "diverged", final_loss=math.nan)
    folder.write_record("trials", trial_record_name("a", "diverged", "000001-x"), [row])
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    assert plain(folder).trials["final_loss"].isna().all()
    written = folder.table("trials").stat().st_mtime_ns
    tables.refresh()
    tables.publish()
    assert folder.table("trials").stat().st_mtime_ns == written


def test_a_failed_row_is_replaced_when_the_trial_completes(
    folder: StudyFolder, finish: Finish
) -> None:
    finish(folder, "a", status="failed")
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    assert plain(folder).trials["status"].tolist() == ["failed"]
    assert plain(folder).curves.empty  # curves of finished trials only
    assert len(load(folder.root).curves) == 3
    finish(folder, "a")
    tables.refresh()
    tables.publish()
    assert plain(folder).trials["status"].tolist() == ["completed"]
    assert len(plain(folder).curves) == 3


def test_a_trial_has_the_hours_of_the_attempts_that_led_to_it(
    folder: StudyFolder, trial_row: Callable[..., Any]
) -> None:
    seconds = 0.0

    def attempt(steps: int, **more: Any) -> Attempt:
        nonlocal seconds
        opened = Attempt.open(
            folder,
            "trial",
            ["a"],
            attempt_id=new_attempt_id(0),
            node="node",
            device="H200",
            gpu_share=0.5,
            cpus=2.0,
            clock=lambda: seconds,
            **more,
        )
        with opened.stage("train"):
            seconds += 36.0 * steps
        return opened

    first = attempt(100)
    first.close("interrupted", 100)
    second = attempt(50, start_step=50, resumed_from=first.attempt_id)
    name = trial_record_name("a", "completed", second.attempt_id)
    folder.write_record("trials", name, [trial_row("a", second.attempt_id)])
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    second.close("completed", 100)
    tables.refresh()
    tables.publish()
    [row] = plain(folder).trials.to_dict("records")
    assert (row["train_seconds"], row["gpu_hours"], row["cpu_hours"]) == (3600.0, 0.5, 2.0)


def test_failed_trials_cost_nothing_and_adopted_ones_keep_what_they_cost(
    folder: StudyFolder, finish: Finish, trial_row: Callable[..., Any]
) -> None:
    finish(folder, "f", status="failed")
    adopted = trial_row("g", "000009-other", adopted_from="other", gpu_hours=3.5)
    folder.write_record("trials", trial_record_name("g", "completed", "000009-other"), [adopted])
    found = load(folder.root).trials.set_index("trial_id")
    assert found["gpu_hours"].to_dict() == {"f": 0.0, "g": 3.5}


def test_published_as_running_but_its_driver_is_gone_is_lost(folder: StudyFolder) -> None:
    held = acquire(folder)
    Attempt.open(
        held.folder,
        "trial",
        ["a"],
        attempt_id=new_attempt_id(1),
        node="node",
        device="cpu",
        gpu_share=0.0,
        cpus=1.0,
    )
    tables = Tables(held.folder)
    tables.refresh()
    tables.publish()
    assert plain(folder).attempts["outcome"].tolist() == ["running"]
    held.release()
    assert load(folder.root).attempts["outcome"].tolist() == ["lost"]
    tables.refresh()
    tables.publish()
    assert plain(folder).attempts["outcome"].tolist() == ["lost"]
    for path in folder.attempts_dir.iterdir():  # even if only the table is left
        path.unlink()
    assert load(folder.root).attempts["outcome"].tolist() == ["lost"]


def test_a_publisher_of_an_older_epoch_is_fenced(folder: StudyFolder, finish: Finish) -> None:
    first = acquire(folder)
    tables = Tables(first.folder)
    tables.refresh()
    tables.publish()
    finish(first.folder, "a")
    tables.refresh()
    first.release()
    acquire(folder)
    with pytest.raises(Fenced):
        tables.publish()
    assert plain(folder).trials.empty
    assert list(folder.root.glob(".*")) == []


def test_a_table_that_was_moved_away_is_rebuilt(folder: StudyFolder, finish: Finish) -> None:
    finish(folder, "a")
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    before = plain(folder)
    for name in SCHEMAS:
        folder.table(name).write_bytes(b"damaged")
        with pytest.raises(SchemaError):
            Tables(folder).refresh()
        folder.table(name).unlink()
        again = Tables(folder)
        again.refresh()
        again.publish()
    same(plain(folder), before)


def test_who_only_looks_is_told_of_half_copied_files_and_sees_the_rest(
    folder: StudyFolder, finish: Finish
) -> None:
    finish(folder, "a")
    attempt_id = finish(folder, "b")
    record = folder.record("trials", trial_record_name("b", "completed", attempt_id))
    looker = Tables(folder, lenient=True)
    for path, table in (
        (record, "trials"),
        (next(iter(folder.rows_dir("scores").iterdir())), "scores"),
        (folder.attempt(attempt_id, "close"), "attempts"),
    ):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(SchemaError):
            Tables(folder).refresh()
        looker = Tables(folder, lenient=True)
        looker.refresh()
        [line] = looker.unread
        assert str(path) in line
        left = len(looker.table(table))
        path.write_bytes(whole)
        looker.refresh()
        assert looker.unread == [] and len(looker.table(table)) == left + 1
    same(looker.frames(), load(folder.root))


def test_a_table_that_is_not_copied_yet_is_said_where_other_tables_are(
    folder: StudyFolder, finish: Finish
) -> None:
    finish(folder, "a")
    looker = Tables(folder, lenient=True)
    looker.refresh()
    assert looker.unread == []  # nothing was published yet
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    path, whole = folder.table("trials"), folder.table("trials").read_bytes()
    for state, said in ((whole[:-9], "damaged"), (None, "not there")):
        path.unlink() if state is None else path.write_bytes(state)
        looker = Tables(folder, lenient=True)
        looker.refresh()
        [line] = looker.unread
        assert str(path) in line and said in line
        assert looker.table("trials")["trial_id"].to_pylist() == ["a"]  # from the records
    path.write_bytes(whole)
    looker.refresh()
    assert looker.unread == []
    Tables(folder).compact()
    path.unlink()
    with pytest.raises(SchemaError, match="compacted"):  # no record is left that knows better
        Tables(folder, lenient=True).refresh()


def test_a_value_of_the_wrong_type_is_said_at_every_look(
    folder: StudyFolder, finish: Finish
) -> None:
    attempt_id = finish(folder, "a")
    path = folder.record("trials", trial_record_name("a", "completed", attempt_id))
    path.write_bytes(path.read_bytes().replace(b'"beta":0.001', b'"beta":"x"'))
    tables = Tables(folder)
    for _ in range(2):
        with pytest.raises(SchemaError, match="wrong type"):
            tables.refresh()


def test_compacting_keeps_every_row_and_removes_what_is_merged(
    folder: StudyFolder, finish: Finish
) -> None:
    for trial_id in ("a", "b", "c"):
        finish(folder, trial_id)
    finish(folder, "f", status="failed")
    before = load(folder.root)
    assert compact(folder) == 4 + 3 + 3 + 7  # trials, scores, curves of finished trials, attempts
    assert {name: folder.record_names(name) for name in ("trials", "scores", "curves")} == {
        "trials": [],
        "scores": [],
        "curves": ["f"],
    }
    assert list(folder.attempts_dir.iterdir()) == []
    same(load(folder.root), before)
    assert compact(folder) == 0
    finish(folder, "d")
    tables = Tables(folder)
    tables.refresh()
    tables.publish()
    assert set(plain(folder).trials["trial_id"]) == {"a", "b", "c", "d", "f"}
    assert set(plain(folder).curves["trial_id"]) == {"a", "b", "c", "d"}


def test_compacting_leaves_open_attempts_to_their_processes(
    folder: StudyFolder, finish: Finish
) -> None:
    held = acquire(folder)
    finish(held.folder, "a")
    opened = Attempt.open(
        held.folder,
        "trial",
        ["b"],
        attempt_id=new_attempt_id(1),
        node="node",
        device="cpu",
        gpu_share=0.0,
        cpus=1.0,
    )
    compact(held.folder)
    assert [path.name for path in folder.attempts_dir.iterdir()] == [
        f"{opened.attempt_id}.open.json"
    ]
    opened.close("completed", 5)
    outcomes = load(folder.root).attempts.set_index("attempt_id")["outcome"]
    assert outcomes[opened.attempt_id] == "completed" and len(outcomes) == 3


def test_what_a_crash_left_open_of_a_closed_attempt_does_not_come_back(
    folder: StudyFolder, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        finish(folder, "a")
    compact(folder)
    assert list(folder.attempts_dir.iterdir()) == []
    assert set(load(folder.root).attempts["outcome"]) == {"completed"}


def test_rows_of_trials_come_from_tables_and_records(folder: StudyFolder, finish: Finish) -> None:
    finish(folder, "a")
    compact(folder)
    finish(folder, "b")
    finish(folder, "c")
    found = {
        table: rows_of_trials(folder, table, {"a", "b", "x"})
        for table in ("trials", "scores", "curves")
    }
    for table, length in (("trials", 1), ("scores", 1), ("curves", 3)):
        assert {trial_id: len(rows) for trial_id, rows in found[table].items()} == {
            "a": length,
            "b": length,
        }
    other = StudyFolder(folder.out / "other")
    for trial_id, [row] in found["trials"].items():  # what is read can be written
        other.write_record("trials", trial_record_name(trial_id, "completed", "x"), [row])
    assert set(other.outcomes()) == {"a", "b"}


def test_curves_wait_until_it_pays_but_not_for_everything(
    folder: StudyFolder, finish: Finish
) -> None:
    tables = Tables(folder)
    published = []
    for number in range(45):
        finish(folder, f"{number:02d}", reports=1)
        tables.refresh()
        tables.publish()
        published.append(len(curves.published_trials(folder)))
    assert published[:21] == list(range(1, 22))  # a small study has them at once
    assert published[21] == 21 and published[22] == 23
    assert len(set(published)) < len(published)
    assert len(load(folder.root).curves) == 45
    tables.publish(everything=True)
    assert len(curves.published_trials(folder)) == 45


@contextmanager
def polling(read: Callable[[], None]) -> Iterator[list[BaseException]]:
    """Calls `read` over and over in a thread; the list gets what it raises."""
    done, raised, calls = threading.Event(), list[BaseException](), 0

    def poll() -> None:
        nonlocal calls
        try:
            while not done.is_set():
                read()
                calls += 1
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield raised
    finally:
        done.set()
        thread.join()
    assert raised == []
    assert calls > 5


def test_rows_never_vanish_under_any_reader_while_a_study_grows_and_is_compacted(
    folder: StudyFolder, finish: Finish
) -> None:
    held = acquire(folder)
    tables = Tables(held.folder)
    tables.refresh()
    tables.publish()
    seen: dict[tuple[str, str], set[Any]] = {}
    finished: list[str] = []

    def grew(reader: str, frames: Frames) -> None:
        keys = {
            "trials": ["trial_id"],
            "scores": ["trial_id", "step", "score"],
            "curves": ["trial_id", "step"],
            "attempts": ["attempt_id", "trial_id"],
        }
        for name, frame in frames._asdict().items():
            rows = list(frame[keys[name]].itertuples(index=False, name=None))
            assert len(rows) == len(set(rows)), (reader, name)
            lost = seen.get((reader, name), set()) - set(rows)
            assert not lost, (reader, name, lost)
            seen[reader, name] = set(rows)

    def read_loaded() -> None:
        before = set(finished)
        frames = load(folder.root)
        grew("load", frames)
        for frame in (frames.trials, frames.curves, frames.scores):
            assert before <= set(frame["trial_id"])

    with polling(lambda: grew("pandas", plain(folder))), polling(read_loaded):
        until = time.monotonic() + 6.0
        number = 0
        while time.monotonic() < until:
            for _ in range(5):
                finish(held.folder, f"{number:04d}")
                finished.append(f"{number:04d}")
                number += 1
            tables.refresh()
            tables.publish()
            held.beat()
            if number % 20 == 0:
                tables.compact() if number % 40 else compact(held.folder)
    tables.refresh()
    tables.publish(everything=True)
    found = plain(folder)
    assert sorted(found.trials["trial_id"]) == sorted(found.scores["trial_id"]) == finished
    assert len(found.curves) == 3 * number and len(found.attempts) == 2 * number
    same(found, load(folder.root))
