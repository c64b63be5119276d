"""Against torch's transposed convolution and losses in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

decoded = pytest.importorskip("trainers.kernels.decoded")
Layer = pytest.importorskip("trainers.kernels.convolution").Layer

BATCH = 3
ONE_ROUNDING = 2**-8
EXACT = 1e-6
LAYERS = {
    "grey": Layer(16, 8, 1, 32, 4, 1),
    "two channels": Layer(16, 8, 2, 32, 4, 1),
    "colour": Layer(16, 8, 3, 32, 4, 1),
    "four channels": Layer(16, 8, 4, 64, 4, 1),
    "padding 2": Layer(16, 9, 1, 32, 4, 2),
    "colour, padding 2": Layer(18, 10, 3, 32, 4, 2),
    "ten places": Layer(19, 9, 1, 32, 4, 1),
    "eleven places": Layer(20, 10, 1, 32, 4, 1),
    "odd, padding 2": Layer(9, 5, 1, 64, 4, 2),
}


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("loss", ["mse", "bernoulli"])
@pytest.mark.parametrize("name", LAYERS)
def test_the_loss_of_an_image_and_its_gradient(device: torch.device, name: str, loss: str) -> None:
    layer = LAYERS[name]
    made = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made).to(device, torch.bfloat16)

    small = drawn(BATCH, layer.small, layer.small, layer.small_channels)
    weight = drawn(layer.small_channels, 4, 4, layer.large_channels) / 8
    bias = drawn(layer.large_channels).float()
    side = layer.large
    images = torch.rand(BATCH, side, side, layer.large_channels, generator=made).to(device)

    output = F.conv_transpose2d(
        small.permute(0, 3, 1, 2).double(),
        weight.permute(0, 3, 1, 2).double(),
        bias.double(),
        stride=2,
        padding=layer.padding,
        output_padding=side - (2 * layer.small + 2 - 2 * layer.padding),
    ).requires_grad_()
    target = images.permute(0, 3, 1, 2).double()
    of = F.mse_loss if loss == "mse" else F.binary_cross_entropy_with_logits
    expected = of(output, target, reduction="sum") / BATCH
    expected.backward()

    found = decoded.up_loss(layer, small, weight, bias, images, squared=loss == "mse")
    assert error(found.parts.sum(), expected.detach()) < EXACT
    gradient = found.gradient[..., : layer.large_channels]
    assert output.grad is not None
    assert error(gradient.permute(0, 3, 1, 2), output.grad) < ONE_ROUNDING
    assert not found.gradient[..., layer.large_channels :].any()


def test_logits_far_from_zero_stay_finite(device: torch.device) -> None:
    layer = LAYERS["grey"]
    small = torch.zeros(1, 8, 8, 32, dtype=torch.bfloat16, device=device)
    weight = torch.zeros(32, 4, 4, 1, dtype=torch.bfloat16, device=device)
    images = torch.ones(1, 16, 16, 1, device=device)
    for logit, nats in ((300.0, 0.0), (-300.0, 300.0 * 256)):
        bias = torch.full((1,), logit, device=device)
        found = decoded.up_loss(layer, small, weight, bias, images, squared=False)
        assert found.parts.sum().item() == pytest.approx(nats)
        slope = -1.0 if logit < 0 else 0.0
        assert (found.gradient.float() == slope).all()
