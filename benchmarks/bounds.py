"""What a training step of conv64 takes at least, on a device whose rates are measured.

A step is a row of operations: each layer forward, its gradient of the input, its gradient of the
weights, and Adam. Each multiplies and adds so often, and reads and writes memory once, activations
in bf16, with everything elementwise (bias, ReLU, loss) done in passing. None is faster than its
arithmetic, none faster than its bytes; a chip's cache can keep what one operation hands to the
next, as long as few trainings share it, so only the arithmetic bounds every implementation.

Needs torch and the standard library.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch

IMAGE_BYTES = 1
"""An element of an image, which is read as it is stored."""
ACTIVATION_BYTES = 2
WEIGHT_BYTES = 2
GRADIENT_BYTES = 4
ADAM_BYTES = 30
"""A parameter: gradient, weight and both moments read, three of them and the bf16 copy written."""

COPIED_BYTES = 2**30
REPEATS = 10
"""On CUDA, where starting one and waiting for it takes time of its own."""
ROWS = 20


class Layer(NamedTuple):
    """One layer, of one image: multiply-adds of a dense product, padding included, and elements."""

    multiply_adds: int
    inputs: int
    outputs: int
    parameters: int
    rectified: bool
    """Its inputs are what a ReLU let through, which the gradient has to look up."""


class Operation(NamedTuple):
    flops: int
    bytes: int


class Rates(NamedTuple):
    bytes_per_second: float
    """Read and written."""
    flops_per_second: float


def convolution(side: int, inputs: int, outputs: int, rectified: bool = True) -> Layer:
    """4x4, stride 2, from images of this side and so many channels to half the side."""
    weights, pixels = 16 * inputs * outputs, side * side
    half = pixels // 4
    return Layer(half * weights, pixels * inputs, half * outputs, weights + outputs, rectified)


def transposed(side: int, inputs: int, outputs: int) -> Layer:
    """4x4, stride 2, from images of this side to twice the side."""
    weights, pixels = 16 * inputs * outputs, side * side
    return Layer(pixels * weights, pixels * inputs, 4 * pixels * outputs, weights + outputs, True)


def linear(inputs: int, outputs: int, rectified: bool = True) -> Layer:
    return Layer(inputs * outputs, inputs, outputs, (inputs + 1) * outputs, rectified)


def conv64_layers(channels: int, latents: int) -> list[Layer]:
    """Michlo et al. 2023, table 3."""
    return [
        convolution(64, channels, 32, rectified=False),
        convolution(32, 32, 32),
        convolution(16, 32, 64),
        convolution(8, 64, 64),
        linear(1024, 256),
        linear(256, 2 * latents),
        linear(latents, 256, rectified=False),
        linear(256, 1024),
        transposed(4, 64, 64),
        transposed(8, 64, 32),
        transposed(16, 32, 32),
        transposed(32, 32, channels),
    ]


def step_operations(layers: Sequence[Layer], images: int) -> list[Operation]:
    """A training step of so many images; the first layer takes them and the last is the loss's."""
    first, last = layers[0], layers[-1]
    operations = []
    for layer in layers:
        flops = 2 * images * layer.multiply_adds
        read = images * layer.inputs * (IMAGE_BYTES if layer is first else ACTIVATION_BYTES)
        written = images * layer.outputs * ACTIVATION_BYTES
        weights = WEIGHT_BYTES * layer.parameters
        # The last layer compares with the images and writes the gradient of what it gives.
        target = images * layer.outputs * IMAGE_BYTES if layer is last else 0
        operations.append(Operation(flops, read + target + written + weights))
        if layer is not first:
            looked_up = read if layer.rectified else 0
            operations.append(Operation(flops, written + looked_up + read + weights))
        gradient = GRADIENT_BYTES * layer.parameters
        operations.append(Operation(flops, read + written + gradient))
    adam = ADAM_BYTES * sum(layer.parameters for layer in layers)
    return [*operations, Operation(0, adam)]


def step_bounds(channels: int, latents: int, batch_size: int, pairs: bool) -> tuple[int, int]:
    """(FLOPs, bytes) of a step of conv64; of pairs of images, both go both ways."""
    operations = step_operations(conv64_layers(channels, latents), (1 + pairs) * batch_size)
    return sum(o.flops for o in operations), sum(o.bytes for o in operations)


def layerwise_seconds(operations: Sequence[Operation], rates: Rates) -> float:
    """The least time where each operation is one kernel that reads and writes memory once."""
    return sum(
        max(o.flops / rates.flops_per_second, o.bytes / rates.bytes_per_second) for o in operations
    )


def device_rates(device: torch.device | str) -> Rates:
    """The fastest that it copies memory and multiplies matrices, of a CPU with all its cores.

    Random numbers: zeros are faster, as they take less power. Of a CPU bf16 or fp32, whichever is
    faster there.
    """
    device = torch.device(device)
    threads = torch.get_num_threads()
    torch.set_num_threads(os.cpu_count() or 1)
    try:
        cuda = device.type == "cuda"
        source = torch.randn((COPIED_BYTES if cuda else COPIED_BYTES // 4) // 4, device=device)
        copy = torch.empty_like(source)
        bytes_moved = 2 * source.nbytes
        copied_s = fastest(partial(copy.copy_, source), device)
        side = 8192 if cuda else 1024
        multiplied_s = []
        for dtype in (torch.bfloat16,) if cuda else (torch.bfloat16, torch.float32):
            a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
            multiplied_s.append(fastest(partial(torch.matmul, a, b), device))
        return Rates(bytes_moved / copied_s, 2 * side**3 / min(multiplied_s))
    finally:
        torch.set_num_threads(threads)


def fastest(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of one, in the fastest of ROWS rows after one to warm up."""
    cuda = device.type == "cuda"
    repeats = REPEATS if cuda else 1
    seconds = []
    for _ in range(1 + ROWS):
        started = time.perf_counter()
        for _ in range(repeats):
            run()
        if cuda:
            torch.cuda.synchronize(device)
        seconds.append((time.perf_counter() - started) / repeats)
    return min(seconds[1:])
