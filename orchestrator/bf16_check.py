"""Whether this CPU computes bfloat16 at least as fast as single precision.

Without kernels of its own for it oneDNN emulates, and some versions do so where they need not: 4 to
16 times slower. Precision is a trial's own and never changed behind its back, so who runs one is
told.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterable

import torch
from torch import nn

from grids.measurement import Measurement
from grids.trial import Trial

REPEATS = 5
ATTEMPTS = 3
SLOW = 1.3
"""Beyond what a busy machine adds to a short measurement."""


def slow_bf16(
    trials: Iterable[Trial | Measurement], slowdown: Callable[[], float] | None = None
) -> str | None:
    """One line, where trials that run on this CPU ask for a bfloat16 that is slower than fp32."""
    if not any(isinstance(trial, Trial) and trial.precision == "bf16" for trial in trials):
        return None
    times = (slowdown or bf16_slowdown)()
    if times <= SLOW:
        return None
    return (
        f"bf16 took {times:.1f} times as long as fp32 on this CPU just now; if it does so when "
        "nothing else runs, `precision: fp32` is another trial, and a faster one"
    )


@functools.cache
def bf16_slowdown() -> float:
    """The time of layers of our networks in bfloat16, forward and backward, in times of fp32.

    On one thread, as trials have; the least of several, as what runs beside it only adds.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = math.inf
        for _ in range(ATTEMPTS):
            found = min(found, _measured_slowdown())
            if found <= SLOW:
                break
        return found
    finally:
        torch.set_num_threads(threads)


def _measured_slowdown() -> float:
    layers = nn.Sequential(
        nn.Conv2d(3, 32, 4, 2, 1),
        nn.Conv2d(32, 32, 4, 2, 1),
        nn.ConvTranspose2d(32, 32, 4, 2, 1),
        nn.ConvTranspose2d(32, 3, 4, 2, 1),
        nn.Flatten(),
        nn.Linear(3 * 64 * 64, 64),
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    images = torch.rand(16, 3, 64, 64).contiguous(memory_format=torch.channels_last)

    def seconds(bf16: bool) -> float:
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = layers(images).float().square().sum()
        loss.backward()
        return time.perf_counter() - started

    times = [(seconds(True), seconds(False)) for _ in range(1 + REPEATS)][1:]
    return min(bf16 for bf16, _ in times) / min(fp32 for _, fp32 in times)
