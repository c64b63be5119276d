"""How many training steps a second does this machine take here, and how many with disent?

disent's BetaVae and AdaVae (the library of Michlo et al. 2023, in fp32 as published) against
`trainers.fit.Training` in fp32 and bf16. Both train disent's conv64, of 912,981 parameters, on
XYSquares of 3x64x64 and spacing 8, with 9 latents, Adam and batches of 256 images or pairs.

disent is a plain loop of `training_step` and the optimiser of its own configuration: Lightning's
trainer would add what is not disent's. Its batches come from its dataset and a DataLoader in the
same process (`loader`), as in its examples, or are one batch again and again (`memory`). Ours draw
their images at every step, in a process set up as for trials but for the threads.

Two cores train one model with two threads, or two models with one thread each. All of these
alternate, block by block; medians over the blocks. The ratio, of neighbouring blocks, is to the
best that disent does in either way and with either source of batches.

    python -m benchmarks.peer [--blocks 14]

The first run installs disent into an environment of its own in the cache folder. Exits with 1 where
ours in bf16 takes less than 3 times as many steps. Needs two cores.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from orchestrator import machine

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
ENVIRONMENT = CACHE / "latentgrid-disent"
# Torch and all else have the versions of our constraints; torchvision goes with that torch.
REQUIREMENTS = (
    "disent==0.8.0",
    "lightning==2.6.6",
    "torchmetrics==1.9.0",
    "torchvision==0.28.0",
    "tqdm==4.70.1",
)
CORES = 2
FRAMEWORKS = ("beta_vae", "ada_gvae")
SIDES = {"loader": "disent", "fp32": "ours", "memory": "disent", "bf16": "ours"}
"""Who trains each variant, in the order of measurement."""
PROCESSES = (1, 2)
STEPS_PER_BLOCK = 2
WANTED_RATIO = 3.0

Worker = subprocess.Popen[str]
Rates = dict[tuple[str, str, int], list[float]]
"""The machine's steps a second, block by block, by framework, variant and number of processes."""


def disent_python() -> str:
    """The interpreter of the environment that has disent; made once."""
    python, installed = str(ENVIRONMENT / "bin" / "python"), ENVIRONMENT / "installed"
    wanted = "\n".join([*REQUIREMENTS, CONSTRAINTS.read_text()])
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing disent into {ENVIRONMENT}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ENVIRONMENT], check=True)
        install = [python, "-m", "pip", "install", "-qq", "--constraint", str(CONSTRAINTS)]
        subprocess.run([*install, *REQUIREMENTS], check=True)
        installed.write_text(wanted)  # last, so that a half-finished one is made again
    return python


def start(python: str, side: str) -> Worker:
    command = [python, "-m", "benchmarks.peer_worker", side]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def answer(worker: Worker) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


def steps_per_s(workers: Sequence[Worker], framework: str, variant: str) -> float:
    """Of all these workers at the same time, which share the cores out among them."""
    threads = CORES // len(workers)
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(f"{framework} {variant} {threads} {STEPS_PER_BLOCK}\n")
        worker.stdin.flush()
    return sum(STEPS_PER_BLOCK / float(answer(worker)) for worker in workers)


def measure(workers: dict[str, list[Worker]], blocks: int) -> Rates:
    rates: Rates = {
        (framework, variant, processes): []
        for framework in FRAMEWORKS
        for processes in PROCESSES
        for variant in SIDES
    }
    for block in range(-1, blocks):
        for (framework, variant, processes), found in rates.items():
            rate = steps_per_s(workers[SIDES[variant]][:processes], framework, variant)
            if block >= 0:  # the one before warms up
                found.append(rate)
    return rates


def best(rates: Rates, framework: str, variants: Sequence[str]) -> list[float]:
    """The most steps a second of each block."""
    ways = [rates[framework, variant, count] for variant in variants for count in PROCESSES]
    return [max(block) for block in zip(*ways, strict=True)]


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    # Neighbours in time: what else the machine does weighs on both alike.
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def report(rates: Rates) -> float:
    """Prints the table; the smallest ratio of ours in bf16."""
    print(f"\n{'':24}{'1 process, 2 threads':>22}{'2 processes, 1 thread':>24}")
    print(f"{'':24}{'ms a step':>12}{'steps/s':>10}{'ms a step':>14}{'steps/s':>10}{'ratio':>8}")
    smallest = float("inf")
    for framework in FRAMEWORKS:
        peer = best(rates, framework, [v for v, side in SIDES.items() if side == "disent"])
        for variant, side in sorted(SIDES.items(), key=lambda item: item[1]):
            one, two = (statistics.median(rates[framework, variant, n]) for n in PROCESSES)
            ratio = median_ratio(best(rates, framework, [variant]), peer)
            print(
                f"{framework:10}{side:7}{variant:7}{1e3 / one:12.0f}{one:10.2f}"
                f"{2e3 / two:14.0f}{two:10.2f}{ratio:8.2f}"
            )
            if variant == "bf16":
                smallest = min(smallest, ratio)
    print("\nan Ada-GVAE step of ours, in beta-VAE steps of ours")
    for precision in ("fp32", "bf16"):
        beta_vae, ada_gvae = (best(rates, framework, [precision]) for framework in FRAMEWORKS)
        print(f"{precision:>24}{median_ratio(beta_vae, ada_gvae):12.2f}")
    return smallest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--blocks", type=int, default=14)
    blocks = parser.parse_args().blocks
    pythons = {"disent": disent_python(), "ours": sys.executable}
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}  {machine.cpu_model()}, {os.cpu_count()} cores")
    print(f"load {os.getloadavg()[0]:.1f}; {blocks} blocks of {STEPS_PER_BLOCK} steps")
    with ExitStack() as stack:
        workers = {
            side: [stack.enter_context(start(python, side)) for _ in range(max(PROCESSES))]
            for side, python in pythons.items()
        }
        for side, both in workers.items():
            [versions] = {answer(worker) for worker in both}
            print(f"{side}: {versions}", flush=True)
        rates = measure(workers, blocks)
    return int(report(rates) < WANTED_RATIO)


if __name__ == "__main__":
    sys.exit(main())
