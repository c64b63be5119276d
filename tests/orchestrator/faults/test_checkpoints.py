"""A checkpoint that was torn or altered on its disk: the one before it takes its place."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator import checkpoints, trial_run
from orchestrator.local import run_local
from orchestrator.session import Session
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit
from results import load
from results.store import StudyFolder
from tests.orchestrator.faults.watching import Polling

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "shorter by a byte": lambda content: content[:-1],
    "garbage": lambda content: random.Random(0).randbytes(len(content)),
    "one bit": lambda content: content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
}


def newest_first(folder: StudyFolder, trial_id: str) -> list[Path]:
    return [path for path in checkpoints._newest_first(folder, trial_id) if isinstance(path, Path)]


def stop_at(session: Session, step: int) -> None:
    """Trains as a driver does that is killed at `step`."""

    class Killed(BaseException):
        pass

    def make_run(unit: Unit) -> TrialRun:
        run = TrialRun(unit)
        train = run._train

        def train_until(steps: int) -> bool:
            if run.step >= step:
                raise Killed
            return train(1)

        run._train = train_until  # type: ignore[method-assign]
        return run

    with pytest.raises(Killed):
        run_local(session, make_run=make_run)


@pytest.fixture(autouse=True)
def checkpoints_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_run, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(trial_run, "CHECKPOINT_SECONDS_BEFORE_CODES", 0.0)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(damage, marks=() if name in ("truncated", "one bit") else pytest.mark.slow)
        for name, damage in DAMAGE.items()
    ],
    ids=[name for name in DAMAGE],
)
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    tiny_grid: Any, tmp_path: Path, run: Any, unharmed: Any, damage: Callable[[bytes], bytes]
) -> None:
    grid = tiny_grid(seeds="[0]")
    trial_id = grid.trials[0].trial_id
    with Polling(tmp_path / "tiny") as reader:
        session = run(grid, tmp_path, functools.partial(stop_at, step=4))
        kept = newest_first(session.folder, trial_id)
        assert [int(path.name.split(".")[1]) for path in kept] == [4, 3]
        kept[0].write_bytes(damage(kept[0].read_bytes()))
        reader.wait_for_looks()
        run(grid, tmp_path)
    resumed = load(session.folder.root).attempts.query("kind == 'trial' and epoch == 2")
    assert resumed["start_step"].tolist() == [3]
    assert "the checkpoint of step 4 is damaged" in session.folder.log(trial_id).read_text()
    unharmed(grid, session.folder.root)


def test_a_damaged_checkpoint_does_not_take_the_place_of_a_good_one(
    tiny_grid: Any, tmp_path: Path, run: Any
) -> None:
    grid = tiny_grid(seeds="[0]", steps=20)
    trial_id = grid.trials[0].trial_id
    folder = run(grid, tmp_path, functools.partial(stop_at, step=10)).folder
    newest_first(folder, trial_id)[0].write_bytes(b"")
    folder = run(grid, tmp_path, functools.partial(stop_at, step=10)).folder
    good = [path for path in newest_first(folder, trial_id) if path.stat().st_size]
    assert len(good) == checkpoints.KEPT


def test_where_both_are_damaged_the_trial_begins_anew(
    tiny_grid: Any, tmp_path: Path, run: Any, unharmed: Any
) -> None:
    grid = tiny_grid(seeds="[0]")
    with Polling(tmp_path / "tiny") as reader:
        folder = run(grid, tmp_path, functools.partial(stop_at, step=4)).folder
        for path in newest_first(folder, grid.trials[0].trial_id):
            path.write_bytes(DAMAGE["truncated"](path.read_bytes()))
        reader.wait_for_looks()
        run(grid, tmp_path)
    unharmed(grid, folder.root)
