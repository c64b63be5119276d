from __future__ import annotations

import datetime as dt
import errno
import gc
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from results import ledger
from results.attempts import attempts, list_attempts, read_open
from results.lease import Fenced, acquire
from results.ledger import BEAT_SECONDS, Attempt, new_attempt_id
from results.schema import SCHEMA_VERSION, SchemaError
from results.store import StudyFolder
from results.tables import Tables
from tests.orchestrator.waiting import wait_for

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


class FakeClocks:
    """Monotonic, wall and CPU clocks that move together, the CPU's at half speed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def arguments(self) -> dict[str, Any]:
        return {
            "clock": lambda: 500.0 + self.seconds,
            "now": lambda: START + dt.timedelta(seconds=self.seconds),
            "cpu_clock": lambda: 7.0 + self.seconds / 2,
        }


@pytest.fixture
def clocks() -> FakeClocks:
    return FakeClocks()


def opened(folder: StudyFolder, clocks: FakeClocks, **changes: Any) -> Attempt:
    arguments: dict[str, Any] = {
        "kind": "trial",
        "trial_ids": ["a"],
        "attempt_id": new_attempt_id(folder.epoch or 0),
        "node": "node-1",
        "device": "H200",
        "gpu_share": 0.5,
        "cpus": 2.0,
        **clocks.arguments(),
        **changes,
    }
    return Attempt.open(folder, arguments.pop("kind"), arguments.pop("trial_ids"), **arguments)


def run(attempt: Attempt, clocks: FakeClocks) -> None:
    """1 s outside stages, 2 s prepare, 4 s train, 8 s encode."""
    clocks.seconds += 1
    for stage, seconds in (("prepare", 2), ("train", 4), ("encode", 8)):
        with attempt.stage(stage):
            clocks.seconds += seconds


def files(folder: StudyFolder) -> list[str]:
    return sorted(path.name.split(".", 1)[1] for path in folder.attempts_dir.iterdir())


def test_ids_sort_by_epoch_and_differ() -> None:
    assert new_attempt_id(9) < new_attempt_id(10)
    assert new_attempt_id(1) != new_attempt_id(1)
    assert len(new_attempt_id(1)) == len("000001-0123456789ab")


def test_a_closed_attempt_says_everything(folder: StudyFolder, clocks: FakeClocks) -> None:
    attempt = opened(folder, clocks, start_step=50, resumed_from="000000-aa")
    run(attempt, clocks)
    attempt.close("completed", 100)
    [row] = attempts(folder)
    expected = {
        "attempt_id": attempt.attempt_id,
        "study": "study",
        "trial_id": "a",
        "kind": "trial",
        "epoch": 0,
        "share": 1.0,
        "node": "node-1",
        "device": "H200",
        "gpu_share": 0.5,
        "cpus": 2.0,
        "started_at": START,
        "ended_at": START + dt.timedelta(seconds=15),
        "resumed_from": "000000-aa",
        "start_step": 50,
        "steps_done": 100,
        "prepare_seconds": 2.0,
        "train_seconds": 4.0,
        "encode_seconds": 8.0,
        "score_seconds": 0.0,
        "measure_seconds": 0.0,
        "wall_seconds": 15.0,
        "allocated_gpu_seconds": 7.5,
        "useful_gpu_seconds": 6.0,
        "cpu_seconds": 7.5,
        "outcome": "completed",
        "lower_bound": False,
        "error": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert row.keys() - expected.keys() == {"host", "pid"}
    assert files(folder) == ["close.json"]


def test_the_seconds_of_a_run_over_several_trials_are_shared_and_add_up(
    folder: StudyFolder, clocks: FakeClocks
) -> None:
    attempt = opened(folder, clocks, trial_ids=["a", "b", "c", "d"])
    run(attempt, clocks)
    attempt.close("completed", 100)
    rows = attempts(folder)
    assert [row["trial_id"] for row in rows] == ["a", "b", "c", "d"]
    assert sum(row["wall_seconds"] for row in rows) == 15.0
    assert sum(row["allocated_gpu_seconds"] for row in rows) == 7.5
    assert sum(row["cpu_seconds"] for row in rows) == 7.5
    assert all(row["share"] == 0.25 and row["steps_done"] == 100 for row in rows)


def test_beats_are_rare_and_hold_the_stage_that_goes_on(
    folder: StudyFolder, clocks: FakeClocks
) -> None:
    attempt = opened(folder, clocks)
    attempt.beat(1)
    assert files(folder) == ["open.json"]
    with attempt.stage("train"):
        clocks.seconds += BEAT_SECONDS
        attempt.beat(10)
        clocks.seconds += BEAT_SECONDS / 2
        attempt.beat(15)
        [row] = attempts(folder)
    assert files(folder) == ["beat.json", "open.json"]
    assert (row["steps_done"], row["train_seconds"], row["wall_seconds"]) == (10, 5.0, 5.0)
    attempt.beat(15, now=True)
    [row] = attempts(folder)
    assert (row["steps_done"], row["train_seconds"]) == (15, 7.5)


def test_the_time_of_a_stage_that_fails_counts(folder: StudyFolder, clocks: FakeClocks) -> None:
    attempt = opened(folder, clocks)
    with pytest.raises(RuntimeError), attempt.stage("train"):
        clocks.seconds += 3
        raise RuntimeError
    attempt.close("failed", 7, error="RuntimeError")
    [row] = attempts(folder)
    assert (row["train_seconds"], row["outcome"], row["error"]) == (3.0, "failed", "RuntimeError")


def test_an_attempt_beats_by_itself_while_its_process_is_busy(
    folder: StudyFolder, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "BEAT_SECONDS", 0.05)
    attempt = opened(folder, clocks)
    with attempt.stage("encode"):
        clocks.seconds += 60
        wait_for(lambda: attempts(folder)[0]["encode_seconds"] == 60.0)
    attempt.close("completed", 100)
    time.sleep(0.2)
    assert files(folder) == ["close.json"]


def test_an_attempt_that_an_error_dropped_beats_no_more(
    folder: StudyFolder, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "BEAT_SECONDS", 0.05)
    before = threading.active_count()
    attempt = opened(folder, clocks)
    assert threading.active_count() == before + 1
    del attempt
    gc.collect()
    wait_for(lambda: threading.active_count() == before)


def test_the_first_close_stands(folder: StudyFolder, clocks: FakeClocks) -> None:
    attempt = opened(folder, clocks)
    attempt.close("failed", 7, error="TimeoutError")
    attempt.close("completed", 100)
    [row] = attempts(folder)
    assert (row["outcome"], row["steps_done"]) == ("failed", 7)


def refuse(patch: pytest.MonkeyPatch, number: int) -> None:
    def refused(self: StudyFolder, path: Path, data: bytes, *, durable: bool = True) -> None:
        raise OSError(number, os.strerror(number))

    patch.setattr(StudyFolder, "write", refused)


def test_a_beat_that_a_disk_or_store_refuses_is_left_to_the_next(
    folder: StudyFolder, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = opened(folder, clocks)
    with monkeypatch.context() as patch:
        refuse(patch, errno.EIO)
        attempt.beat(5, now=True)
    attempt.beat(6, now=True)
    assert attempts(folder)[0]["steps_done"] == 6


def test_a_full_disk_ends_what_could_not_be_accounted_for_unless_it_has_room_again(
    folder: StudyFolder, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = opened(folder, clocks)
    with monkeypatch.context() as patch:
        refuse(patch, errno.ENOSPC)
        with pytest.raises(OSError, match="No space left"):
            attempt.beat(5, now=True)
    with pytest.raises(OSError, match="No space left"):
        attempt.beat(6)  # which is not due yet, and says what the last one met
    attempt.beat(7, now=True)
    attempt.beat(8)
    assert attempts(folder)[0]["steps_done"] == 7


def test_misuse_is_one_line(folder: StudyFolder, clocks: FakeClocks) -> None:
    attempt = opened(folder, clocks)
    with pytest.raises(ValueError, match="valid.*prepare, train, encode, score"):
        with attempt.stage("traim"):
            pass
    with pytest.raises(ValueError, match="valid, one at a time"):
        with attempt.stage("train"), attempt.stage("encode"):
            pass
    with pytest.raises(ValueError, match="outcome 'lost'; valid: completed"):
        attempt.close("lost", 0)


def test_an_open_attempt_runs_while_its_epoch_is_held_and_is_lost_afterwards(
    folder: StudyFolder, clocks: FakeClocks
) -> None:
    held = acquire(folder)
    attempt = opened(held.folder, clocks)
    clocks.seconds += 6
    attempt.beat(30)
    [row] = attempts(folder)
    assert (row["outcome"], row["lower_bound"], row["ended_at"]) == ("running", True, None)
    held.release()
    [row] = attempts(folder)
    assert (row["outcome"], row["lower_bound"], row["wall_seconds"]) == ("lost", True, 6.0)
    assert row["ended_at"] == START + dt.timedelta(seconds=6)
    assert row["steps_done"] == 30


def test_an_attempt_of_an_older_epoch_is_lost(folder: StudyFolder, clocks: FakeClocks) -> None:
    first = acquire(folder)
    opened(first.folder, clocks)
    first.release()
    acquire(folder)
    [row] = attempts(folder)
    assert (row["outcome"], row["wall_seconds"], row["steps_done"]) == ("lost", 0.0, 0)


def test_a_fenced_attempt_stops_writing_and_stays_lost(
    folder: StudyFolder, clocks: FakeClocks
) -> None:
    first = acquire(folder)
    attempt = opened(first.folder, clocks)
    first.release()
    acquire(folder)
    clocks.seconds += 10
    with pytest.raises(Fenced):
        attempt.beat(5)
    with pytest.raises(Fenced):
        attempt.close("completed", 10)
    [row] = attempts(folder)
    assert row["outcome"] == "lost"


def test_a_close_beats_what_a_crash_left_open(
    folder: StudyFolder, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = opened(folder, clocks)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        attempt.close("completed", 10)
    assert "open.json" in files(folder)
    [row] = attempts(folder)
    assert row["outcome"] == "completed"


def test_an_attempt_that_closes_while_it_is_read_is_closed(
    folder: StudyFolder, clocks: FakeClocks
) -> None:
    attempt = opened(folder, clocks)
    _, [listed_as_open] = list_attempts(folder)
    attempt.close("completed", 10)
    [row] = read_open(folder, listed_as_open, held_epoch=None)
    assert row["outcome"] == "completed"


def test_a_newer_attempt_file_is_one_line(folder: StudyFolder, clocks: FakeClocks) -> None:
    attempt = opened(folder, clocks)
    attempt.close("completed", 10)
    [path] = folder.attempts_dir.iterdir()
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"schema_version": SCHEMA_VERSION + 1})
    )
    with pytest.raises(SchemaError, match=f"{attempt.attempt_id}.close.json: schema version 2"):
        attempts(folder)


def test_no_attempts(folder: StudyFolder) -> None:
    assert attempts(folder) == []


def test_an_open_attempt_is_lost_once_its_trial_was_started_again(tmp_path: Path) -> None:
    """A worker was killed: nobody closes its attempt, and its driver lives on."""
    held = acquire(StudyFolder(tmp_path / "s"))
    for number in (1, 2):
        Attempt.open(
            held.folder,
            "trial",
            ["t"],
            attempt_id=f"000001-{number}",
            node="n",
            device="cpu",
            gpu_share=0.0,
            cpus=1.0,
            now=lambda number=number: dt.datetime(2026, 1, 1, number, tzinfo=dt.UTC),  # type: ignore[misc]
        )
    tables = Tables(held.folder)
    tables.refresh()
    outcomes = tables.frames().attempts.set_index("attempt_id")["outcome"]
    assert outcomes.to_dict() == {"000001-1": "lost", "000001-2": "running"}


def test_work_does_not_wait_for_a_beat_that_a_slow_store_holds_up(
    folder: StudyFolder, clocks: FakeClocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = opened(folder, clocks)
    begun, may_end = threading.Event(), threading.Event()
    real = StudyFolder.write

    def write(*arguments: Any, **options: Any) -> None:
        begun.set()
        assert may_end.wait(60)
        real(*arguments, **options)

    with monkeypatch.context() as slow:
        slow.setattr(StudyFolder, "write", write)
        beating = threading.Thread(target=attempt.beat, args=(1,), kwargs={"now": True})
        beating.start()
        assert begun.wait(60)
        clocks.seconds += 2 * BEAT_SECONDS
        attempt.beat(2)  # would wait for ever
        may_end.set()
        beating.join()
    attempt.close("completed", 3)
    assert attempts(folder)[0]["steps_done"] == 3
