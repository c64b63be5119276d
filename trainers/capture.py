"""Training steps as CUDA graphs: a step is some hundred short kernels, and launching each from
Python takes longer than running it. A graph is launched whole.

What is captured is the code that runs without a graph, so that both give the same bits. Tensors
that it reads and writes keep their addresses for as long as the graph lives.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

STEPS_A_GRAPH = 8
WARM_UP_STEPS = 3
"""Steps without a graph before one is captured: libraries and optimisers set themselves up."""

# Trials of one process are trained by a thread each. Captures, the set-up of libraries and the end
# of graphs follow each other: CUDA refuses some of it to all threads while one captures. Python may
# come upon the end of a graph in a thread that sets up a library, hence a lock that it may retake.
_capturing = threading.RLock()


class CaptureError(RuntimeError):
    """A capture was broken off; torch's allocator of this process is of no more use."""


class CapturedSteps:
    """Steps of training on CUDA, replayed on the stream that is current.

    Whoever changes what a step reads by putting another tensor in its place makes a new one. It
    does not keep the step itself, so that a training and its graphs go at once when they are let
    go, and not when Python next looks for cycles.
    """

    def __init__(self) -> None:
        self._warm_up_steps = 0
        self._graphs: dict[int, torch.cuda.CUDAGraph] = {}

    def __del__(self) -> None:
        with _capturing:
            self._graphs.clear()

    def run(self, one_step: Callable[[], None], most: int) -> int:
        """Makes at least one step, at most so many; says how many. Does not wait for the device.

        `one_step` is the same every time. Raises CaptureError.
        """
        if self._warm_up_steps < WARM_UP_STEPS:
            with _capturing:
                one_step()
            self._warm_up_steps += 1
            return 1
        steps = STEPS_A_GRAPH if most >= STEPS_A_GRAPH else 1
        if steps not in self._graphs:
            self._graphs[steps] = self._captured(one_step, steps)
        self._graphs[steps].replay()
        return steps

    def _captured(self, one_step: Callable[[], None], steps: int) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        # The graphs of one trial never run beside each other, so they share their memory.
        pool = next((other.pool() for other in self._graphs.values()), None)
        with _capturing, _capture_stream(), _without_collections():
            try:
                graph.capture_begin(pool, capture_error_mode="thread_local")
                for _ in range(steps):
                    one_step()
                graph.capture_end()
            except Exception as error:
                raise CaptureError(f"a step cannot be captured: {error}") from error
        return graph


@contextmanager
def _capture_stream() -> Iterator[None]:
    """The current stream, or another where that is the default one, which cannot be captured on.

    The scratch memory of cuBLAS belongs to the stream of the capture: graphs that are replayed
    beside each other must not share it, so each thread captures on its own.
    """
    current = torch.cuda.current_stream()
    if current != torch.cuda.default_stream():
        yield
        return
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    aside.wait_stream(current)
    with torch.cuda.stream(aside):
        yield
    current.wait_stream(aside)


@contextmanager
def _without_collections() -> Iterator[None]:
    """What Python finds in a cycle may be a graph, whose end breaks off a capture."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
