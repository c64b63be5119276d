"""How a CPU trains fastest: memory format, precision, size of a micro-batch, threads a trial.

beta-VAE with conv64 on 3x64x64, 9 latents. `images/s` of one thread, by the batch: where smaller
batches were faster an image, a step would be worth cutting into micro-batches. Then all cores: a
process with all of them as its threads, against a process of one thread each. Memory formats are
those of the plain loop (benchmarks/plain.py), since ours has only the one.

    python -m benchmarks.cpu

Needs torch, numpy, trainers, grids.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import torch

from benchmarks.plain import BETA, LATENTS, plain_training
from benchmarks.step import Kept
from grids import parts
from grids.trial import Trial
from trainers import make_dataset
from trainers.fit import Training
from trainers.process import prepare_for_training

BATCH_SIZES = (32, 64, 128, 256, 512)
BLOCKS = 7
SECONDS_A_RUN = 6.0

Run = Callable[[int], None]


def training(precision: str, batch_size: int = 256) -> Training:
    trial = Trial(
        dataset=parts.XYSquares(grid_size=4),
        framework=parts.BetaVAE(),
        beta=BETA,
        model=parts.Conv64(),
        latents=LATENTS,
        batch_size=batch_size,
        steps=10**9,
        precision=precision,
    )
    return Training(trial, make_dataset(trial.dataset), "cpu")


def milliseconds(runs: dict[str, Run]) -> dict[str, float]:
    """Of a step, by name, alternating; medians."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for block in range(-1, BLOCKS):
        for name, run in runs.items():
            started = time.perf_counter()
            run(1)
            if block >= 0:
                found[name].append(1e3 * (time.perf_counter() - started))
    return {name: statistics.median(times) for name, times in found.items()}


def formats() -> None:
    kept = Kept(make_dataset(parts.XYSquares(grid_size=4)), torch.device("cpu"))
    images_NCHW = kept.image_of(kept.images_NP)
    print("memory format, plain loop, batch 256, one thread, ms a step")
    print(f"{'':10}{'channels_last':>15}{'contiguous':>12}")
    for precision in ("fp32", "bf16"):
        runs = {
            name: plain_training(
                images_NCHW, batch_size=256, precision=precision, channels_last=last
            )
            for name, last in (("channels_last", True), ("contiguous", False))
        }
        last, contiguous = milliseconds(runs).values()
        print(f"{precision:10}{last:15.1f}{contiguous:12.1f}")


def batches() -> None:
    print("\nours, one thread, images/s by batch")
    print(f"{'':10}" + "".join(f"{size:>8}" for size in BATCH_SIZES))
    for precision in ("fp32", "bf16"):
        runs = {str(size): training(precision, size).advance for size in BATCH_SIZES}
        times = milliseconds(runs)
        rates = (1e3 * int(size) / ms for size, ms in times.items())
        print(f"{precision:10}" + "".join(f"{rate:8.0f}" for rate in rates))


def trained(precision: str, threads: int) -> float:
    """Steps a second of this process, for a few seconds."""
    prepare_for_training()
    torch.set_num_threads(threads)
    made = training(precision)
    made.advance(2)
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS_A_RUN:
        made.advance(1)
    return (made.step - 2) / (time.perf_counter() - started)


def threads() -> None:
    cores = os.cpu_count() or 1
    print(f"\nours, batch 256, steps/s of all {cores} cores")
    print(f"{'':10}{f'1 x {cores} threads':>15}{f'{cores} x 1 thread':>15}")
    context = multiprocessing.get_context("spawn")
    for precision in ("fp32", "bf16"):
        rates = []
        for processes in (1, cores):
            with context.Pool(processes) as pool:
                asked = [(precision, cores // processes)] * processes
                rates.append(sum(pool.starmap(trained, asked, chunksize=1)))
        print(f"{precision:10}{rates[0]:15.2f}{rates[1]:15.2f}")


def main() -> int:
    prepare_for_training()
    print(f"{datetime.now(UTC):%Y-%m-%d} {platform.machine()}, load {os.getloadavg()[0]:.1f}")
    print(f"python {platform.python_version()}, torch {torch.__version__}")
    formats()
    batches()
    threads()
    return 0


if __name__ == "__main__":
    sys.exit(main())
