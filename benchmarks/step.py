"""How many training steps a second, and how far is that from what the device could do?

Every framework with conv64 on images of 64x64 (batch 256, 9 latents, all images on the device as
uint8), with 1 and 3 channels, in packs of K trainings beside each other. Beside beta-VAE and
Ada-GVAE, in the same run and block by block: the same step written plainly in PyTorch, the same
under torch.compile, and the least time that a step can take at the rates measured for this device,
layer by layer (benchmarks/bounds.py). `data path` is the share of a step that draws its batch.

    python -m benchmarks.step [--device cuda|cpu] [--precision bf16|fp32] [--packs 1 2 4 8 16]
        [--frameworks beta_vae ...] [--channels 1 3] [--no-compile]

The bounds are those of bf16. On a CPU one thread, as a trial has, and packs of 1. Needs torch,
numpy, trainers, grids.
"""

from __future__ import annotations

import argparse
import math
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import torch
from torch import Tensor

from benchmarks.bounds import Rates, conv64_layers, device_rates, layerwise_seconds, step_operations
from benchmarks.plain import BETA, LATENTS, plain_training
from grids import parts
from grids.trial import Trial
from trainers import make_dataset
from trainers.batches import STEPS_AHEAD
from trainers.datasets.dataset import Dataset, cell_index
from trainers.fit import Training
from trainers.pack import Pack
from trainers.process import prepare_for_training
from trainers.sampling import factors_of

BATCH_SIZE = 256
PACKS = {"cuda": (1, 2, 4, 8, 16), "cpu": (1,)}
STEPS = {"cuda": STEPS_AHEAD, "cpu": 1}  # a block: with its share of what is drawn ahead
STEPS_OF_OTHERS = {"cuda": 64, "cpu": 1}  # which draw for each step
WARM_UP = {"cuda": 1, "cpu": 2}
BLOCKS = {"cuda": 3, "cpu": 9}
GRID_SIZES = {"cuda": 8, "cpu": 4}  # 262,144 images, or 4,096
HELD_AGAINST = ("beta_vae", "ada_gvae")
OURS = ("ours", "data path")

Run = Callable[[int], None]


class Kept:
    """The images of a drawn dataset, all of them on the device, as those of a stored one are."""

    def __init__(self, drawn: Dataset, device: torch.device) -> None:
        self.drawn = drawn
        positions = [torch.arange(size, device=device) for size in drawn.factor_sizes]
        cells = torch.arange(math.prod(drawn.factor_sizes), device=device)
        images_NCHW = torch.cat(
            [
                drawn.images(factors_of(some, positions), torch.zeros_like(some))
                for some in cells.split(4096)
            ]
        )
        self.images_NP = images_NCHW.permute(0, 2, 3, 1).flatten(1)

    def __getattr__(self, name: str) -> object:
        return getattr(self.drawn, name)

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        return self.image_of(self.images_NP[cell_index(factors_BF, self.drawn.factor_sizes)])

    def image_of(self, images_BP: Tensor) -> Tensor:
        channels, height, width = self.drawn.image_shape
        return images_BP.view(len(images_BP), height, width, channels).permute(0, 3, 1, 2)


def trial_of(framework: str, channels: int, precision: str, grid_size: int) -> Trial:
    kind = parts.FRAMEWORKS[framework]()
    with_beta = framework in ("beta_vae", "ada_gvae", "ada_ml_vae")
    total = framework == "beta_tc_vae"
    return Trial(
        dataset=parts.XYSquares(grid_size=grid_size, rgb=channels == 3),
        framework=kind,
        beta=BETA if with_beta else 4.0 if total else None,
        beta_convention="sum" if total else "mean",
        model=parts.Conv64(),
        latents=LATENTS,
        batch_size=BATCH_SIZE,
        steps=10**9,
        precision=precision,
    )


