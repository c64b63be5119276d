from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from trainers.models import MODELS, VAE
from trainers.models.initialisation import (
    fan_in_uniform,
    glorot_normal,
    glorot_uniform,
    torch_default,
)
from trainers.streams import Stream, normals

Layer = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
Array = npt.NDArray[np.float64]


def layers() -> list[Layer]:
    return [nn.Linear(20, 300), nn.Conv2d(12, 50, 4), nn.ConvTranspose2d(24, 7, 4)]


# Inputs and outputs, kernel and all.
FANS = [(20, 300), (12 * 16, 50 * 16), (24 * 16, 7 * 16)]
# torch counts the outputs of a transposed convolution.
TORCH_FANS_IN = [20, 12 * 16, 7 * 16]


def array(values: Tensor | None) -> Array:
    assert values is not None
    return values.detach().double().numpy().ravel()


def assert_fills(values: Array, limit: float) -> None:
    """Uniform in +-limit: nothing outside, and all of it used."""
    scaled, n = values / limit, values.size
    assert np.abs(scaled).max() <= 1 + 1e-6
    # The largest of n is above 1 - 20 / n but for e^-10 of all draws.
    assert scaled.max() > 1 - 20 / n and scaled.min() < -1 + 20 / n
    assert abs(scaled.mean()) < 5 / math.sqrt(3 * n)
    # The variance of a uniform square is 4 / 45.
    assert abs((scaled**2).mean() - 1 / 3) < 5 * math.sqrt(4 / 45 / n)


def assert_normal(values: Array, std: float) -> None:
    scaled, n = values / std, values.size
    assert abs(scaled.mean()) < 5 / math.sqrt(n)
    assert abs((scaled**2).mean() - 1) < 5 * math.sqrt(2 / n)
    beyond = 1 - math.erf(2 / math.sqrt(2))
    assert abs((np.abs(scaled) > 2).mean() - beyond) < 5 * math.sqrt(beyond / n)


def test_glorot_normal_has_its_variance_and_no_bias() -> None:
    made = layers()
    glorot_normal(made, 0)
    for layer, (fan_in, fan_out) in zip(made, FANS, strict=True):
        assert_normal(array(layer.weight), math.sqrt(2 / (fan_in + fan_out)))
        assert not array(layer.bias).any()


def test_glorot_uniform_fills_its_interval_without_bias() -> None:
    made = layers()
    glorot_uniform(made, 0)
    for layer, (fan_in, fan_out) in zip(made, FANS, strict=True):
        assert_fills(array(layer.weight), math.sqrt(6 / (fan_in + fan_out)))
        assert not array(layer.bias).any()


def test_torch_default_has_the_limits_of_torchs_own_layers() -> None:
    made = layers()
    torch_default(made, 0)
    for layer, own, fan_in in zip(made, layers(), TORCH_FANS_IN, strict=True):
        assert_fills(array(layer.weight), 1 / math.sqrt(fan_in))
        assert_fills(array(layer.bias), 1 / math.sqrt(fan_in))
        weights, biases = [], []
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for _ in range(100):
                own.reset_parameters()
                weights.append(array(own.weight))
                biases.append(array(own.bias))
        assert_fills(np.concatenate(weights), 1 / math.sqrt(fan_in))
        assert_fills(np.concatenate(biases), 1 / math.sqrt(fan_in))


def test_fan_in_uniform_counts_the_inputs_of_a_transposed_convolution() -> None:
    made = layers()
    fan_in_uniform(made, 0)
    for layer, (fan_in, _) in zip(made, FANS, strict=True):
        assert_fills(array(layer.weight), 1 / math.sqrt(fan_in))
        assert_fills(array(layer.bias), 1 / math.sqrt(fan_in))


def started(name: str, seed: int) -> VAE:
    size = 32 if name in ("mlp_higgins", "linear") else 64
    model = MODELS[name].make((1, size, size), 2, 4)
    MODELS[name].initialise((model.encoder, model.decoder), seed)
    return model


