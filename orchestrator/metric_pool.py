"""The pool of scoring tasks: one actor that looks at the queue of code files, and tasks it starts.

The actor holds no CPU and stands outside every placement group, so trainers can never starve it.
It is told nothing: it finds code files by itself, so there is no message to lose. Killed, it is
started again by Ray (or by the sweep) and finds the same files.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import ray

from grids.settings import Evaluate
from orchestrator.scoring import CodeFile, ScoringQueue, score_files
from results.lease import Fenced
from results.store import StudyFolder

LOOK_SECONDS = 0.5


class PoolState(NamedTuple):
    """`waiting` counts files that still lack scores, running tasks' files included."""

    waiting: int
    gave_up: dict[str, str]
    fenced: bool


@ray.remote(max_retries=0)
def score_task(folder: StudyFolder, task: Sequence[CodeFile]) -> None:
    # Trainers go first: on a full machine scoring takes what they leave.
    os.setpriority(os.PRIO_PROCESS, 0, 10)
    score_files(folder, task)


class MetricPool:
    """Starts at most `max_tasks` scoring tasks at a time, each holding `cpus_a_task` CPUs."""

    def __init__(
        self,
        folder: StudyFolder,
        evaluate: Evaluate,
        steps: Mapping[str, int],
        max_tasks: int,
        cpus_a_task: float,
    ) -> None:
        self.queue = ScoringQueue(folder, evaluate, steps)
        self.max_tasks = max_tasks
        self.options = {
            "name": "score " + ",".join(evaluate.metrics),
            "num_cpus": cpus_a_task,
            "scheduling_strategy": "SPREAD",
            # Ray 2.60 shows every GPU to tasks that asked for none.
            "runtime_env": {"env_vars": {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}},
        }
        self.state = PoolState(len(self.queue.waiting()), {}, False)
        threading.Thread(target=self._work, daemon=True).start()

    def status(self) -> PoolState:
        return self.state

    def pid(self) -> int:
        return os.getpid()

    def _work(self) -> None:
        running: dict[ray.ObjectRef[None], Sequence[CodeFile]] = {}
        while not self.state.fenced:
            while len(running) < self.max_tasks and (files := self.queue.take()):
                started = score_task.options(**self.options).remote(self.queue.folder, files)
                running[started] = files
            waiting = len(self.queue.waiting()) + len(self.queue.in_flight)
            self.state = PoolState(waiting, self.queue.gave_up(), False)
            if not running:
                time.sleep(LOOK_SECONDS)
                continue
            done, _ = ray.wait(list(running), num_returns=1, timeout=LOOK_SECONDS)
            for reference in done:
                task = running.pop(reference)
                error: str | None = None
                try:
                    ray.get(reference)
                except ray.exceptions.RayTaskError as failure:
                    if isinstance(failure.cause, Fenced):
                        self.state = self.state._replace(fenced=True)
                    error = str(failure)
                except ray.exceptions.RayError:
                    error = traceback.format_exc()
                self.queue.settle(task, error)