def seconds_of(run: Run, steps: int, device: torch.device) -> float:
    wait(device)
    started = time.perf_counter()
    run(steps)
    wait(device)
    return (time.perf_counter() - started) / steps


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def alternated(runs: dict[str, Run], device: torch.device) -> dict[str, list[float]]:
    """Seconds a step of each, block by block, after those that warm up."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for block in range(-WARM_UP[device.type], BLOCKS[device.type]):
        for name, run in runs.items():
            steps = STEPS if name in OURS else STEPS_OF_OTHERS
            seconds = seconds_of(run, steps[device.type], device)
            if block >= 0:
                found[name].append(seconds)
    return found


def ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    # Neighbours in time: what else the machine does weighs on both alike.
    return statistics.median(other / our for our, other in zip(ours, others, strict=True))


def packed_rate(trial: Trial, dataset: Dataset, device: torch.device, size: int) -> float:
    """Steps a second of all members of a pack."""
    pack = Pack(device, time.perf_counter)
    for _ in range(size):
        pack.add(trial, dataset)
    steps = STEPS[device.type]
    seconds = [pack.seconds(steps) / steps for _ in range(BLOCKS[device.type])]
    return size / statistics.median(seconds)


class OnlyBatches(Training):
    """Draws batches and does nothing with them."""

    def _one_step(self) -> None:
        self._batch()
        self._device_step.add_(1)


def measure(
    framework: str,
    channels: int,
    precision: str,
    packs: Sequence[int],
    rates: Rates,
    dataset: Kept,
    compiling: bool,
) -> None:
    device = dataset.images_NP.device
    trial = trial_of(framework, channels, precision, GRID_SIZES[device.type])
    training = Training(trial, dataset, device)
    runs: dict[str, Run] = {"ours": training.advance}
    pairs = framework == "ada_gvae"
    if framework in HELD_AGAINST:
        for name, compiled in (("plain", False), ("compiled", True))[: 1 + compiling]:
            run = plain_training(
                dataset.image_of(dataset.images_NP),
                batch_size=BATCH_SIZE,
                precision=precision,
                pairs=pairs,
                compiled=compiled,
            )
            try:
                run(1)
            except Exception as error:  # torch.compile needs a compiler and Python's headers
                print(f"{name}: {str(error).splitlines()[0]}", file=sys.stderr)
            else:
                runs[name] = run
        runs["data path"] = OnlyBatches(trial, dataset, device).advance
    seconds = alternated(runs, device)
    ours_s = statistics.median(seconds["ours"])
    shown = f"{framework:12}{channels:3}"
    for size in packs:
        rate = 1 / ours_s if size == 1 else packed_rate(trial, dataset, device, size)
        line = f"{shown}{size:4}{rate:10.1f}{rate * ours_s:8.2f}"
        if framework in HELD_AGAINST:
            images = BATCH_SIZE * (2 if pairs else 1)
            operations = step_operations(conv64_layers(channels, LATENTS), images)
            layerwise_s = layerwise_seconds(operations, rates)
            flops_s = sum(o.flops for o in operations) / rates.flops_per_second
            line += f"{rate * layerwise_s:10.2f}{rate * flops_s:8.2f}"
            if size == 1:
                for name in ("plain", "compiled"):
                    times = f"{ratio(seconds['ours'], seconds[name]):.2f}" if name in runs else "-"
                    line += f"{times:>8}"
                line += f"{100 / ratio(seconds['data path'], seconds['ours']):8.1f} %"
        print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=default)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--packs", type=int, nargs="+", help="sizes; 1 is always measured first")
    trained = [name for name, kind in parts.FRAMEWORKS.items() if not kind.closed_form]
    parser.add_argument("--frameworks", choices=trained, nargs="+", default=trained)
    parser.add_argument("--channels", type=int, choices=(1, 3), nargs="+", default=[1, 3])
    parser.add_argument("--no-compile", action="store_true", help="without torch.compile")
    options = parser.parse_args()
    device = torch.device(options.device)
    rates = device_rates(device)
    if device.type == "cpu":
        prepare_for_training()
    chip = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    print(f"{datetime.now(UTC):%Y-%m-%d} {chip}, {options.precision}, batch {BATCH_SIZE}")
    print(f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
    print(
        f"copies {rates.bytes_per_second / 1e9:,.0f} GB/s, multiplies "
        f"{rates.flops_per_second / 1e12:,.2f} TFLOP/s"
        + (" with all cores; a step below has one thread" if device.type == "cpu" else "")
    )
    print(f"{'':19}{'':18}{'of the bounds':>18}{'times faster than':>18}")
    heads = ("steps/s", "of K=1", "by layer", "FLOPs", "plain", "compile", "data path")
    print(
        f"{'framework':12} ch   K"
        + "".join(
            f"{head:>{width}}" for head, width in zip(heads, (10, 8, 10, 8, 8, 8, 10), strict=True)
        )
    )
    sizes = dict.fromkeys((1, *(options.packs or PACKS[device.type])))
    for channels in options.channels:
        drawn = make_dataset(
            parts.XYSquares(grid_size=GRID_SIZES[device.type], rgb=channels == 3), device=device
        )
        dataset = Kept(drawn, device)
        for framework in options.frameworks:
            measure(
                framework,
                channels,
                options.precision,
                list(sizes),
                rates,
                dataset,
                compiling=not options.no_compile,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
