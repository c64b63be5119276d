"""Processes and nodes of a real cluster that die, hang, or take too much, under a study."""

from __future__ import annotations

import functools
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

from grids.load import Grid
from results import load
from tests.orchestrator.conftest import answers
from tests.orchestrator.faults.conftest import Driver, FaultCluster
from tests.orchestrator.faults.small_disk import BEFORE, OF_CELLS, OF_RUNS, SmallDisk
from tests.orchestrator.faults.watching import (
    Polling,
    assert_accounted,
    assert_clean,
    trial_attempts,
)
from tests.orchestrator.waiting import wait_for

pytestmark = pytest.mark.ray

PATIENCE = 300.0  # seconds in which processes start on a busy machine
STEPS = {"steps": 60, "every": 20}
Drive = Callable[[Path], Driver]
Accounted = Callable[..., int]


def running(root: Path) -> list[int]:
    """The processes of trials that have done some steps and go on."""
    if not root.exists() or not list(root.glob("checkpoints/*/*.pt")):
        return []
    attempts = trial_attempts(root)
    attempts = attempts[attempts["outcome"] == "running"]
    return [
        int(row.pid)
        for row in attempts.itertuples()
        if any(
            len(path.read_text().splitlines()) > 3
            for path in root.parent.glob(f"true/{row.trial_id}-{row.pid}-*")
        )
    ]


@pytest.fixture
def accounted() -> Accounted:
    """`assert_accounted` since the test began."""
    return functools.partial(assert_accounted, time.monotonic())


def mischief(out: Path, **what: Any) -> None:
    out.mkdir(exist_ok=True)
    (out / "mischief").write_text(json.dumps(what))


def completed(driver: Driver) -> None:
    code, text = driver.finish()
    assert code == 0, text
    assert "stopped: None; unscored: {}" in text, text


def test_a_node_that_goes_without_grace_costs_its_attempts_and_no_row(
    tiny_grid: Any,
    tmp_path: Path,
    drive: Drive,
    cluster: FaultCluster,
    unharmed: Any,
    accounted: Accounted,
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
    assert accounted(root) >= 1


WRITES_IN_TURN = [
    r"checkpoints/.*\.pt",
    r"codes/.*\.npz",
    r"_rows/scores/.*\.json",
    r"models/.*\.pt",
    r"_rows/trials/.*\.json",
]


@pytest.mark.slow
def test_workers_killed_at_every_stage_and_the_pool_cost_their_attempts_and_no_row(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any, accounted: Accounted
) -> None:
    """Half way through each kind of write, in training, and the pool; by clocks that jump back."""
    grid = tiny_grid(seeds="[0, 1, 2, 3, 4, 5, 6]", **STEPS)
    out = tmp_path / "out"
    mischief(out, pause=WRITES_IN_TURN, clock=True)
    with Polling(root := out / "tiny"):
        driver = drive(out)
        for turn in range(len(WRITES_IN_TURN)):
            paused = out / f"paused-{turn}"
            wait_for(lambda path=paused: path.exists() and path.read_text(), seconds=PATIENCE)
            pid = int(paused.read_text())
            if turn == 0:
                others = wait_for(lambda own=pid: set(running(root)) - {own}, seconds=PATIENCE)
                os.kill(others.pop(), signal.SIGKILL)  # in training
            if "scores" in WRITES_IN_TURN[turn]:
                [pool] = descendants_named("ray::MischievousPool")
                os.kill(pool, signal.SIGKILL)  # while its task is under way
            os.kill(pid, signal.SIGKILL)
        completed(driver)
    unharmed(grid, root)
    assert accounted(root) == len(WRITES_IN_TURN)  # scores, but not training, out


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
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any, accounted: Accounted
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2, 3]", steps=400, every=50)
    out = tmp_path / "out"
    moments = random.Random(0)
    with Polling(root := out / "tiny"):
        for kill in range(1, 21):
            driver = drive(out)
            wait_for(lambda n=kill: epochs(root) == n, seconds=PATIENCE)
            if kill % 2:  # else while processes start, maybe
                wait_for(lambda: running(root), seconds=PATIENCE)
            time.sleep(moments.uniform(0.0, 3.0 if kill % 2 else 8.0))
            assert driver.process.poll() is None, "the study was done too early"
            driver.process.kill()
            driver.finish()
        completed(drive(out))
    unharmed(grid, root)
    assert accounted(root) >= 10


def epochs(root: Path) -> int:
    return len(list(root.glob("lease/[0-9]*.json")))


@pytest.mark.slow
def test_drivers_that_come_at_once_are_terminated_or_sleep_leave_the_rows_of_one(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any, accounted: Accounted
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2]", steps=200, every=50)
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        both = [drive(out), drive(out)]
        wait_for(lambda: running(root), seconds=PATIENCE)
        [refused] = [d for d in both if wait_for_end(d, seconds=20)]
        code, text = refused.finish()
        assert code == 1 and "study tiny is being run by host" in text.strip().splitlines()[-1]

        [first] = [driver for driver in both if driver is not refused]
        first.process.send_signal(signal.SIGTERM)
        code, text = first.finish()
        assert code == 1 and "stopped: interrupted" in text
        assert set(trial_attempts(root)["outcome"]) <= {"interrupted", "completed"}

        asleep = drive(out)
        wait_for(lambda: epochs(root) == 2 and running(root), seconds=PATIENCE)
        asleep.process.send_signal(signal.SIGSTOP)
        last = drive(out)
        wait_for(lambda: epochs(root) == 3, seconds=PATIENCE)
        time.sleep(1.0)
        asleep.process.send_signal(signal.SIGCONT)
        code, text = asleep.finish()
        assert code == 1 and "epoch 2 lost its lease to epoch 3; this process stops" in text
        completed(last)
    unharmed(grid, root)
    accounted(root)


