from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from trainers.models import MODELS, conv64, conv64_disent, initialise
from trainers.streams import Stream, normals


# Michlo et al. 2023, supplement, table 3, counted by hand from the layers' shapes.
@pytest.mark.parametrize(
    ("channels", "latents", "parameters"),
    [(1, 9, 763_475), (1, 25, 775_795), (3, 9, 765_525), (3, 25, 777_845)],
)
def test_conv64_has_the_parameters_of_the_table(
    channels: int, latents: int, parameters: int
) -> None:
    model = conv64((channels, 64, 64), latents)
    assert sum(parameter.numel() for parameter in model.parameters()) == parameters


@pytest.mark.parametrize(("channels", "latents"), [(1, 9), (3, 25)])
def test_conv64_disent_has_1600_features_in_place_of_1024(channels: int, latents: int) -> None:
    def count(model: nn.Module) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    shape = (channels, 64, 64)
    wider = count(conv64_disent(shape, latents)) - count(conv64(shape, latents))
    assert wider == (1600 - 1024) * 256


@pytest.mark.parametrize("name", ["conv64", "conv64_disent"])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(name: str, channels: int) -> None:
    model = MODELS[name]((channels, 64, 64), 5)
    mean, logvar = model.encode(torch.rand(2, channels, 64, 64))
    assert mean.shape == logvar.shape == (2, 5)
    assert model.decode(mean).shape == (2, channels, 64, 64)


def test_the_head_is_split_in_halves() -> None:
    model = conv64((1, 64, 64), 3)
    head = model.encoder[-1]  # type: ignore[index]
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.arange(6.0))
    mean, logvar = model.encode(torch.zeros(1, 1, 64, 64))
    assert mean.tolist() == [[0, 1, 2]]
    assert logvar.tolist() == [[3, 4, 5]]


@pytest.mark.parametrize("name", ["conv64", "conv64_disent"])
def test_another_image_size_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="this model takes 64x64 images, not 32x64"):
        MODELS[name]((3, 32, 64), 9)


def test_weights_have_the_variance_of_xavier_and_biases_are_zero() -> None:
    model = conv64((3, 64, 64), 9)
    initialise(model, seed=0)
    for parameter in model.parameters():
        values = parameter.detach().double().flatten()
        if parameter.ndim == 1:
            assert not values.any()
            continue
        fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(parameter)
        std = math.sqrt(2 / (fan_in + fan_out))
        tolerance = 5 / math.sqrt(2 * len(values))
        assert float(values.std()) == pytest.approx(std, rel=tolerance)
        assert abs(float(values.mean())) < 5 * std / math.sqrt(len(values))


def test_initial_weights_follow_from_the_seed_alone() -> None:
    def weights(seed: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        torch.rand(seed + 1)  # torch's own generator plays no part
        model = conv64((1, 64, 64), 2)
        initialise(model, seed)
        return [parameter.detach().numpy() for parameter in model.parameters()]

    first, again, other = weights(0), weights(0), weights(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])
    drawn = normals(0, Stream.INITIALISATION, 2, 1, 32 * 32 * 16, dtype=torch.float32)
    expected = drawn.view(32, 32, 4, 4).numpy() * math.sqrt(2 / (16 * 64))
    np.testing.assert_allclose(first[2], expected, rtol=1e-6)


def test_outputs_are_float32_under_autocast_and_float64_in_float64() -> None:
    model = conv64((1, 64, 64), 2)
    with torch.autocast("cpu", torch.bfloat16):
        mean, logvar = model.encode(torch.rand(2, 1, 64, 64))
        assert mean.dtype == logvar.dtype == model.decode(mean).dtype == torch.float32
    mean, _ = model.double().encode(torch.rand(2, 1, 64, 64, dtype=torch.float64))
    assert mean.dtype == model.decode(mean).dtype == torch.float64
