"""The kernels of one training step: time, share, and the bandwidth that each reaches at least.

beta-VAE (or another framework) with conv64, batch 256, 9 latents. `GB/s` counts what an operator
is given, read once, two bytes an element: what it writes, and single precision, come on top.

    python -m benchmarks.profile [--device cuda|cpu] [--framework beta_vae] [--channels 1]

On CUDA the step runs without a graph here, so that kernels have the names of their operators, and
the sum of their times is that of a step in a graph without gaps; batches that are drawn ahead were
drawn before. Needs torch, numpy, trainers, grids.
"""

from __future__ import annotations

import argparse
import math
import platform
import sys
from datetime import UTC, datetime

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.step import GRID_SIZES, Kept, trial_of, wait
from grids import parts
from trainers import make_dataset
from trainers.fit import Training
from trainers.process import prepare_for_training

STEPS = 5
ROWS = 25


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=("cuda", "cpu"), default=default)
    parser.add_argument("--framework", default="beta_vae")
    parser.add_argument("--channels", type=int, choices=(1, 3), default=1)
    parser.add_argument("--precision", choices=("bf16", "tf32", "fp32"), default="bf16")
    options = parser.parse_args()
    device = torch.device(options.device)
    if device.type == "cpu":
        prepare_for_training()
    size = GRID_SIZES[device.type]
    drawn = make_dataset(parts.XYSquares(grid_size=size, rgb=options.channels == 3), device=device)
    trial = trial_of(options.framework, options.channels, options.precision, size)
    training = Training(trial, Kept(drawn, device), device)
    training._captured = None
    training.advance(3)
    wait(device)
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities, record_shapes=True) as profiled:
        training.advance(STEPS)
        wait(device)
    chip = torch.cuda.get_device_name() if device.type == "cuda" else platform.machine()
    print(f"{datetime.now(UTC):%Y-%m-%d} {chip}, {options.framework}, {options.precision}")
    print(f"python {platform.python_version()}, torch {torch.__version__}")
    show(profiled, device)
    return 0


def show(profiled: profile, device: torch.device) -> None:
    """What takes longest, on a CPU by the shapes of what it is given."""
    cuda = device.type == "cuda"
    rows = []
    for event in profiled.key_averages(group_by_input_shape=not cuda):
        # Operators have the time of their kernels once more, and so have ranges with a name.
        if cuda and (event.device_type != DeviceType.CUDA or event.is_user_annotation):
            continue
        spent_us = event.self_device_time_total if cuda else event.self_cpu_time_total
        if spent_us > 0:
            rows.append((spent_us / STEPS, event.count / STEPS, event.key, event.input_shapes))
    total_us = sum(row[0] for row in rows)
    what = "kernels" if cuda else "operators"
    print(f"{total_us / 1e3:.3f} ms a step in {sum(row[1] for row in rows):.0f} {what}")
    print(f"{'us a step':>10}{'share':>7}{'calls':>6}{'' if cuda else '   GB/s'}  {what}")
    for spent_us, calls, name, shapes in sorted(rows, reverse=True)[:ROWS]:
        line = f"{spent_us:10.1f}{spent_us / total_us:7.1%}{calls:6.0f}"
        if not cuda:
            given = [shape for shape in shapes if shape]
            bytes_read = 2 * sum(math.prod(shape) for shape in given) * calls
            name = " ".join([name, *("x".join(map(str, shape)) for shape in given[:3])])
            line += f"{bytes_read / spent_us / 1e3:7.0f}"
        print(f"{line}  {name.removeprefix('aten::')}"[:100])


if __name__ == "__main__":
    sys.exit(main())
