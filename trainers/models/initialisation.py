"""Initial weights, each network's as its study had them, from our own stream.

torch's generator plays no part: its values are its version's. Parameter n of a network is drawn
from row 0 of step n of the stream, encoder first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from trainers.streams import Stream, normals, words

Initialise = Callable[[Iterable[nn.Module], int], None]


def glorot_normal(layers: Iterable[nn.Module], seed: int, first: int = 0) -> None:
    """Weights normal with variance 2 / (fan_in + fan_out), biases zero.

    Glorot and Bengio 2010, equation 12, as a normal distribution (disent's xavier_normal).
    """
    for number, layer, weight, bias in _layers(layers, first):
        std = math.sqrt(2 / (_fan_in(layer) + _fan_out(layer)))
        drawn = normals(seed, Stream.INITIALISATION, number, 1, weight.numel(), dtype=torch.float32)
        weight.copy_(drawn.view_as(weight) * std)
        bias.zero_()


def glorot_uniform(layers: Iterable[nn.Module], seed: int, first: int = 0) -> None:
    """Weights in +-sqrt(6 / (fan_in + fan_out)), biases zero: equation 16, TensorFlow's default."""
    for number, layer, weight, bias in _layers(layers, first):
        limit = math.sqrt(6 / (_fan_in(layer) + _fan_out(layer)))
        weight.copy_(_uniform(seed, number, weight) * limit)
        bias.zero_()


def glorot_uniform_of_two_heads(layers: Iterable[nn.Module], seed: int, first: int = 0) -> None:
    """The same of an encoder and a decoder where means and log variances have layers of their own.

    The encoder's last layer has both here; each has a fan out of as many outputs as there are
    latents, the inputs of the decoder.
    """
    encoder, decoder = layers
    glorot_uniform([encoder, decoder], seed, first)
    *_, (_, head, weight, _) = _layers([encoder], first)
    latents = _fan_in(next(layer for _, layer, _, _ in _layers([decoder], first)))
    weight *= math.sqrt((_fan_in(head) + _fan_out(head)) / (_fan_in(head) + latents))


def torch_default(layers: Iterable[nn.Module], seed: int, first: int = 0) -> None:
    """Weights and biases in +-1 / sqrt(fan_in), where torch counts the outputs of a transposed
    convolution as its inputs (torch.nn.Linear and Conv2d, reset_parameters).
    """
    for number, layer, weight, bias in _layers(layers, first):
        transposed = isinstance(layer, nn.ConvTranspose2d)
        limit = 1 / math.sqrt(_fan_out(layer) if transposed else _fan_in(layer))
        weight.copy_(_uniform(seed, number, weight) * limit)
        bias.copy_(_uniform(seed, number + 1, bias) * limit)


def fan_in_uniform(layers: Iterable[nn.Module], seed: int, first: int = 0) -> None:
    """Weights and biases in +-1 / sqrt(fan_in): Song 2018's code, model.py."""
    for number, layer, weight, bias in _layers(layers, first):
        limit = 1 / math.sqrt(_fan_in(layer))
        weight.copy_(_uniform(seed, number, weight) * limit)
        bias.copy_(_uniform(seed, number + 1, bias) * limit)


def _layers(
    modules: Iterable[nn.Module], first: int
) -> Iterable[tuple[int, nn.Module, Tensor, Tensor]]:
    """The number of its weight, the layer, its weight and its bias."""
    number = first
    for module in modules:
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                assert layer.bias is not None
                yield number, layer, layer.weight.detach(), layer.bias.detach()
                number += 2


def _fan_in(layer: nn.Module) -> int:
    """Inputs that one output is computed from (of a transposed convolution: kernel and all)."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    return layer.in_channels * math.prod(layer.kernel_size)


def _fan_out(layer: nn.Module) -> int:
    if isinstance(layer, nn.Linear):
        return layer.out_features
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    return layer.out_channels * math.prod(layer.kernel_size)


def _uniform(seed: int, number: int, like: Tensor) -> Tensor:
    """In [-1, 1), of the shape of `like`."""
    drawn = words(seed, Stream.INITIALISATION, number, 1, like.numel())
    return (drawn.view_as(like) * 2.0**-31 - 1).to(torch.float32)