def wait_for_end(driver: Driver, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while driver.process.poll() is None and time.monotonic() < end:
        time.sleep(0.1)
    return driver.process.poll() is not None


@pytest.mark.slow
@pytest.mark.parametrize("pack", [1, 3])
def test_trials_that_hang_or_hoard_memory_end_failed_with_why_and_the_rest_complete(
    tiny_grid: Any,
    tmp_path: Path,
    drive: Drive,
    undisturbed: Any,
    accounted: Accounted,
    pack: int,
) -> None:
    more = f"resources: {{memory: 1GiB, pack: {pack}}}"
    grid = tiny_grid(seeds="[0, 1, 2]", **STEPS, more=more)
    out = tmp_path / "out"
    mischief(out, hang=1, hoard=2)
    with Polling(root := out / "tiny"):
        completed(drive(out))
    rows = load(root).trials.set_index("seed")
    assert rows["status"].to_dict() == {0: "completed", 1: "failed", 2: "failed"}
    hung, hoarded = rows.loc[1, "error"].strip(), rows.loc[2, "error"].strip()
    assert "TimeoutError: a chunk of steps has not ended after " in hung.splitlines()[-1]
    assert 'mischief.py", line' in hung
    assert hoarded.startswith("MemoryError: the process holds 1.") and "memory)" in hoarded
    attempts = trial_attempts(root)
    for trial in grid.trials[1:]:
        tries = attempts[attempts["trial_id"] == trial.trial_id]["outcome"].tolist()
        assert tries == ["failed"] * 3
    ours, theirs = answers(root), answers(undisturbed(grid))
    assert_clean(root, failed={trial.trial_id for trial in grid.trials[1:]})
    accounted(root)
    for table in ("trials", "scores", "curves"):
        kept = [
            rows[rows["trial_id"] == grid.trials[0].trial_id]
            for rows in (ours[table], theirs[table])
        ]
        pd.testing.assert_frame_equal(
            *(rows.reset_index(drop=True) for rows in kept), check_exact=True
        )


@pytest.mark.slow
def test_trials_that_hang_or_hoard_memory_once_complete_in_their_next_try(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any, accounted: Accounted
) -> None:
    grid = tiny_grid(seeds="[0, 1, 2]", **STEPS, more="resources: {memory: 1GiB}")
    out = tmp_path / "out"
    mischief(out, hang=1, hoard=2, once=True)
    with Polling(root := out / "tiny"):
        completed(drive(out))
    unharmed(grid, root)
    assert accounted(root) == 0
    failed = trial_attempts(root).query("outcome == 'failed'")
    assert sorted(failed["trial_id"]) == sorted(trial.trial_id for trial in grid.trials[1:])


@pytest.mark.slow
def test_checkpoints_truncated_while_nobody_trains_fall_back_to_the_ones_before(
    tiny_grid: Any, tmp_path: Path, drive: Drive, unharmed: Any, accounted: Accounted
) -> None:
    grid = tiny_grid(steps=600, every=150)  # long enough that all train at one moment
    out = tmp_path / "out"
    with Polling(root := out / "tiny"):
        driver = drive(out)
        wait_for(lambda: all(len(kept) == 2 for kept in checkpoints_of(grid, root)), PATIENCE)
        driver.process.kill()
        driver.finish()
        wait_for(lambda: not descendants_named("ray::MischievousActor"))
        older = set()
        for kept in checkpoints_of(grid, root):
            before, newest = sorted(kept, key=step_of)
            os.truncate(newest, newest.stat().st_size // 2)
            older.add(step_of(before))
        completed(drive(out))
    resumed = trial_attempts(root).query("epoch == 2")
    assert set(resumed["start_step"]) == older
    unharmed(grid, root)
    accounted(root)


def checkpoints_of(grid: Grid, root: Path) -> list[list[Path]]:
    return [list(root.glob(f"checkpoints/{t.trial_id}/[!.]*.pt")) for t in grid.trials]


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.split(".")[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", OF_RUNS)
def test_a_disk_that_fills_up_at_a_write_under_a_cluster_costs_another_run_and_no_row(
    tiny_grid: Any,
    tmp_path: Path,
    drive: Drive,
    small_disk: SmallDisk,
    unharmed: Any,
    accounted: Accounted,
    kind: str,
) -> None:
    steps = 180 if kind == "beat" else 20  # nine seconds, or one
    metrics = ("factor_vae", "udr") if kind in OF_CELLS else ("", "")
    grid = tiny_grid(steps=steps, every=steps // 2, replace=metrics)
    true = tmp_path / "true"
    mischief(small_disk.path, full=kind, true=str(true))
    with Polling(root := small_disk.path / "tiny"):
        code, text = drive(small_disk.path).finish()
        assert small_disk.is_full, f"nothing of the kind was written: {text}"
        assert "No space left on device" in text, text
        if kind == "scores" and code == 0:  # all trials had ended: they are left to the next run
            assert "stopped: None; unscored: {'" in text, text
        else:
            assert code == 1
            assert ("stopped: no space is left: " in text) == (kind not in BEFORE), text
        wait_for(lambda: not descendants_named("ray::MischievousActor"))  # nobody fills it again
        small_disk.free()
        mischief(small_disk.path, true=str(true))
        completed(drive(small_disk.path))
    unharmed(grid, root)
    accounted(root, true)
