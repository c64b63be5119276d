"""How long do the published studies take on this device, and how long would they at least?

    python -m benchmarks.paper [--device cuda|cpu] [--training] [GRID ...]

The hours of a grid are its steps and the images that it encodes, by what each of them takes here
(benchmarks.paces), as if the device had nothing else to do. Its scores (benchmarks.score_costs) are
computed on CPU cores beside it, so their hours stand alone. The bounds (benchmarks.bounds) are of
training, without what FactorVAE has beside the network. Grids that ask for no GPU are of the CPU.
Without GRIDs: those of the four papers, as printed. The original datasets are not needed. With
--training nothing but training is measured, in minutes on a GPU.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.bounds import Rates, device_rates, layerwise_seconds
from benchmarks.paces import (
    Coder,
    CoderPace,
    Kind,
    Pace,
    coder_of,
    coder_pace,
    kind_of,
    operations_of,
    pace,
)
from benchmarks.score_costs import Codes, Score, images_of, score_seconds, scores_of
from grids.datasets import Images
from grids.load import Grid, load_grid
from grids.metrics import CELL, INCEPTION
from grids.metrics import METRICS as TAKEN
from grids.trial import Trial
from orchestrator import machine
from orchestrator.trial_run import device_of
from results.published.michlo2023 import EXPERIMENTS
from trainers.process import prepare_for_training

FOLDER = Path(__file__).resolve().parent.parent / "grids"
GRIDS = (
    "michlo2023/adversarial",
    "michlo2023/overlap",
    "michlo2023/augmented_loss",
    "locatello2019/unsupervised",
    "fil2021/mlp",
    "fil2021/conv",
    "fil2021/fid",
    "fil2021/baselines",
    "song2018/bottleneck",
    "song2018/complexity",
)
PUBLISHED_HOURS = {
    "michlo2023-adversarial": EXPERIMENTS[6].hours,
    "michlo2023-overlap": EXPERIMENTS[9].hours,
    "michlo2023-augmented-loss": EXPERIMENTS[11].hours,
}
NOT_MEASURED, NONE = "not measured", "-"
WIDTH = 80


class Group(NamedTuple):
    """Trials of a grid that take the same: one of them, and how many."""

    kind: Kind
    trial: Trial
    trials: int


class Bound(NamedTuple):
    """A step at least: layer by layer, and for the arithmetic alone."""

    layerwise_s: float
    arithmetic_s: float


class Cost(NamedTuple):
    """What a grid takes. None: not measured, without a bound, or not published."""

    name: str
    trials: int
    training_s: float
    encoding_s: float | None
    scoring_s: float | None
    layerwise_s: float | None
    arithmetic_s: float | None
    published_s: float | None

    @property
    def together_s(self) -> float | None:
        return total([self.training_s, self.encoding_s])

    @property
    def ratio(self) -> float | None:
        """Of what was published to what it takes."""
        if self.published_s is None or self.together_s is None:
            return None
        return self.published_s / self.together_s


class Measured(NamedTuple):
    paces: Mapping[Kind, Pace]
    coder_paces: Mapping[Coder, CoderPace]
    score_seconds: Mapping[tuple[Codes, Score], float]
    rates: Mapping[str, Rates]
    bounds: Mapping[Kind, Bound | None]


def groups_of(grid: Grid, device: str) -> list[Group]:
    found: dict[tuple[Kind, Images, int], list[Trial]] = defaultdict(list)
    for trial, resources in zip(grid.trials, grid.resources, strict=True):
        assert isinstance(trial, Trial), f"{grid.study} has measurements, not trials"
        there = device_of(resources).type if device == "cuda" else "cpu"
        found[kind_of(trial, there), trial.dataset, trial.steps].append(trial)
    return [Group(kind, trials[0], len(trials)) for (kind, _, _), trials in found.items()]


def measured(
    grids: Mapping[str, Grid], groups: Mapping[str, Sequence[Group]], training_only: bool
) -> Measured:
    """Everything once, whichever grids need it."""
    kinds: dict[Kind, Trial] = {}
    coders: dict[Coder, Trial] = {}
    wanted: set[tuple[Codes, Score]] = set()
    for name, grid in grids.items():
        for kind, trial, _ in groups[name]:
            kinds.setdefault(kind, trial)
            if training_only:
                continue
            coders.setdefault(coder_of(trial, kind.device), trial)
            wanted |= set(scores_of(trial, grid.evaluate))
    rates: dict[str, Rates] = {}
    for device in sorted({kind.device for kind in kinds}):
        tell(f"rates of {device}")
        rates[device] = device_rates(device)
    bounds, paces, coder_paces = {}, {}, {}
    for place, (kind, trial) in enumerate(kinds.items(), 1):
        tell(f"training {place}/{len(kinds)}: {' '.join(map(str, kind))}")
        paces[kind] = pace(trial, kind.device)
        bounds[kind] = bound_of(trial, rates[kind.device])
    for place, (coder, trial) in enumerate(coders.items(), 1):
        tell(f"encoding {place}/{len(coders)}: {' '.join(map(str, coder))}")
        coder_paces[coder] = coder_pace(trial, coder.device)
    return Measured(paces, coder_paces, score_seconds(wanted, tell), rates, bounds)


def bound_of(trial: Trial, rates: Rates) -> Bound | None:
    operations = operations_of(trial)
    if operations is None:
        return None
    flops = sum(operation.flops for operation in operations)
    return Bound(layerwise_seconds(operations, rates), flops / rates.flops_per_second)


def cost_of(name: str, grid: Grid, groups: Sequence[Group], known: Measured) -> Cost:
    training_s = 0.0
    encoding_s: list[float | None] = []
    scoring_s: list[float | None] = []
    layerwise_s: list[float | None] = []
    arithmetic_s: list[float | None] = []
    for kind, trial, trials in groups:
        steps, images = trials * trial.steps, images_of(trial, grid.evaluate)
        training_s += steps / known.paces[kind].steps_per_second
        rates = known.coder_paces.get(coder_of(trial, kind.device))
        encoding_s.append(
            None
            if rates is None
            else trials * images.encoded / rates.encoded_per_second
            + trials * images.evaluated / rates.evaluated_per_second
        )
        for key, count in scores_of(trial, grid.evaluate).items():
            seconds = known.score_seconds.get(key)
            scoring_s.append(None if seconds is None else trials * count * seconds)
        bound = known.bounds[kind]
        layerwise_s.append(None if bound is None else steps * bound.layerwise_s)
        arithmetic_s.append(None if bound is None else steps * bound.arithmetic_s)
    shapes = {shape for metric in grid.evaluate.metrics for shape in TAKEN[metric]}
    if CELL in shapes:
        scoring_s.append(None)
    published_hours = PUBLISHED_HOURS.get(grid.study)
    return Cost(
        name=name,
        trials=len(grid.trials),
        training_s=training_s,
        encoding_s=None if shapes & {CELL, INCEPTION} else total(encoding_s),
        scoring_s=total(scoring_s),
        layerwise_s=total(layerwise_s),
        arithmetic_s=total(arithmetic_s),
        published_s=None if published_hours is None else 3600 * published_hours,
    )


def total(seconds: Sequence[float | None]) -> float | None:
    """None where one of them is."""
    known = [s for s in seconds if s is not None]
    return sum(known) if len(known) == len(seconds) else None


def summed(costs: Sequence[Cost]) -> Cost:
    return Cost(
        name="those with published hours",
        trials=sum(cost.trials for cost in costs),
        training_s=sum(cost.training_s for cost in costs),
        encoding_s=total([cost.encoding_s for cost in costs]),
        scoring_s=total([cost.scoring_s for cost in costs]),
        layerwise_s=total([cost.layerwise_s for cost in costs]),
        arithmetic_s=total([cost.arithmetic_s for cost in costs]),
        published_s=total([cost.published_s for cost in costs]),
    )


def print_device(device: str, rates: Mapping[str, Rates]) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d}  {machine.device_kind(device)}, {os.cpu_count()} cores")
    versions = [f"{name} {version}" for name, version in machine.versions().items()]
    print(textwrap.fill("  ".join(versions), WIDTH))
    for there, rate in rates.items():
        print(
            f"{there}: copies {rate.bytes_per_second / 1e9:,.0f} GB/s, read and written; "
            f"multiplies {rate.flops_per_second / 1e12:,.3g} TFLOP/s"
        )


def print_training(paces: Mapping[Kind, Pace], bounds: Mapping[Kind, Bound | None]) -> None:
    print(
        f"\n{'framework':<12} {'network':<14} {'image':<5} {'Z':>3} {'batch':>5} {'loss':<11} "
        f"{'in':<4} {'pack':>4} {'steps/s':>8} {'bound':>5}"
    )
    for kind, found in paces.items():
        pack = "cpu" if kind.device == "cpu" else str(found.pack)
        bound = bounds[kind]
        share = NONE if bound is None else f"{found.steps_per_second * bound.layerwise_s:.0%}"
        print(
            f"{kind.framework:<12} {kind.network:<14} {short(kind.image_shape):<5} "
            f"{kind.latents:3} {kind.batch_size:5} {kind.loss:<11} {kind.precision:<4} "
            f"{pack:>4} {number(found.steps_per_second):>8} {share:>5}"
        )
    note(
        "Steps a second of the whole device: of a pack, or (cpu) of one trial on one thread times "
        "the number of cores; a step of PCA and ICA is a fit, and ICA's depends on the images. All "
        "of drawn squares of that shape in place of the datasets. bound: the share of the rate at "
        "which the network's operations follow each other, each as fast as its arithmetic or its "
        "bytes allow, in bf16; - where Adam does not train it."
    )


def print_encoding(coder_paces: Mapping[Coder, CoderPace]) -> None:
    print(
        f"\n{'network':<14} {'image':<5} {'Z':>3} {'loss':<11} {'codes/s':>10} {'evidence/s':>10}"
    )
    for coder, found in coder_paces.items():
        print(
            f"{coder.network:<14} {short(coder.image_shape):<5} {coder.latents:3} {coder.loss:<11} "
            f"{number(found.encoded_per_second):>10} {number(found.evaluated_per_second):>10}"
        )
    note("Images a second of the whole device, alone on it: for codes, for terms of the evidence.")


def print_scores(seconds: Mapping[tuple[Codes, Score], float]) -> None:
    print(
        f"\n{'metric':<26} {'size':<4} {'codes':<7} {'least, s':>8} {'most, s':>8}  "
        "of so many codes"
    )
    by_score: dict[Score, list[tuple[float, Codes]]] = defaultdict(list)
    for (codes, score), spent in seconds.items():
        by_score[score].append((spent, codes))
    for score, found in sorted(by_score.items()):
        (least, _), (most, codes) = min(found), max(found)
        print(
            f"{score.metric:<26} {score.size:<4} {score.representation:<7} {least:8.3f} "
            f"{most:8.3f}  {codes.rows:,} x {codes.latents}"
        )
    note("Seconds of CPU on one thread, of made-up codes as many as the datasets'.")


def print_hours(costs: Sequence[Cost]) -> None:
    published = [cost for cost in costs if cost.published_s is not None]
    if len(published) > 1:
        costs = [*costs, summed(published)]
    print(
        f"\n{'hours':<26} {'training':>8} {'encoding':>12} {'together':>12} {'published':>9} "
        f"{'ratio':>6}"
    )
    for cost in costs:
        ratio = NONE if cost.ratio is None else number(cost.ratio)
        print(
            f"{cost.name:<26} {hours(cost.training_s):>8} "
            f"{hours(cost.encoding_s, NOT_MEASURED):>12} "
            f"{hours(cost.together_s, NOT_MEASURED):>12} {hours(cost.published_s):>9} {ratio:>6}"
        )
    note(
        "Of the whole device, with nothing between the trials; of a grid without a GPU, of all "
        "cores. ratio: published over together. FID and UDR are not measured."
    )
    print(
        f"\n{'hours':<26} {'trials':>6} {'training':>8} {'layerwise':>9} {'arithmetic':>10} "
        f"{'scoring':>12}"
    )
    for cost in costs:
        print(
            f"{cost.name:<26} {cost.trials:6} {hours(cost.training_s):>8} "
            f"{hours(cost.layerwise_s):>9} {hours(cost.arithmetic_s):>10} "
            f"{hours(cost.scoring_s, NOT_MEASURED):>12}"
        )
    note(
        "layerwise: training at least, where each operation reads and writes memory once; "
        "arithmetic: however it is made. Of the networks, in bf16. scoring: hours of one CPU core, "
        "beside the device's."
    )


def short(image_shape: tuple[int, int, int]) -> str:
    """Images are square."""
    return f"{image_shape[0]}x{image_shape[1]}"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def hours(seconds: float | None, absent: str = NONE) -> str:
    return absent if seconds is None else number(seconds / 3600)


def note(text: str) -> None:
    print(textwrap.fill(text, WIDTH))


def tell(what: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {what}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default=None)
    parser.add_argument("--training", action="store_true", help="no encoding, no scores")
    parser.add_argument("grids", nargs="*", type=Path, metavar="GRID")
    arguments = parser.parse_args()
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    prepare_for_training()
    paths = arguments.grids or [FOLDER / f"{name}.yaml" for name in GRIDS]
    grids = {f"{path.resolve().parent.name}/{path.stem}": load_grid(path) for path in paths}
    groups = {name: groups_of(grid, device) for name, grid in grids.items()}
    found = measured(grids, groups, arguments.training)
    print_device(device, found.rates)
    print_training(found.paces, found.bounds)
    if not arguments.training:
        print_encoding(found.coder_paces)
        print_scores(found.score_seconds)
    print_hours([cost_of(name, grid, groups[name], found) for name, grid in grids.items()])


if __name__ == "__main__":
    main()
