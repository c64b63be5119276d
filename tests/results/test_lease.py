from __future__ import annotations

import dataclasses
import errno
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.queues import Queue
from pathlib import Path

import pytest

from results import lease
from results.lease import Fenced, LeaseHeld, acquire, current, held_epoch, newest_epoch
from results.store import StudyFolder

SPAWN = multiprocessing.get_context("spawn")


class FakeTime:
    """A monotonic clock that moves only in `sleep`, and what else happens then."""

    def __init__(self, meanwhile: Callable[[float], None] = lambda now: None) -> None:
        self.now = 1_000.0
        self.meanwhile = meanwhile

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile(self.now)


def claim_as_other(folder: StudyFolder, **changes: object) -> None:
    """Rewrite the newest claim as if another process had made it."""
    path = folder.lease_dir / f"{newest_epoch(folder):06d}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def never_sleep(seconds: float) -> None:
    raise AssertionError("no need to wait")


def test_the_first_claim_is_epoch_one_and_release_lets_the_next_start_at_once(
    folder: StudyFolder,
) -> None:
    first = acquire(folder)
    assert (first.epoch, first.folder.epoch) == (1, 1)
    assert held_epoch(folder) == 1
    first.release()
    assert held_epoch(folder) is None
    second = acquire(folder, sleep=never_sleep)
    assert second.epoch == 2
    assert not current(folder, 1) and current(folder, 2)


def test_nobody_holds_a_study_that_was_never_run(folder: StudyFolder) -> None:
    assert newest_epoch(folder) == 0
    assert held_epoch(folder) is None
    assert current(folder, 1)


def test_a_dead_pid_of_this_boot_is_taken_over_at_once(folder: StudyFolder) -> None:
    acquire(folder)
    claim_as_other(folder, pid=dead_pid())
    assert held_epoch(folder) is None
    assert acquire(folder, sleep=never_sleep).epoch == 2


def test_a_pid_that_is_another_process_now_is_taken_over_at_once(folder: StudyFolder) -> None:
    acquire(folder)
    start_time = lease.process_start_time(os.getpid())
    assert start_time is not None
    claim_as_other(folder, pid_start_time=start_time - 1)
    assert acquire(folder, sleep=never_sleep).epoch == 2


def test_a_killed_process_that_nobody_waited_for_is_dead(folder: StudyFolder) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    start_time = lease.process_start_time(child.pid)
    assert start_time is not None
    acquire(folder)
    claim_as_other(folder, pid=child.pid, pid_start_time=start_time)
    assert held_epoch(folder) == 1
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now, and stays one
    assert held_epoch(folder) is None
    child.wait()


