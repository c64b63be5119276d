"""Prepared images: how fast they open, what a batch costs, and how much memory processes share.

A made-up prepared dataset of 250,000 colour images (3 GB) in a temporary folder, read with
`trainers.make_dataset` as trials read it:

    open      seconds until the dataset is ready, median of 20
    gather    milliseconds for 256 random images, pages in memory, as a share of a training
              step of conv64 at that batch size on one thread (bar: 5 %)
    shared    memory of 8 processes that have read all of it, their proportional shares added up,
              against the size of the dataset (bar: 1.2 times)

    python -m benchmarks.data [--folder DIR]

Exits with 1 where a bar is missed. Needs 3 GB of disk and of page cache; Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from grids import parts
from grids.data_folder import DataFolder
from grids.datasets import Song6
from grids.trial import Trial
from trainers import make_dataset
from trainers.datasets.prepared import FORMAT
from trainers.fit import Training

IMAGES = 250_000
BATCH_SIZE = 256
PROCESSES = 8
OPEN_SECONDS = 0.2
GATHER_SHARE = 0.05
SHARED_RATIO = 1.2
PARAMETERS = Song6(images=IMAGES)


def make(data: DataFolder) -> None:
    """The standard form, written in blocks, random so that no page is like another."""
    name = PARAMETERS.stored[0]
    data.images(name).parent.mkdir(parents=True)
    shape = (IMAGES, 64, 64, 3)
    with open(data.images(name), "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        rng = np.random.default_rng(0)
        for _ in range(0, IMAGES, 2_500):
            file.write(rng.bytes(2_500 * 64 * 64 * 3))
    info = {"format": FORMAT, "shape": shape, "mean": [0.5] * 3, "std": [0.3] * 3}
    data.info(name).write_text(json.dumps(info | {"fingerprint": "benchmark"}))


def read_all(root: str) -> None:
    """One of the processes: touches every image, then waits."""
    dataset = make_dataset(PARAMETERS, DataFolder(Path(root)))
    for start in range(0, IMAGES, 1_000):
        draws = torch.arange(start, start + 1_000)
        dataset.images(torch.zeros(1_000, 0, dtype=torch.int64), draws)
    print("ready", flush=True)
    sys.stdin.readline()


def shared_bytes(pid: int, whole: bool) -> int:
    """The proportional set size of a process, of everything or of the images alone."""
    total, ours = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            ours = whole or line.endswith("images.npy")
        elif ours and line.startswith("Pss:"):
            total += 1024 * int(line.split()[1])
    return total


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", help="where the 3 GB are written for the while")
    parser.add_argument("--read-all", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read_all:
        read_all(arguments.read_all)
        return 0
    torch.set_num_threads(1)
    print(f"{datetime.now(UTC):%Y-%m-%d} {platform.processor() or platform.machine()}, 1 thread")
    print(f"python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        data = DataFolder(Path(folder))
        make(data)
        size = data.images(PARAMETERS.stored[0]).stat().st_size

        seconds = []
        for _ in range(20):
            started = time.perf_counter()
            dataset = make_dataset(PARAMETERS, data)
            seconds.append(time.perf_counter() - started)
        opened = statistics.median(seconds)
        print(f"open    {1e3 * opened:.1f} ms (bar {1e3 * OPEN_SECONDS:.0f} ms)")

        none_BF = torch.zeros(BATCH_SIZE, 0, dtype=torch.int64)
        generator = torch.Generator().manual_seed(0)
        gathers, steps = [], []
        trial = Trial(
            dataset=PARAMETERS,
            framework=parts.BetaVAE(),
            beta=1e-3,
            model=parts.Conv64(),
            latents=9,
            batch_size=BATCH_SIZE,
            steps=1_000_000,
        )
        training = Training(trial, dataset, "cpu")
        training.advance(2)
        for _ in range(15):  # in turns: what else the machine does weighs on both alike
            draws = torch.randint(IMAGES, (BATCH_SIZE,), generator=generator)
            started = time.perf_counter()
            dataset.images(none_BF, draws)
            gathers.append(time.perf_counter() - started)
            started = time.perf_counter()
            training.advance(1)
            steps.append(time.perf_counter() - started)
        gather, step = statistics.median(gathers), statistics.median(steps)
        share = gather / step
        print(
            f"gather  {1e3 * gather:.2f} ms of a step of {1e3 * step:.0f} ms: {share:.2%} "
            f"(bar {GATHER_SHARE:.0%})"
        )

        command = [sys.executable, "-m", "benchmarks.data", "--read-all", folder]
        readers = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
            )
            for _ in range(PROCESSES)
        ]
        for reader in readers:
            assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
        held = sum(shared_bytes(reader.pid, whole=False) for reader in readers)
        everything = sum(shared_bytes(reader.pid, whole=True) for reader in readers)
        for reader in readers:
            reader.communicate("\n")
        print(
            f"shared  {held / 1e9:.2f} GB of images in {PROCESSES} processes, {held / size:.2f} "
            f"times the dataset (bar {SHARED_RATIO}); {everything / 1e9:.2f} GB with their own"
        )
    missed = opened > OPEN_SECONDS or share > GATHER_SHARE or held > SHARED_RATIO * size
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