def fans(layer: Layer) -> tuple[int, int]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    kernel = layer.kernel_size[0] * layer.kernel_size[1]
    return layer.in_channels * kernel, layer.out_channels * kernel


def layers_of(name: str) -> list[Layer]:
    modules = started(name, 0).modules()
    return [m for m in modules if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]


@pytest.mark.parametrize("name", ["conv64", "conv64_disent"])
def test_the_networks_of_michlo_start_normal(name: str) -> None:
    for layer in layers_of(name):
        assert_normal(array(layer.weight), math.sqrt(2 / sum(fans(layer))))
        assert not array(layer.bias).any()


def test_the_network_of_locatello_starts_as_tensorflow_does() -> None:
    """disentanglement_lib's means and log variances are two layers of 256 to Z."""
    for layer in layers_of("conv_locatello"):
        fan_in, fan_out = fans(layer)
        if (fan_in, fan_out) == (256, 4):  # of 2 latents
            fan_out = 2
        assert_fills(array(layer.weight), math.sqrt(6 / (fan_in + fan_out)))
        assert not array(layer.bias).any()
    name, latents = "conv_locatello", 200
    for head in (latents, 2 * latents):  # of an autoencoder, of a VAE
        model = MODELS[name].make((1, 64, 64), latents, head)
        MODELS[name].initialise((model.encoder, model.decoder), 0)
        *_, last = [m for m in model.encoder.modules() if isinstance(m, nn.Linear)]
        assert_fills(array(last.weight), math.sqrt(6 / (256 + latents)))


@pytest.mark.parametrize("name", ["mlp_higgins", "conv_burgess", "linear"])
def test_the_networks_of_fil_start_as_torch_does(name: str) -> None:
    for layer in layers_of(name):
        fan_in = fans(layer)[1 if isinstance(layer, nn.ConvTranspose2d) else 0]
        assert_fills(array(layer.weight), 1 / math.sqrt(fan_in))
        assert_fills(array(layer.bias), 1 / math.sqrt(fan_in))


def test_the_network_of_song_starts_from_the_fan_in() -> None:
    for layer in layers_of("conv_song"):
        assert_fills(array(layer.weight), 1 / math.sqrt(fans(layer)[0]))
        assert_fills(array(layer.bias), 1 / math.sqrt(fans(layer)[0]))


@pytest.mark.parametrize("name", MODELS)
def test_initial_weights_follow_from_the_seed_alone(name: str) -> None:
    first, other = (list(started(name, seed).parameters()) for seed in (0, 1))
    with torch.random.fork_rng():
        torch.manual_seed(7)  # torch's own generator plays no part
        again = list(started(name, 0).parameters())
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    drawn = [(a, b) for a, b in zip(first, other, strict=True) if a.any()]
    assert not any(torch.equal(a, b) for a, b in drawn)
    # No two parameters are drawn from the same numbers, whatever their scales.
    flat = [array(a) for a, _ in drawn if a.numel() > 1]
    assert len({values[1] / values[0] for values in flat}) == len(flat)


def test_torchs_generator_is_left_alone() -> None:
    for name in MODELS:
        model = MODELS[name].make((1, 64, 64), 2, 4)
        before = torch.get_rng_state()
        MODELS[name].initialise((model.encoder, model.decoder), 0)
        assert torch.equal(torch.get_rng_state(), before)


def test_the_second_weight_is_drawn_as_parameter_2() -> None:
    drawn = normals(0, Stream.INITIALISATION, 2, 1, 32 * 32 * 16, dtype=torch.float32)
    expected = drawn.numpy().ravel() * math.sqrt(2 / (16 * 64))
    second = list(started("conv64", 0).parameters())[2]
    np.testing.assert_allclose(array(second), expected, rtol=1e-6)
