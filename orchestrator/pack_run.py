"""A pack: trials beside each other in one process, each what it would be alone.

Every place of the pack is a thread that runs one trial after another, on a stream of the device of
its own. Whatever waits (for the device, for a disk, for a report) waits alone, and what one trial
raises ends that trial alone.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence

import torch

from grids.trial import Trial
from orchestrator.runs import Run, start
from orchestrator.trial_run import device_of, opened
from orchestrator.watchdog import HANG_SECONDS, Pace
from orchestrator.work import Unit
from results.lease import Fenced
from trainers.capture import CaptureError
from trainers.pack import best_size, on_stream, stream_of
from trainers.process import prepare_for_training

ADVANCE_SECONDS = 1.0  # how long an interruption waits for a thread


class Meter:
    """The seconds that each of those who share have had: time divided by how many they were."""

    def __init__(self, sharing: int, clock: Callable[[], float]) -> None:
        self._sharing, self._clock = sharing, clock
        self._since, self._seconds = clock(), 0.0
        self._lock = threading.Lock()

    def seconds(self) -> float:
        with self._lock:
            return self._until_now()

    def leave(self) -> None:
        with self._lock:
            self._seconds = self._until_now()
            self._since = self._clock()
            self._sharing -= 1

    def _until_now(self) -> float:
        return self._seconds + (self._clock() - self._since) / max(1, self._sharing)


class PackRun:
    """A Run of several units of training. `failures` are tracebacks by trial id."""

    def __init__(
        self,
        units: Sequence[Unit],
        *,
        make_run: Callable[..., Run] = start,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.make_run, self.clock = make_run, clock
        self.device = device_of(units[0].resources)
        self.failures: dict[str, str] = {}
        self._waiting = deque(units)
        self._steps = dict.fromkeys((unit.trial.trial_id for unit in units), 0)
        self._runs: dict[int, Run] = {}
        self._threads: list[threading.Thread] = []
        self._stop = threading.Event()
        self._ending: Exception | None = None

    @property
    def step(self) -> int:
        """Steps of all its trials."""
        return sum(self._steps.values())

    def advance(self, seconds: float) -> bool:
        """Lets the threads work for so long; True once no trial is left.

        Raises what ends all of them: `Fenced` when a newer driver has taken the study over, an
        error after which the device is of no more use to this process.
        """
        if not self._threads and not self._begin():
            return True
        deadline = self.clock() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - self.clock()))
        if self._ending is not None:
            raise self._ending
        return not any(thread.is_alive() for thread in self._threads)

    def interrupt(self) -> None:
        """Ends all trials as `TrialRun.interrupt` does; those that wait are not begun."""
        self._stop.set()
        deadline = self.clock() + HANG_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - self.clock()))

    def paces(self) -> list[Pace]:
        return [pace for run in list(self._runs.values()) for pace in run.paces()]

    def abandon(self, error: str) -> None:
        """All its trials end with `error`, since all have one process; each is then tried alone."""
        for run in list(self._runs.values()):
            run.abandon(error)

    def _begin(self) -> bool:
        """Whether anything is left to begin: a trial whose data are missing, say, fails alone."""
        size = 0
        while self._waiting and not size:
            first = self._waiting[0]
            try:
                size = min(self._size(first), len(self._waiting))
            except Exception as error:
                if _broken(self.device, error):
                    raise
                self.failures[first.trial.trial_id] = traceback.format_exc()
                self._waiting.popleft()
        self._meter = Meter(size, self.clock)
        for place in range(size):
            # A daemon: a trial that hangs does not keep the process.
            thread = threading.Thread(target=self._work, args=(place,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return size > 0

    def _size(self, first: Unit) -> int:
        if first.resources.pack is not None:
            return first.resources.pack
        assert isinstance(first.trial, Trial)
        if self.device.type == "cpu":
            return 1
        prepare_for_training()
        dataset = opened(first.trial.dataset, first.data, self.device)
        most = len(self._waiting)
        return best_size(first.trial, dataset, self.device, self.clock, most)

    def _work(self, place: int) -> None:
        try:
            with on_stream(stream_of(self.device, place)):
                while not self._stop.is_set() and self._waiting:
                    try:
                        unit = self._waiting.popleft()
                    except IndexError:  # another thread was first
                        return
                    self._run(unit, place)
        except Exception as error:
            self._end(error)
        finally:
            self._runs.pop(place, None)
            self._meter.leave()

    def _run(self, unit: Unit, place: int) -> None:
        trial_id = unit.trial.trial_id
        try:
            run = self.make_run(unit, cpu_clock=_cpu_clock(), share_clock=self._meter.seconds)
            self._runs[place] = run
            finished = False
            while not finished:
                finished = run.advance(ADVANCE_SECONDS)
                self._steps[trial_id] = run.step
                if self._stop.is_set() and not finished:
                    run.interrupt()
                    return
        except Fenced as fenced:
            self._end(fenced)
        except Exception as error:
            self.failures[trial_id] = traceback.format_exc()
            if _broken(self.device, error):
                self._end(error)

    def _end(self, error: Exception) -> None:
        self._ending = self._ending or error
        self._stop.set()


def _cpu_clock() -> Callable[[], float]:
    """The CPU seconds of this thread, from whatever thread it is asked."""
    if not hasattr(time, "pthread_getcpuclockid"):  # macOS
        return time.thread_time
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


def _broken(device: torch.device, error: Exception) -> bool:
    """Whether what went wrong leaves the device, as this process has it, unusable."""
    if isinstance(error, CaptureError):
        return True
    if device.type == "cpu":
        return False
    try:
        return bool(torch.ones(1, device=device).item() != 1)
    except RuntimeError:
        return True
