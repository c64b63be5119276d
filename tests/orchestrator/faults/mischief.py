"""What goes wrong in the workers of a test: they read it from the file `mischief` under `--out`.

Keys: `pause` (patterns: the first write of a file like the first one stops half way and for good,
its process named in `paused-0`; then one like the second, and so on), `hang` and `hoard` (seeds of
trials that hang, or take ever more memory; with `once` in their first try only), `clock` (that of
the ledger goes back an hour whenever it is asked), `full` (a kind of write: the small disk that
`--out` is fills up at the first one). The last two are the driver's, too. Every run says in `true/`
(or where `true` says) when its account was opened, after every step that it still goes on, and when
it was closed: the time that the ledger must know of.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ray

from orchestrator import metric_pool, scoring, trial_run, watchdog
from orchestrator.metric_pool import MetricPool
from orchestrator.trainer_actor import TrainerActor
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit, from_json
from results import ledger
from results.files import Location
from results.store import StudyFolder
from tests.orchestrator.faults.small_disk import SmallDisk, fill_at
from trainers.fit import Training

STEP_SECONDS = 0.05
OUTSIDE = "outside"
MOST_HOARDED = 1500 * 2**20  # the machine itself is never at risk
installed = False
mischief: dict[str, Any] = {}


def disturb(root: Location) -> None:
    """What a driver suffers as well as its workers."""
    what = told(root.parent)
    if kind := what.get("full"):
        assert isinstance(root, Path)
        fill_at(SmallDisk(root.parent), root, kind, setattr)
    if what.get("clock"):
        from tests.orchestrator.faults.test_clock import JumpingBack

        ledger.dt = type("dt", (), {**vars(ledger.dt), "datetime": JumpingBack})  # type: ignore


def told(out: Location) -> dict[str, Any]:
    try:
        return dict(json.loads((out / "mischief").read_text()))
    except FileNotFoundError:
        return {}


def install(root: Location) -> None:
    """In this process, once."""
    global installed
    if installed:
        return
    installed = True
    out = root.parent
    mischief.update(told(out))
    mischief["true"] = Path(mischief.get("true", out / "true"))
    trial_run.CHECKPOINT_SECONDS = 0.5
    trial_run.CHECKPOINT_SECONDS_BEFORE_CODES = 0.5
    watchdog.FLOOR_SECONDS = 5.0
    pause_at(out, mischief.get("pause", []))
    disturb(root)


def pause_at(out: Location, patterns: Sequence[str]) -> None:
    if not patterns:
        return
    right = StudyFolder.replacing

    @contextlib.contextmanager
    def replacing(self: StudyFolder, path: Path, *, durable: bool = True) -> Iterator[Path]:
        with right(self, path, durable=durable) as temporary:
            yield temporary
            turn = len(list(out.glob("paused-*")))
            name = str(path.relative_to(self.root))
            if turn < len(patterns) and re.fullmatch(patterns[turn], name):
                with (
                    contextlib.suppress(FileExistsError),
                    open(out / f"paused-{turn}", "x") as file,
                ):
                    os.truncate(temporary, temporary.stat().st_size // 2)
                    file.write(str(os.getpid()))
                    file.flush()
                    time.sleep(600)

    StudyFolder.replacing = replacing  # type: ignore[method-assign]


class TrueClock:
    """What a run says of itself, in a file of its own: moments within its account and, marked so,
    outside, before it was opened and after it was closed."""

    def __init__(self, trial_id: str, before: float) -> None:
        mischief["true"].mkdir(exist_ok=True)
        self._path = mischief["true"] / f"{trial_id}-{os.getpid()}-{secrets.token_hex(4)}"
        self._path.write_text(f"{before} {OUTSIDE}\n")
        self.mark = ""
        self.say()

    def say(self) -> None:
        # The time first: a moment after the account was closed is never said to be within.
        line = f"{time.monotonic()} {self.mark}\n"
        with open(self._path, "a") as file:
            file.write(line)


class MischievousTraining(Training):
    """Slow enough to be killed in the middle, with the very same answers."""

    def __init__(self, clock: TrueClock, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.clock = clock
        self.steps_here = 0
        self.hoard: list[bytearray] = []

    def advance(self, steps: int) -> None:
        for _ in range(steps):
            time.sleep(STEP_SECONDS)
            super().advance(1)
            self.clock.say()
            self.steps_here += 1
            # Not at once: of a process' first chunks nobody knows how long they take.
            if self.step >= 20 and self.steps_here > 5 and self.is_to("hang"):
                while True:
                    time.sleep(0.5)
                    self.clock.say()
            hoards = self.is_to("hoard")
            while hoards and len(self.hoard) < self.step:  # by the step, as it may go on from one
                assert watchdog.own_bytes() < MOST_HOARDED, "nobody has ended this trial"
                self.hoard.append(bytearray(os.urandom(1)) * (20 * 2**20))

    def is_to(self, what: str) -> bool:
        if self.trial.seed != mischief.get(what):
            return False
        tries = list(mischief["true"].glob(f"{self.trial.trial_id}-*"))
        return len(tries) == 1 or not mischief.get("once")


class MischievousRun(TrialRun):
    def __init__(self, unit: Unit, **options: Any) -> None:
        before = time.monotonic()
        super().__init__(unit, make_training=self._training, **options)
        self.true_clock = TrueClock(self.trial.trial_id, before)
        close = self.attempt.close

        def close_and_say(*arguments: Any, **options: Any) -> None:
            self.true_clock.say()
            self.true_clock.mark = OUTSIDE  # what hangs goes on until its process ends
            close(*arguments, **options)
            self.true_clock.say()

        self.attempt.close = close_and_say  # type: ignore[method-assign]

    def _training(self, *arguments: Any) -> Training:
        return MischievousTraining(self.true_clock, *arguments)


class MischievousActor(TrainerActor):
    make_run = MischievousRun

    def setup(self, config: dict[str, Any]) -> None:
        install(from_json(config["units"])[0].root)
        super().setup(config)


def score(folder: StudyFolder, task: Sequence[Any]) -> Any:
    install(folder.root)
    return scoring.score_files(folder, task)


class MischievousPool(MetricPool):
    def __init__(self, *arguments: Any) -> None:
        metric_pool.score_task = ray.remote(max_retries=0)(score)  # of the actor's own process
        super().__init__(*arguments)
