from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from trainers.models.transposed import (
    FEW_CHANNELS,
    TransposedConvolution,
    by_depth_to_space,
    channels_last,
)

CHANNELS = [(5, 1), (4, 3), (3, FEW_CHANNELS), (8, 32)]


def made(before: int, after: int, dtype: torch.dtype) -> tuple[TransposedConvolution, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    layer = TransposedConvolution(before, after).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype))
    images = torch.randn(2, before, 4, 6, generator=generator, dtype=dtype)
    return layer, images.to(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize(("before", "after"), CHANNELS)
def test_values_and_gradients_are_torchs(before: int, after: int) -> None:
    layer, images = made(before, after, torch.float64)
    found = layer(images)
    expected = F.conv_transpose2d(images, layer.weight, layer.bias, stride=2, padding=1)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    sought = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1)).double()
    inputs = [images, layer.weight, layer.bias]
    for one, other in zip(
        torch.autograd.grad((found * sought).sum(), inputs),
        torch.autograd.grad((expected * sought).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("before", "after"), CHANNELS)
def test_gradients_are_those_of_the_values(before: int, after: int) -> None:
    layer, images = made(before, after, torch.float64)
    images = images[:1, :, :2, :3].detach().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, w, b: torch.func.functional_call(layer, {"weight": w, "bias": b}, (x,)),
        (images, layer.weight, layer.bias),
    )


def test_each_output_pixel_is_the_sum_that_the_docstring_states() -> None:
    layer, images = made(3, 2, torch.float64)
    found = by_depth_to_space(images, layer.weight, layer.bias)
    for row, column in [(0, 0), (0, 5), (3, 4), (7, 11)]:
        p, a = divmod(row + 1, 2)
        q, b = divmod(column + 1, 2)
        value = layer.bias.clone()
        for d in (0, 1):
            for e in (0, 1):
                if 0 <= p - d < 4 and 0 <= q - e < 6:
                    value = (
                        value + images[0, :, p - d, q - e] @ layer.weight[..., 2 * d + a, 2 * e + b]
                    )
        torch.testing.assert_close(found[0, :, row, column], value)


@pytest.mark.parametrize("channels", [1, 3])
def test_strides_are_channels_last_whatever_the_order_was(channels: int) -> None:
    values = torch.rand(2, channels, 4, 6)
    for given in (values, values.contiguous(memory_format=torch.channels_last)):
        found = channels_last(given)
        assert torch.equal(found, values)
        assert found.stride() == (24 * channels, 1, 6 * channels, channels)


@pytest.mark.parametrize(("before", "after"), CHANNELS)
def test_under_autocast_it_rounds_once(before: int, after: int) -> None:
    layer, images = made(before, after, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(images)
    assert found.dtype == torch.bfloat16
    rounded = [value.bfloat16().double() for value in (images, layer.weight, layer.bias)]
    exact = F.conv_transpose2d(*rounded, stride=2, padding=1)
    torch.testing.assert_close(found.double(), exact, rtol=2**-8, atol=1e-3)
    found.float().square().sum().backward()
    assert {p.grad.dtype for p in layer.parameters() if p.grad is not None} == {torch.float32}
