"""Processes and nodes of a real cluster that die, hang, or take too much, under a study."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from results import load
from results.ledger import BEAT_SECONDS
from tests.orchestrator.faults.conftest import Driver, FaultCluster, SmallDisk
from tests.orchestrator.faults.mischief import true_seconds
from tests.orchestrator.faults.watching import Polling
from tests.orchestrator.waiting import wait_for

pytestmark = pytest.mark.ray

PATIENCE = 300.0  # seconds in which processes start on a busy machine
STEPS = {"steps": 60, "every": 20}
Drive = Callable[[Path], Driver]


def trial_attempts(root: Path) -> pd.DataFrame:
    return load(root).attempts.query("kind == 'trial'")


def running(root: Path) -> list[int]:
    """The processes of trials that have done some steps."""
    if not root.exists() or not list(root.glob("checkpoints/*/*.pt")):
        return []
    attempts = trial_attempts(root)
    return [int(pid) for pid in attempts["pid"][attempts["outcome"] == "running"]]


def assert_accounted(out: Path, root: Path) -> int:
    """The ledger has the time that trainings themselves measured, but for a beat a lost process.

    Returns how many were lost.
    """
    attempts = trial_attempts(root)
    assert not set(attempts["outcome"]) & {"running"}
    lost = attempts[attempts["outcome"] == "lost"]
    assert lost["lower_bound"].all()
    # What a beat says is written a moment after it was due.
    a_loss = BEAT_SECONDS + 2.0
    assert attempts["wall_seconds"].sum() >= true_seconds(out) - a_loss * len(lost)
    return len(lost)


def mischief(out: Path, **what: Any) -> None:
    out.mkdir(exist_ok=True)
    (out / "mischief").write_text(json.dumps(what))


def completed(driver: Driver) -> None:
    code, text = driver.finish()
    assert code == 0, text
    assert "stopped: None; unscored: {}" in text, text


def test_a_node_that_goes_without_grace_costs_its_attempts_and_no_row(
    tiny_grid: Any, tmp_path: Path, drive: Drive, cluster: FaultCluster, unharmed: Any
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2]", **STEPS)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        driver = drive(out)
        wait_for(lambda: len(running(root)) == 2, seconds=PATIENCE)
        cluster.remove_node()
        completed(driver)
    cluster.add_node()
    unharmed(grid, root)
    assert assert_accounted(out, root) >= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "pattern",
    [
        r"checkpoints/.*\.pt",
        r"codes/.*\.npz",
        r"_rows/scores/.*\.json",
        r"_rows/trials/.*\.json",
        r"models/.*\.pt",
        r"attempts/.*\.beat\.json",
    ],
    ids=["checkpoint", "codes", "scores", "row", "weights", "beat"],
)
def test_a_worker_that_is_killed_half_way_through_a_write_costs_an_attempt_and_no_row(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any, pattern: str
) -> None:
    beats = "beat" in pattern
    grid = tiny_grid(steps=160 if beats else 60, every=20)
    out = tmp_path / "out"
    mischief(out, pause=pattern)
    paused = out / "paused"
    with Polling(root := out / "tiny"):
        driver = drive(out)
        pid = int(wait_for(lambda: paused.exists() and paused.read_text(), seconds=PATIENCE))
        os.kill(pid, signal.SIGKILL)
        completed(driver)
    unharmed(grid, root)
    assert assert_accounted(out, root) == ("scores" not in pattern)


@pytest.mark.slow
def test_a_worker_that_is_killed_while_it_trains_costs_an_attempt_and_no_row(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        driver = drive(out)
        os.kill(wait_for(lambda: running(root), seconds=PATIENCE)[0], signal.SIGKILL)
        completed(driver)
    unharmed(grid, root)
    assert assert_accounted(out, root) == 1
    assert (trial_attempts(root)["start_step"] > 0).sum() == 1


@pytest.mark.slow
def test_a_pool_that_is_killed_costs_no_score(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        driver = drive(out)
        wait_for(lambda: running(root), seconds=PATIENCE)
        pools = [pid for pid in descendants_named("ray::MischievousPool")]
        assert len(pools) == 1
        os.kill(pools[0], signal.SIGKILL)
        completed(driver)
    unharmed(grid, root)


def descendants_named(name: str) -> list[int]:
    """Processes of this name whose cluster was started by this test."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                title = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(name.encode()) and is_below(int(entry.name), os.getpid()):
                found.append(int(entry.name))
    return found


def is_below(pid: int, ancestor: int) -> bool:
    while pid > 1:
        if pid == ancestor:
            return True
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return False


@pytest.mark.slow
def test_a_driver_that_is_killed_at_twenty_moments_loses_no_row(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3]", steps=400, every=50)
    out = tmp_path / "out"
    moments = random.Random(0)
    with Polling(root := out / "tiny"):
        for kill in range(1, 21):
            driver = drive(out)
            wait_for(lambda n=kill: epochs(root) == n, seconds=PATIENCE)
            time.sleep(moments.uniform(0.0, 8.0))
            assert driver.process.poll() is None, "the study was done too early"
            driver.process.kill()
            driver.finish()
        completed(drive(out))
    unharmed(grid, root)
    assert_accounted(out, root)


