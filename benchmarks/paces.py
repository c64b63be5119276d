"""How fast trials train, and how fast their models encode, here; and how fast at most.

Trials that differ in nothing that sets their pace are of one kind, and a kind is timed once, on
drawn squares of its image shape: on CUDA in a pack of the best size, on a CPU one trial on one
thread, which the machine does as often at once as it has cores.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from typing import NamedTuple

import torch
from torch import Tensor, nn

from benchmarks.bounds import Layer, Operation, step_operations
from grids import parts
from grids.datasets import Images
from grids.trial import Trial
from trainers import make_dataset, make_model
from trainers.batches import STEPS_AHEAD
from trainers.encode import encode
from trainers.evaluation import evaluate
from trainers.fit import Training
from trainers.pack import SIZES, Pack, best_size

BLOCKS = 5
"""Of which the median counts: what else the machine does may slow one."""


class Amounts(NamedTuple):
    """What is timed: steps of a block, and images of six factors of so many positions."""

    steps: int
    positions: int
    evaluated_images: int


# On CUDA a block has its share of the numbers that are drawn ahead.
AMOUNTS = {"cuda": Amounts(STEPS_AHEAD, 8, 10_000), "cpu": Amounts(2, 4, 1_000)}


class Kind(NamedTuple):
    """What sets the pace of a trial: as `orchestrator.plan.PACE`, of all datasets of a shape."""

    device: str
    framework: str
    network: str
    image_shape: tuple[int, int, int]
    latents: int
    batch_size: int
    loss: str
    precision: str


class Coder(NamedTuple):
    """What sets the pace at which a trained model encodes."""

    device: str
    network: str
    image_shape: tuple[int, int, int]
    latents: int
    loss: str
    posterior: bool


class Pace(NamedTuple):
    """Of the whole device: steps a second, in packs of so many trials."""

    pack: int
    steps_per_second: float


class CoderPace(NamedTuple):
    """Of the whole device: images a second for codes, and for the terms of the evidence."""

    encoded_per_second: float
    evaluated_per_second: float


def kind_of(trial: Trial, device: str) -> Kind:
    return Kind(
        device,
        trial.framework.name,
        trial.model.name,
        trial.dataset.image_shape,
        trial.latents,
        trial.batch_size,
        trial.reconstruction.name,
        trial.precision,
    )


def coder_of(trial: Trial, device: str) -> Coder:
    return Coder(
        device,
        trial.model.name,
        trial.dataset.image_shape,
        trial.latents,
        trial.reconstruction.name,
        trial.framework.posterior,
    )


def drawn(like: Images, positions: int = 8) -> parts.XYSquares:
    """Squares of this image shape."""
    channels, side, _ = like.image_shape
    return parts.XYSquares(
        image_size=side,
        spacing=(side - 8) // 7,
        grid_size=positions,
        rgb=channels == 3,
        standardise=like.standardise,
    )


def at_once(device: str) -> int:
    """Packs that it runs beside each other: on a CPU one a core."""
    return (os.cpu_count() or 1) if device == "cpu" else 1


def pace(trial: Trial, device: str) -> Pace:
    """What is fitted in closed form has one step, of one trial a core."""
    trial = dataclasses.replace(trial, dataset=drawn(trial.dataset))
    there, clock = torch.device(device), time.perf_counter
    dataset = make_dataset(trial.dataset, device=there)
    if trial.framework.closed_form:
        training = Training(trial, dataset, there)
        started = clock()
        training.advance(1)
        return Pace(1, at_once(device) / (clock() - started))
    steps = AMOUNTS[device].steps
    size = best_size(trial, dataset, there, clock, most=SIZES[-1])
    pack = Pack(there, clock)
    for _ in range(size):
        pack.add(trial, dataset)
    seconds = statistics.median(pack.seconds(steps) for _ in range(BLOCKS))
    return Pace(size, at_once(device) * size * steps / seconds)


def coder_pace(trial: Trial, device: str) -> CoderPace:
    """Of a model alone on its device, or on each core."""
    trial = dataclasses.replace(trial, dataset=drawn(trial.dataset))
    amounts, posterior = AMOUNTS[device], trial.framework.posterior
    dataset = make_dataset(drawn(trial.dataset, amounts.positions), device=device)
    model = make_model(trial, device=device)
    for _ in range(2):  # the first time libraries set themselves up
        started = time.perf_counter()
        encoded = encode(model, dataset, device=device, posterior=posterior).mean.shape[1]
        encoded_at = time.perf_counter()
        evaluate(model, dataset, trial, images=amounts.evaluated_images, device=device)
        evaluated_at = time.perf_counter()
    return CoderPace(
        at_once(device) * encoded / (encoded_at - started),
        at_once(device) * amounts.evaluated_images / (evaluated_at - encoded_at),
    )


def operations_of(trial: Trial) -> list[Operation] | None:
    """A step of its network, without what a framework has beside it; None where Adam makes none."""
    if trial.framework.closed_form or trial.optimizer.name != "adam":
        return None
    model = make_model(trial, device="cpu")
    image = torch.zeros(1, *trial.dataset.image_shape)
    with torch.no_grad():
        code = model.code(image)
    layers = layers_of(model.encoder, image) + layers_of(model.decoder, code)
    return step_operations(layers, (1 + trial.framework.pairs) * trial.batch_size)


def layers_of(half: nn.Module, given: Tensor) -> list[Layer]:
    """The layers of an encoder or a decoder, of which all but the first follow an activation."""
    layers: list[Layer] = []

    def note(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        [values] = inputs
        pixels = 1
        if isinstance(layer, nn.Conv2d):
            pixels = output[0, 0].numel()
        elif isinstance(layer, nn.ConvTranspose2d):
            pixels = values[0, 0].numel()
        assert isinstance(layer.weight, Tensor)
        layers.append(
            Layer(
                multiply_adds=pixels * layer.weight.numel(),
                inputs=values[0].numel(),
                outputs=output[0].numel(),
                parameters=sum(parameter.numel() for parameter in layer.parameters()),
                rectified=bool(layers),
            )
        )

    kinds = nn.Conv2d, nn.ConvTranspose2d, nn.Linear
    hooks = [m.register_forward_hook(note) for m in half.modules() if isinstance(m, kinds)]
    with torch.no_grad():
        half(given)
    for hook in hooks:
        hook.remove()
    return layers
