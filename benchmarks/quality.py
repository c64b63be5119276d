"""Do bf16 and fp32 train alike? Loss curves of both over seeds, on a plain and on a blurred cell.

At every report the difference of the two mean curves is held against the spread over the seeds in
fp32: their standard deviation. A cell passes where the difference is within one of them at nine
reports in ten. Each precision sees the same images, noise and initial weights.

    python -m benchmarks.quality [--device cuda|cpu] [--steps 2000] [--seeds 4] [--batch 256]

Exits with 1 where a cell does not pass. Needs torch, numpy, trainers, grids.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
from datetime import UTC, datetime
from itertools import product

import numpy as np
import numpy.typing as npt
import torch

from grids import parts
from grids.trial import Trial
from trainers import make_dataset
from trainers.fit import fit
from trainers.process import prepare_for_training

CELLS: dict[str, parts.Reconstruction] = {
    "mse": parts.MSE(),
    "mse_boxblur": parts.MSEBoxBlur(),
}
TERMS = ("loss", "reconstruction_per_image", "kl_nats")
PRECISIONS = ("fp32", "bf16")
SHARE = 0.9

Curves = npt.NDArray[np.float64]


def curves(
    cell: str, precision: str, seed: int, steps: int, batch_size: int, device: str
) -> Curves:
    """[reports, TERMS] of one trial."""
    prepare_for_training()
    trial = Trial(
        dataset=parts.XYSquares(grid_size=8, standardise=True),
        framework=parts.BetaVAE(),
        beta=1e-3,
        model=parts.Conv64(),
        latents=9,
        reconstruction=CELLS[cell],
        batch_size=batch_size,
        steps=steps,
        seed=seed,
        precision=precision,
    )
    rows = []
    fit(
        trial,
        make_dataset(trial.dataset, device=device),
        device=device,
        report=lambda step, terms: rows.append([terms[name] for name in TERMS]),
    )
    return np.array(rows, dtype=np.float64)


def within(fp32_SRT: Curves, bf16_SRT: Curves) -> npt.NDArray[np.float64]:
    """By term, the share of the reports at which the means differ by at most the spread, [T]."""
    apart_RT = np.abs(bf16_SRT.mean(axis=0) - fp32_SRT.mean(axis=0))
    return np.asarray((apart_RT <= fp32_SRT.std(axis=0, ddof=1)).mean(axis=0), dtype=np.float64)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=default)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--batch", type=int, default=256)
    options = parser.parse_args()
    chip = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    print(f"{datetime.now(UTC):%Y-%m-%d} {chip}, {options.steps} steps, batch {options.batch}")
    print(f"python {platform.python_version()}, torch {torch.__version__}", flush=True)
    asked = list(product(CELLS, PRECISIONS, range(options.seeds)))
    jobs = [(*each, options.steps, options.batch, options.device) for each in asked]
    processes = 1 if options.device == "cuda" else os.cpu_count()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = dict(zip(asked, pool.starmap(curves, jobs, chunksize=1), strict=True))
    print(f"{'':14}{'':26}{'at the end: fp32':>20}{'bf16':>12}{'spread':>10}{'within':>10}")
    passed = True
    for cell in CELLS:
        fp32, bf16 = (
            np.stack([found[cell, precision, seed] for seed in range(options.seeds)])
            for precision in PRECISIONS
        )
        for number, (term, share) in enumerate(zip(TERMS, within(fp32, bf16), strict=True)):
            last = [values[:, -1, number] for values in (fp32, bf16)]
            spread = last[0].std(ddof=1)
            print(
                f"{cell:14}{term:26}{last[0].mean():20.5g}{last[1].mean():12.5g}"
                f"{spread:10.2g}{share:9.0%}"
            )
            passed = passed and share >= SHARE
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
