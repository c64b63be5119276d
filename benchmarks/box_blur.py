"""What the box-blur loss adds to a CPU step, and how the blur is best computed.

    python -m benchmarks.box_blur

First the step of a beta-VAE with `mse_boxblur` (radius 31, images of 3x64x64) over that with `mse`,
alternating; the bar is 1.15. Then forward and backward of the blur alone, of one batch: products
with banded matrices (what the loss does), FFT, running sums, and a convolution an axis.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import torch
import torch.nn.functional as F
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import make_dataset
from trainers.box_blur import box_blur
from trainers.fit import Training
from trainers.process import prepare_for_training

ALLOWED_RATIO = 1.15
BATCH_SIZE, RADIUS, BLOCKS, STEPS_PER_BLOCK = 64, 31, 12, 5


def training(reconstruction: parts.Reconstruction, precision: str) -> Training:
    trial = Trial(
        dataset=parts.XYSquares(grid_size=4, standardise=True),
        framework=parts.BetaVAE(),
        beta=1e-3,
        model=parts.Conv64(),
        latents=25,
        batch_size=BATCH_SIZE,
        steps=1_000_000,
        reconstruction=reconstruction,
        precision=precision,
    )
    return Training(trial, make_dataset(trial.dataset), "cpu")


def seconds(run: Callable[[], None]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fft(images: Tensor) -> Tensor:
    size = images.shape[-1] + 2 * RADIUS
    box = torch.zeros(size, size)
    box[: 2 * RADIUS + 1, : 2 * RADIUS + 1] = 1 / (2 * RADIUS + 1) ** 2
    product = torch.fft.rfft2(images, s=(size, size)) * torch.fft.rfft2(box)
    whole = torch.fft.irfft2(product, s=(size, size))
    return whole[..., RADIUS : RADIUS + images.shape[-2], RADIUS : RADIUS + images.shape[-1]]


def running_sums(images: Tensor) -> Tensor:
    for axis in (-2, -1):
        moved = images.transpose(axis, -1)
        summed = F.pad(F.pad(moved, (RADIUS, RADIUS)).cumsum(-1), (1, 0))
        images = (summed[..., 2 * RADIUS + 1 :] - summed[..., : -2 * RADIUS - 1]).transpose(
            axis, -1
        )
    return images / (2 * RADIUS + 1) ** 2


def convolutions(images: Tensor) -> Tensor:
    channels = images.shape[1]
    line = torch.full((channels, 1, 2 * RADIUS + 1, 1), 1 / (2 * RADIUS + 1))
    images = F.conv2d(images, line, padding=(RADIUS, 0), groups=channels)
    return F.conv2d(images, line.transpose(2, 3), padding=(0, RADIUS), groups=channels)


def main() -> int:
    prepare_for_training()
    print(f"{datetime.now(UTC):%Y-%m-%d} {platform.processor() or platform.machine()}, 1 thread")
    print(f"python {platform.python_version()}, torch {torch.__version__}")
    worst = 0.0
    print(f"{'precision':>9} {'mse, ms':>9} {'boxblur, ms':>12} {'ratio':>6}")
    for precision in ("fp32", "bf16"):
        plain, blurred = (
            training(loss, precision) for loss in (parts.MSE(), parts.MSEBoxBlur(radius=RADIUS))
        )
        runs = [lambda t=t: t.advance(STEPS_PER_BLOCK) for t in (plain, blurred)]
        for run in runs:
            run()
        blocks = [[seconds(run) / STEPS_PER_BLOCK for run in runs] for _ in range(BLOCKS)]
        ratio = statistics.median(b / p for p, b in blocks)
        worst = max(worst, ratio)
        p, b = (1e3 * statistics.median(times) for times in zip(*blocks, strict=True))
        print(f"{precision:>9} {p:9.1f} {b:12.1f} {ratio:6.3f}")

    errors = torch.randn(BATCH_SIZE, 3, 64, 64, requires_grad=True)
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "banded matrices": lambda images: box_blur(images, RADIUS),
        "fft": fft,
        "running sums": running_sums,
        "convolutions": convolutions,
    }
    expected = box_blur(errors, RADIUS)
    for name, way in ways.items():
        torch.testing.assert_close(way(errors), expected, rtol=1e-3, atol=1e-4)

        def both(way: Callable[[Tensor], Tensor] = way) -> None:
            way(errors).square().sum().backward()

        both()
        print(f"{name:>16} {1e3 * statistics.median(seconds(both) for _ in range(10)):8.1f} ms")
    return int(worst > ALLOWED_RATIO)


if __name__ == "__main__":
    sys.exit(main())
