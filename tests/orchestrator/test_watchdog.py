from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import watchdog
from orchestrator.pack_run import PackRun
from orchestrator.session import Session
from orchestrator.trial_run import TrialRun
from orchestrator.watchdog import FLOOR_SECONDS, HANG_SECONDS, LOOK_SECONDS, Pace, Watchdog
from results import load
from tests.orchestrator.waiting import wait_for
from trainers.fit import Training


class FakeRun:
    def __init__(self) -> None:
        self.now = 0.0
        self.pace = Pace(lambda: self.now)
        self.errors: list[str] = []

    def paces(self) -> list[Pace]:
        return [self.pace]

    def abandon(self, error: str) -> None:
        self.errors.append(error)

    def chunk(self, seconds: float) -> None:
        with self.pace.chunk():
            self.now += seconds


@pytest.fixture
def run_and_dog() -> Any:
    """A watchdog that looks only when it is told to."""
    run = FakeRun()
    dog = Watchdog(run, None, end_process=lambda code: None)
    dog.stop()
    return run, dog


def looks_until_error(dog: Watchdog, most: int = 100_000) -> int:
    return next(n for n in range(most) if dog.look())


@pytest.mark.parametrize(
    ("chunks", "seconds"),
    [
        ([], HANG_SECONDS),
        ([500.0], HANG_SECONDS),  # the first one compiles: it says nothing of the pace
        ([500.0, 1.0], FLOOR_SECONDS),
        ([500.0, 1.0, 10.0, 2.0], 20 * 10.0),
        ([500.0, 300.0], HANG_SECONDS),
    ],
)
def test_a_chunk_hangs_by_the_pace_of_those_before_it(
    run_and_dog: Any, chunks: list[float], seconds: float
) -> None:
    run, dog = run_and_dog
    for chunk in chunks:
        run.chunk(chunk)
    with run.pace.chunk():
        assert looks_until_error(dog) * LOOK_SECONDS == pytest.approx(seconds, abs=2)


def test_what_is_beside_training_is_given_half_an_hour(run_and_dog: Any) -> None:
    run, dog = run_and_dog
    for _ in range(3):
        run.chunk(1.0)
    assert looks_until_error(dog) * LOOK_SECONDS == pytest.approx(HANG_SECONDS, abs=2)


def test_a_process_that_was_stopped_for_hours_has_not_hung(run_and_dog: Any) -> None:
    run, dog = run_and_dog
    for _ in range(3):
        run.chunk(1.0)
    with run.pace.chunk():
        assert dog.look() is None
        run.now += 10 * HANG_SECONDS
        assert dog.look() is None


def test_the_error_tells_the_stack_of_what_hangs_and_the_pace(run_and_dog: Any) -> None:
    run, dog = run_and_dog
    for _ in range(3):
        run.chunk(1.0)

    def hang_here() -> str:
        with run.pace.chunk():
            return run.pace.hung()

    error = hang_here()
    assert "in hang_here" in error
    assert error.splitlines()[-1] == (
        "TimeoutError: a chunk of steps has not ended after 60 s; the longest chunk of steps "
        "before: 1 s"
    )


def test_more_memory_than_a_process_may_hold_ends_it() -> None:
    run, ended = FakeRun(), threading.Event()
    Watchdog(run, watchdog.own_bytes() + 50 * 2**20, end_process=lambda code: ended.set())
    assert not ended.wait(3 * LOOK_SECONDS)
    with mmap.mmap(-1, 100 * 2**20) as hoard:  # not of what the process has freed and kept
        hoard.write(b"x" * len(hoard))
        assert ended.wait(30)
    [error] = run.errors
    assert error.startswith("MemoryError: the process holds ") and "(resources: memory)" in error


def test_pages_of_files_that_all_share_are_nobodys_own(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(bytes(100 * 2**20))
    before = watchdog.own_bytes()
    with open(tmp_path / "images", "rb") as file:
        images = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        assert sum(images[::4096]) == 0
        assert watchdog.own_bytes() - before < 20 * 2**20
        images.close()


class HangsAtStepTwo(Training):
    release = threading.Event()

    def advance(self, steps: int) -> None:
        if self.trial.seed == 1 and self.step >= 2:
            self.release.wait(60)
        super().advance(1)


def pack(session: Session) -> PackRun:
    def make_run(unit: Any, **clocks: Any) -> TrialRun:
        return TrialRun(unit, make_training=HangsAtStepTwo, **clocks)

    return PackRun(session.missing(), make_run=make_run)


def alone(session: Session) -> TrialRun:
    units = {unit.trial.seed: unit for unit in session.missing()}
    return TrialRun(units[1], make_training=HangsAtStepTwo)


@pytest.mark.parametrize("make", [alone, pack])
def test_the_attempts_of_a_process_that_hangs_fail_with_its_stack(
    tiny_grid: Any,
    tmp_path: Path,
    run: Any,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Session], Any],
) -> None:
    monkeypatch.setattr(watchdog, "FLOOR_SECONDS", 1.0)
    monkeypatch.setattr(watchdog, "TIMES_THE_LONGEST", 1.0)
    HangsAtStepTwo.release.clear()

    def execute(session: Session) -> None:
        ended = threading.Event()

        def advance() -> None:
            working = made.append(make(session)) or made[0]  # type: ignore[func-returns-value]
            while not working.advance(0.1) and not ended.is_set():
                time.sleep(0.01)

        made: list[Any] = []
        thread = threading.Thread(target=advance, daemon=True)
        thread.start()
        working = wait_for(lambda: made)[0]
        Watchdog(working, None, end_process=lambda code: ended.set())
        assert ended.wait(60)
        HangsAtStepTwo.release.set()
        thread.join()
        working.interrupt()

    grid = tiny_grid(seeds="[0, 1]", steps=200, every=50, more="resources: {pack: 2}")
    attempts = load(run(grid, tmp_path, execute).folder.root).attempts
    failed = attempts[attempts["outcome"] == "failed"]
    assert set(failed["trial_id"]) >= {grid.trials[1].trial_id}
    assert failed["error"].str.contains("self.release.wait").all()
    assert failed["error"].str.contains("TimeoutError: a chunk of steps").all()