def test_the_start_time_is_read_behind_any_process_name(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = " ".join(str(number) for number in range(4, 40))
    monkeypatch.setattr(Path, "read_text", lambda self: f"7 (a) S (b) R {fields}\n")
    assert lease.process_start_time(7) == 22  # proc(5): starttime is field 22


def test_a_live_holder_is_refused_as_soon_as_it_beats(folder: StudyFolder) -> None:
    holder_time = FakeTime()
    held = acquire(folder, clock=holder_time.clock)

    def beat(now: float) -> None:
        holder_time.now += 2.0
        held.beat()

    observer = FakeTime(beat)
    messages: list[str] = []
    with pytest.raises(LeaseHeld, match=f"pid {os.getpid()}, since 20") as caught:
        acquire(folder, clock=observer.clock, sleep=observer.sleep, waiting=messages.append)
    assert "\n" not in str(caught.value)
    assert observer.now - 1_000 <= 2.0
    assert len(messages) == 1 and "6 s" in messages[0]
    assert newest_epoch(folder) == 1


def test_a_holder_on_another_host_is_taken_over_after_three_still_intervals(
    folder: StudyFolder,
) -> None:
    acquire(folder)
    claim_as_other(folder, host="elsewhere", boot_id="other", pid=1)
    time_ = FakeTime()
    assert acquire(folder, clock=time_.clock, sleep=time_.sleep).epoch == 2
    assert 6.0 <= time_.now - 1_000 <= 7.0


def test_a_holder_on_another_host_is_refused_if_its_counter_moves_late(folder: StudyFolder) -> None:
    acquire(folder)
    claim_as_other(folder, host="elsewhere", boot_id="other", pid=1)

    def beat_at_the_last_moment(now: float) -> None:
        if now - 1_000 >= 5.5:
            claim_as_other(folder, beat=1)

    time_ = FakeTime(beat_at_the_last_moment)
    with pytest.raises(LeaseHeld, match="elsewhere"):
        acquire(folder, clock=time_.clock, sleep=time_.sleep)


def test_a_slow_holder_is_given_its_own_intervals(folder: StudyFolder) -> None:
    acquire(folder, interval_seconds=10.0)
    claim_as_other(folder, host="elsewhere")
    time_ = FakeTime()
    acquire(folder, clock=time_.clock, sleep=time_.sleep)
    assert time_.now - 1_000 >= 30.0


def test_a_holder_that_releases_while_watched_is_not_waited_for(folder: StudyFolder) -> None:
    held = acquire(folder)
    time_ = FakeTime(lambda now: held.release())
    assert acquire(folder, clock=time_.clock, sleep=time_.sleep).epoch == 2
    assert time_.now - 1_000 < 1.0


def test_an_observer_that_was_asleep_looks_again_before_it_judges(folder: StudyFolder) -> None:
    held = acquire(folder)
    claim_as_other(folder, host="elsewhere")
    time_ = FakeTime()

    def long_sleep(seconds: float) -> None:
        time_.now += 100.0
        claim_as_other(folder, beat=50)

    with pytest.raises(LeaseHeld):
        acquire(folder, clock=time_.clock, sleep=long_sleep)
    assert held.epoch == 1


def test_beats_go_on_when_the_wall_clock_jumps_back(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    time_ = FakeTime()
    held = acquire(folder, clock=time_.clock)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr("results.lease.dt.datetime", None)
    beats = []
    for _ in range(3):
        time_.now += 2.0
        held.beat()
        beats.append(lease.read_holder(folder, 1).beat)
    assert beats == [1, 2, 3]


def test_frequent_beats_write_at_most_twice_an_interval(folder: StudyFolder) -> None:
    time_ = FakeTime()
    held = acquire(folder, clock=time_.clock)
    for _ in range(100):
        time_.now += 0.02
        held.beat()
    assert 1 <= lease.read_holder(folder, 1).beat <= 2


def test_a_holder_that_lost_its_lease_is_fenced(folder: StudyFolder) -> None:
    held = acquire(folder)
    claim_as_other(folder, pid=dead_pid())
    successor = acquire(folder)
    with pytest.raises(Fenced, match="epoch 1 lost its lease to epoch 2"):
        held.beat()
    with pytest.raises(Fenced):
        held.folder.write(folder.manifest, b"{}")
    assert not folder.manifest.exists()
    held.release()
    assert held_epoch(folder) == successor.epoch
    successor.folder.write(folder.manifest, b"{}")


def test_a_closed_lease_stays_closed_and_the_next_one_is_open(folder: StudyFolder) -> None:
    time_ = FakeTime()
    held = acquire(folder, clock=time_.clock)
    assert not lease.closed(held.folder)
    held.close()
    time_.now += 10
    held.beat()
    assert lease.closed(held.folder)
    held.release()
    following = acquire(folder)
    assert not lease.closed(following.folder)


def test_released_twice_and_beating_afterwards_is_harmless(folder: StudyFolder) -> None:
    time_ = FakeTime()
    held = acquire(folder, clock=time_.clock)
    held.release()
    held.release()
    time_.now += 10
    held.beat()
    assert lease.read_holder(folder, 1).released


def test_a_damaged_lease_file_is_one_line(folder: StudyFolder) -> None:
    acquire(folder)
    (folder.lease_dir / "000001.json").write_text("{")
    with pytest.raises(LeaseHeld, match="000001.json: damaged"):
        acquire(folder)


def test_unfinished_claims_are_no_claims(folder: StudyFolder) -> None:
    acquire(folder).release()
    (folder.lease_dir / ".000009.json.123-abc").write_text("{}")
    assert newest_epoch(folder) == 1


def race(root: Path, start: float, results: Queue[str]) -> None:
    while time.time() < start:
        pass
    try:
        held = acquire(StudyFolder(root), interval_seconds=0.5)
    except LeaseHeld as error:
        results.put(str(error))
        return
    results.put("won")
    for _ in range(40):  # alive for longer than any loser watches
        held.beat()
        time.sleep(0.05)


def test_of_claimers_that_race_exactly_one_wins(folder: StudyFolder) -> None:
    results: Queue[str] = SPAWN.Queue()
    start = time.time() + 1.5
    claimers = [SPAWN.Process(target=race, args=(folder.root, start, results)) for _ in range(4)]
    for claimer in claimers:
        claimer.start()
    outcomes = [results.get(timeout=30) for _ in claimers]
    for claimer in claimers:
        claimer.join()
    assert outcomes.count("won") == 1
    assert all("is being run by" in outcome for outcome in outcomes if outcome != "won")
    assert newest_epoch(folder) == 1


def test_a_link_lost_between_look_and_claim_is_refused(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two claimers saw the same newest epoch; the other links first."""
    winner = acquire(folder)
    monkeypatch.setattr(lease, "newest_epoch", lambda _: 0)
    with pytest.raises(LeaseHeld, match="is being run by"):
        acquire(folder, sleep=never_sleep)
    monkeypatch.undo()
    assert newest_epoch(folder) == winner.epoch == 1


def test_a_holder_is_plain_data(folder: StudyFolder) -> None:
    acquire(folder)
    holder = lease.read_holder(folder, 1)
    assert lease.Holder(**dataclasses.asdict(holder)) == holder


def test_a_release_that_a_disk_refused_is_made_up_for_by_the_next(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lease.acquire(folder)
    with monkeypatch.context() as full:
        full.setattr("results.lease.atomic_write", _refuse)
        held.release()
    assert lease.held_epoch(folder) == 1
    held.release()
    assert lease.held_epoch(folder) is None


def _refuse(*arguments: object, **options: object) -> None:
    raise OSError(errno.ENOSPC, "full")