def epochs(root: Path) -> int:
    return len(list(root.glob("lease/[0-9]*.json")))


@pytest.mark.slow
def test_a_driver_that_is_terminated_keeps_what_was_trained(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        driver = drive(out)
        wait_for(lambda: running(root), seconds=PATIENCE)
        driver.process.send_signal(signal.SIGTERM)
        code, text = driver.finish()
        assert code == 1 and "stopped: interrupted" in text
        assert set(trial_attempts(root)["outcome"]) == {"interrupted"}
        completed(drive(out))
    unharmed(grid, root)
    assert assert_accounted(out, root) == 0


@pytest.mark.slow
def test_a_driver_that_was_asleep_while_another_took_over_stops_with_a_line(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        asleep = drive(out)
        wait_for(lambda: running(root), seconds=PATIENCE)
        asleep.process.send_signal(signal.SIGSTOP)
        second = drive(out)
        wait_for(lambda: epochs(root) == 2, seconds=PATIENCE)
        time.sleep(1.0)
        asleep.process.send_signal(signal.SIGCONT)
        code, text = asleep.finish()
        assert code == 1 and "epoch 1 lost its lease to epoch 2; this process stops" in text
        completed(second)
    unharmed(grid, root)
    assert_accounted(out, root)


@pytest.mark.slow
def test_of_two_drivers_one_works_and_the_other_is_refused_in_a_line(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        drivers = [drive(out), drive(out)]
        ended = [driver.finish() for driver in drivers]
    assert sorted(code for code, _ in ended) == [0, 1], ended
    [refused] = [text for code, text in ended if code == 1]
    assert "study tiny is being run by host" in refused.strip().splitlines()[-1]
    unharmed(grid, root)
    assert assert_accounted(out, root) == 0


@pytest.mark.slow
@pytest.mark.parametrize("pack", [1, 2])
def test_a_trial_that_hangs_is_ended_by_its_own_pace_and_the_rest_complete(
    tiny_grid: Any, tmp_path: Path, drive: Drive, pack: int
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2]", **STEPS, more=f"resources: {{pack: {pack}}}")
    out = tmp_path / "out"
    mischief(out, hang=1)
    with Polling(root := out / "tiny"):
        completed(drive(out))
    rows = load(root).trials.set_index("seed")
    assert rows["status"].to_dict() == {0: "completed", 1: "failed", 2: "completed"}
    error = rows.loc[1, "error"].strip()
    assert "TimeoutError: a chunk of steps has not ended after 5 s; " in error.splitlines()[-1]
    assert "time.sleep(600)" in error
    tries = trial_attempts(root).query(f"trial_id == '{grid.trials[1].trial_id}'")
    assert tries["outcome"].tolist() == ["failed"] * 3


@pytest.mark.slow
@pytest.mark.parametrize("pack", [1, 2])
def test_a_trial_over_its_memory_ends_failed_with_an_error_that_says_so_and_the_rest_complete(
    tiny_grid: Any, tmp_path: Path, drive: Drive, pack: int
) -> None:
    more = f"resources: {{memory: 1GiB, pack: {pack}}}"
    grid = tiny_grid(seeds="[0, 1, 2]", **STEPS, more=more)
    out = tmp_path / "out"
    mischief(out, hoard=1)
    with Polling(root := out / "tiny"):
        completed(drive(out))
    rows = load(root).trials.set_index("seed")
    assert rows["status"].to_dict() == {0: "completed", 1: "failed", 2: "completed"}
    error = rows.loc[1, "error"].strip()
    assert error.startswith("MemoryError: the process holds 1.") and "resources: memory" in error
    tries = trial_attempts(root).query(f"trial_id == '{grid.trials[1].trial_id}'")
    assert tries["outcome"].tolist() == ["failed"] * 3


@pytest.mark.slow
def test_a_clock_that_goes_back_in_every_worker_misleads_nobody(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    out = tmp_path / "out"
    mischief(out, clock=True)
    with Polling(root := out / "tiny"):
        driver = drive(out)
        os.kill(wait_for(lambda: running(root), seconds=PATIENCE)[0], signal.SIGKILL)
        completed(driver)
    unharmed(grid, root)
    assert assert_accounted(out, root) == 1


@pytest.mark.slow
def test_a_disk_that_fills_up_under_a_cluster_stops_it_and_a_later_run_finishes(
    tiny_grid: Any, drive: Drive, small_disk: SmallDisk, unharmed: Any
) -> None:
    grid = tiny_grid(**STEPS)
    with Polling(root := small_disk.path / "tiny"):
        driver = drive(small_disk.path)
        wait_for(lambda: running(root), seconds=PATIENCE)
        small_disk.fill()
        code, text = driver.finish()
        assert code == 1 and "stopped: no space is left: " in text, text
        small_disk.free()
        completed(drive(small_disk.path))
    unharmed(grid, root)
