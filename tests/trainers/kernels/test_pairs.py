"""Against trainers.objectives.ada_vae in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from grids import parts
from trainers import gaussian
from trainers.objectives.ada_vae import averaged

pairs = pytest.importorskip("trainers.kernels.pairs")
EXACT = 1e-6


def error(found: Tensor, expected: Tensor) -> float:
    found, expected = found.detach(), expected.detach()
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize(("number", "latents"), [(64, 9), (500, 10), (33, 25)])
@pytest.mark.parametrize("averaging", gaussian.AVERAGES)
@pytest.mark.parametrize("divergence", gaussian.DIVERGENCES)
def test_what_pairs_share_and_its_gradients(
    device: torch.device, divergence: str, averaging: str, number: int, latents: int
) -> None:
    made = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made).to(device)

    first = drawn(number, 2 * latents)
    second = first + 0.5 * drawn(number, 2 * latents)
    second[0] = first[0]  # a pair of one image shares nothing
    second[1, :3] = first[1, :3]
    head = torch.cat([first, second])
    of_mean, of_logvar = drawn(2 * number, latents), drawn(2 * number, latents)
    same = head.double().requires_grad_()
    head.requires_grad_()
    kind = parts.AdaGVAE if averaging != "ml_vae" else parts.AdaMLVAE
    own = {"averaging": averaging} if averaging != "ml_vae" else {}
    framework = kind(divergence=divergence, **own)  # type: ignore[arg-type]

    mean, logvar, shared = pairs.averaged(
        *head.chunk(2, dim=1), divergence, averaging, framework.threshold_ratio
    )
    ((mean * of_mean).sum() + (logvar * of_logvar).sum()).backward()
    expected = averaged(*same.chunk(2, dim=1), torch.empty(0), framework)
    ((expected[0] * of_mean).sum() + (expected[1] * of_logvar).sum()).backward()

    assert error(mean, expected[0]) < EXACT
    assert error(logvar, expected[1]) < EXACT
    assert 0 < shared.item() < latents
    assert shared.item() == pytest.approx(expected[2].sum(dim=1).double().mean().item())
    assert head.grad is not None and same.grad is not None
    assert error(head.grad, same.grad) < EXACT
