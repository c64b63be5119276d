"""Trials that share a device: how fast they are together, and how many it is worth to have.

Each is a training of its own on a stream of its own; the device runs the graphs of all beside each
other. What one gives does not depend on the others: no tensor, no random number and no kernel's
choice is shared.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from grids.trial import Trial
from trainers.capture import STEPS_A_GRAPH, WARM_UP_STEPS
from trainers.datasets.dataset import Dataset
from trainers.fit import Training

SIZES = (1, 2, 4, 8, 16)
ENOUGH = 0.95
"""Of the best rate: a smaller pack ends sooner, and loses less with its process."""
WARM_UP = WARM_UP_STEPS + STEPS_A_GRAPH
TIMED_STEPS = 8 * STEPS_A_GRAPH


@functools.cache
def stream_of(device: torch.device, place: int) -> torch.cuda.Stream | None:
    """The stream of a place in packs on this device, the same for all of a process: what libraries
    keep for a stream is kept once. None on a CPU.
    """
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def on_stream(stream: torch.cuda.Stream | None) -> AbstractContextManager[object]:
    """What is called inside works on that stream."""
    return nullcontext() if stream is None else torch.cuda.stream(stream)


class Pack:
    """Trainings that advance together, by as many steps each, from one thread.

    `clock` tells seconds.
    """

    def __init__(self, device: torch.device, clock: Callable[[], float]) -> None:
        self.device, self.clock = device, clock
        self.members: list[tuple[Training, torch.cuda.Stream | None]] = []

    def add(self, trial: Trial, dataset: Dataset) -> None:
        """One more training, warmed up, so that its graphs are there."""
        stream = stream_of(self.device, len(self.members))
        with on_stream(stream):
            training = Training(trial, dataset, self.device)
            training.advance(WARM_UP)
            training.advance(1)  # the graph of a single step
        self.members.append((training, stream))

    def seconds(self, steps: int) -> float:
        """How long all members take for so many steps each."""
        self._wait()
        started = self.clock()
        while steps > 0:
            for training, stream in self.members:
                with on_stream(stream):
                    training.advance(min(steps, STEPS_A_GRAPH))
            steps -= STEPS_A_GRAPH
        self._wait()
        return self.clock() - started

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def best_size(
    trial: Trial, dataset: Dataset, device: torch.device, clock: Callable[[], float], most: int
) -> int:
    """The smallest of SIZES, of those up to `most`, that makes nearly as many steps a second as the
    fastest one.

    On a CPU always 1: its cores run processes. On CUDA it takes a few seconds, and stops at what
    the device's memory holds.
    """
    if device.type != "cuda":
        return 1
    pack = Pack(device, clock)
    rates: dict[int, float] = {}
    try:
        for size in (size for size in SIZES if size <= most):
            while len(pack.members) < size:
                pack.add(trial, dataset)
            rates[size] = size * TIMED_STEPS / pack.seconds(TIMED_STEPS)
    except torch.cuda.OutOfMemoryError:
        if not rates:
            raise
    del pack
    torch.cuda.empty_cache()
    return enough(rates)


def enough(steps_per_second: dict[int, float]) -> int:
    """The smallest size whose rate is at least ENOUGH times the best."""
    best = max(steps_per_second.values())
    return min(size for size, rate in steps_per_second.items() if rate >= ENOUGH * best)
