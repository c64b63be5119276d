"""How much slower is a training step here than the same step written by hand?

The beta-VAE of XYSquares (3 channels, 9 latents, batch 256) on the CPU with one thread: `ours` is
`trainers.fit.Training`; `plain` is the loop that one would write in PyTorch, with the same network,
precision, memory format and optimiser, torch's own random numbers, and images gathered from a
uint8 tensor. The two alternate, block by block, in one process; medians over the blocks, the ratio
being that of neighbouring blocks.

    python -m benchmarks.step_cpu

Exits with 1 where ours takes more than 1.1 times as long. Needs torch, numpy, trainers, grids.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grids import parts
from grids.trial import Trial
from trainers import make_dataset
from trainers.datasets.dataset import Dataset
from trainers.fit import Training
from trainers.sampling import factors_of

BATCH_SIZE = 256
LATENTS = 9
BETA = 1e-3
BLOCKS = 25
STEPS_PER_BLOCK = 1
WARM_UP_STEPS = 2
ALLOWED_RATIO = 1.1


def plain_training(dataset: Dataset, precision: str) -> Callable[[int], None]:
    """A loop without this project's code, on all images of the dataset; runs the given steps."""
    encoder = nn.Sequential(
        nn.Conv2d(3, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1024, 256),
        nn.ReLU(),
        nn.Linear(256, 2 * LATENTS),
    )
    decoder = nn.Sequential(
        nn.Linear(LATENTS, 256),
        nn.ReLU(),
        nn.Linear(256, 1024),
        nn.ReLU(),
        nn.Unflatten(1, (64, 4, 4)),
        nn.ConvTranspose2d(64, 64, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 32, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 3, 4, 2, 1),
    )
    model = nn.ModuleList([encoder, decoder])
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    images = all_images(dataset)
    mean = torch.tensor(dataset.mean)[:, None, None]
    std = torch.tensor(dataset.std)[:, None, None]

    def run(steps: int) -> None:
        for _ in range(steps):
            chosen = images[torch.randint(len(images), (BATCH_SIZE,))]
            target = (chosen.float() / 255 - mean) / std
            target = target.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
                mu, logvar = encoder(target).float().chunk(2, dim=1)
                z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
                output = decoder(z).float()
            kl = 0.5 * (mu.square() + logvar.exp() - logvar - 1).mean()
            loss = F.mse_loss(output, target) + BETA * kl
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return run


def all_images(dataset: Dataset) -> Tensor:
    positions = [torch.arange(size) for size in dataset.factor_sizes]
    cells = torch.arange(int(np.prod(dataset.factor_sizes)))
    images: Tensor = dataset.images(factors_of(cells, positions), torch.zeros_like(cells))
    return images.contiguous(memory_format=torch.channels_last)


def seconds_per_step(run: Callable[[int], None]) -> float:
    start = time.perf_counter()
    run(STEPS_PER_BLOCK)
    return (time.perf_counter() - start) / STEPS_PER_BLOCK


def main() -> int:
    torch.set_num_threads(1)
    print(f"{datetime.now(UTC):%Y-%m-%d} {platform.processor() or platform.machine()}, 1 thread")
    print(f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
    print(f"{'precision':>9} {'ours, ms':>10} {'plain, ms':>10} {'ratio':>6}")
    worst = 0.0
    for precision in ("fp32", "bf16"):
        trial = Trial(
            dataset=parts.XYSquares(grid_size=4, standardise=True),
            framework=parts.BetaVAE(),
            beta=BETA,
            model=parts.Conv64(),
            latents=LATENTS,
            batch_size=BATCH_SIZE,
            steps=1_000_000,
            precision=precision,
        )
        dataset = make_dataset(trial.dataset)
        ours, plain = Training(trial, dataset, "cpu").advance, plain_training(dataset, precision)
        ours(WARM_UP_STEPS)
        plain(WARM_UP_STEPS)
        blocks = [(seconds_per_step(ours), seconds_per_step(plain)) for _ in range(BLOCKS)]
        ours_s, plain_s = (statistics.median(times) for times in zip(*blocks, strict=True))
        # Neighbours in time: what else the machine does weighs on both alike.
        ratio = statistics.median(ours_s / plain_s for ours_s, plain_s in blocks)
        worst = max(worst, ratio)
        print(f"{precision:>9} {1e3 * ours_s:10.1f} {1e3 * plain_s:10.1f} {ratio:6.3f}")
    return int(worst > ALLOWED_RATIO)


if __name__ == "__main__":
    sys.exit(main())
