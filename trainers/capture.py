"""Training steps as CUDA graphs: a step is some hundred short kernels, and launching each from
Python takes longer than running it. A graph is launched whole.

What is captured is the code that runs without a graph, so that both give the same bits. Tensors
that it reads and writes keep their addresses for as long as the graph lives.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

STEPS_A_GRAPH = 8
WARM_UP_STEPS = 3
"""Steps without a graph before one is captured: libraries and optimisers set themselves up."""

# Trials of one process are trained by a thread each; captures follow each other.
_capturing = threading.Lock()


class CapturedSteps:
    """`one_step` of training on CUDA, replayed on the stream that is current.

    Whoever changes what a step reads by putting another tensor in its place makes a new one.
    """

    def __init__(self, one_step: Callable[[], None]) -> None:
        self._one_step = one_step
        self._warm_up_steps = 0
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}

    @property
    def warm(self) -> bool:
        return self._warm_up_steps >= WARM_UP_STEPS

    def run(self, most: int) -> int:
        """Makes at least one step, at most so many; says how many. Does not wait for the device."""
        if not self.warm:
            self._one_step()
            self._warm_up_steps += 1
            return 1
        steps = STEPS_A_GRAPH if most >= STEPS_A_GRAPH else 1
        if steps not in self._graphs:
            self._graphs[steps] = self._captured(steps)
        self._graphs[steps].replay()
        return steps

    def _captured(self, steps: int) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        # The scratch memory of cuBLAS belongs to the stream that is captured on: graphs that are
        # replayed beside each other must not share it, so each thread captures on its own.
        current = torch.cuda.current_stream()
        stream = None if current == torch.cuda.default_stream() else current
        # The graphs of one trial never run beside each other.
        pool = next((other.pool() for other in self._graphs.values()), None)
        with (
            _capturing,
            torch.cuda.graph(graph, pool=pool, stream=stream, capture_error_mode="thread_local"),
        ):
            for _ in range(steps):
                self._one_step()
        return graph
