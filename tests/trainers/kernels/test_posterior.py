"""Against trainers.gaussian in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainers import gaussian

posterior = pytest.importorskip("trainers.kernels.posterior")
EXACT = 1e-6


def error(found: Tensor, expected: Tensor) -> float:
    found, expected = found.detach(), expected.detach()
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize(("rows", "latents"), [(256, 9), (700, 10), (5, 1), (64, 32), (3, 5000)])
def test_a_sample_and_its_divergence_and_their_gradients(
    device: torch.device, rows: int, latents: int
) -> None:
    made = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made).to(device)

    head, noise = drawn(rows, 2 * latents), drawn(rows, latents)
    head[:2] *= 1e-3  # where e^x - 1 cancels
    of_z, of_kl = drawn(rows, latents), drawn(latents)
    same = head.double().requires_grad_()
    head.requires_grad_()

    z, kl = posterior.sampled(*head.chunk(2, dim=1), noise)
    ((z * of_z).sum() + (kl * of_kl).sum()).backward()
    mean, logvar = same.chunk(2, dim=1)
    expected_z = gaussian.sample(mean, logvar, noise.double())
    expected_kl = gaussian.kl_from_standard_normal(mean, logvar).mean(dim=0)
    ((expected_z * of_z).sum() + (expected_kl * of_kl).sum()).backward()

    assert error(z, expected_z) < EXACT
    assert error(kl, expected_kl) < EXACT
    assert head.grad is not None and same.grad is not None
    assert error(head.grad, same.grad) < EXACT


def test_a_gradient_of_one_number_for_all_latents(device: torch.device) -> None:
    head = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)).to(device)
    head.requires_grad_()
    mean, logvar = head.chunk(2, dim=1)
    _, kl = posterior.sampled(mean, logvar, torch.zeros(40, 3, device=device))
    (2 * kl.sum()).backward()
    mean, logvar = head.detach().double().chunk(2, dim=1)
    expected = 2 * torch.cat([mean, 0.5 * torch.expm1(logvar)], dim=1) / 40
    assert head.grad is not None
    assert error(head.grad, expected) < EXACT


def test_a_small_divergence_keeps_its_digits(device: torch.device) -> None:
    logvar = torch.tensor([[1e-3], [-0.3], [0.34], [0.36]], device=device)
    for row in logvar:
        _, kl = posterior.sampled(
            torch.zeros_like(row)[None], row[None], torch.zeros_like(row)[None]
        )
        v = row.double()
        assert kl.item() == pytest.approx((0.5 * (torch.expm1(v) - v)).item(), rel=1e-3)
