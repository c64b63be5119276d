"""The pool of scoring tasks: one actor that looks at the queue of code files, and tasks it starts.

The actor holds no CPU and stands outside every placement group, so trainers can never starve it.
It is told nothing: it finds code files by itself, so there is no message to lose. Where it dies,
the sweep starts another one, which finds the same files.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ray

from grids.settings import Evaluate
from orchestrator.scoring import CodeFile, ScoringQueue, score_files
from orchestrator.watchdog import HANG_SECONDS
from orchestrator.work import ScoreKey
from results.lease import Fenced
from results.objects import Identity
from results.store import StudyFolder

LOOK_SECONDS = 0.5


class PoolState(NamedTuple):
    """`waiting` counts files that lack scores; `error` is why the pool cannot look at them now."""

    waiting: int
    gave_up: dict[str, str]
    error: str | None


@ray.remote(max_retries=0)
def score_task(folder: StudyFolder, task: Sequence[CodeFile]) -> dict[ScoreKey, Identity | None]:
    # Trainers go first: on a full machine scoring takes what they leave. (Ray's workers have 15.)
    os.setpriority(os.PRIO_PROCESS, 0, 19)
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=sys.stderr)
    try:
        return score_files(folder, task)
    finally:
        faulthandler.cancel_dump_traceback_later()


class MetricPool:
    """Keeps at most `max_tasks` scoring tasks running, each holding `cpus_a_task` CPUs."""

    def __init__(
        self,
        folder: StudyFolder,
        evaluate: Evaluate,
        steps: Mapping[str, int],
        cells: Mapping[str, tuple[str, ...]],
        max_tasks: int,
        cpus_a_task: float,
    ) -> None:
        self.queue = ScoringQueue(folder, evaluate, steps, cells)
        self.resize(max_tasks, cpus_a_task)
        self.options: dict[str, Any] = {
            "name": "score " + ",".join(evaluate.metrics),
            "scheduling_strategy": "SPREAD",
            # Ray 2.60 shows every GPU to tasks that asked for none.
            "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}},
        }
        self.running: dict[ray.ObjectRef[dict[ScoreKey, Identity | None]], Sequence[CodeFile]] = {}
        self.draining = False
        self.state = PoolState(len(self.queue.waiting_files()), {}, None)
        threading.Thread(target=self._work, daemon=True).start()

    def status(self) -> PoolState:
        return self.state

    def pid(self) -> int:
        return os.getpid()

    def resize(self, max_tasks: int, cpus_a_task: float) -> None:
        """For tasks that are started from now on."""
        self.max_tasks, self.cpus_a_task = max_tasks, cpus_a_task

    def drain(self, seconds: float) -> None:
        """Starts no further task and waits for the running ones, about so long at most."""
        self.draining = True
        end = time.monotonic() + seconds
        while self.running and time.monotonic() < end:
            time.sleep(0.05)

    def _work(self) -> None:
        while True:
            try:
                self._look()
                waiting = len(self.queue.waiting_files())
                self.state = PoolState(waiting, self.queue.gave_up(), None)
            except Fenced:
                return  # the driver finds it out by itself
            except Exception:  # a listing may fail for a while; a dead thread would hang the sweep
                self.state = self.state._replace(error=traceback.format_exc())
            if not self.running or self.state.error:
                time.sleep(LOOK_SECONDS)

    def _look(self) -> None:
        """Starts what can be started, and takes back what has ended within half a second."""
        self.queue.drop_settled()
        while (
            not self.draining
            and len(self.running) < self.max_tasks
            and (files := self.queue.take())
        ):
            options = {**self.options, "num_cpus": self.cpus_a_task}
            started = score_task.options(**options).remote(self.queue.folder, files)
            self.running[started] = files
        if not self.running:
            return
        done, _ = ray.wait(list(self.running), num_returns=1, timeout=LOOK_SECONDS)
        for reference in done:
            error, lacking = None, {}
            try:
                lacking = ray.get(reference)
            except ray.exceptions.RayError as failure:
                error = str(failure)
            self.queue.settle(self.running.pop(reference), error, lacking)
