from __future__ import annotations

from typing import Any

import pytest
import torch

from grids import parts
from trainers.objectives.annealed_vae import annealed, annealed_vae


@pytest.mark.parametrize(("number", "part"), [(0, 0), (50_000, 0.5), (100_000, 1), (300_000, 1)])
def test_the_capacity_grows_linearly_and_stays(number: int, part: float) -> None:
    assert float(annealed(torch.tensor(number), 100_000)) == part


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("number", [0, 13, 40, 1000])
def test_terms_are_their_definitions(
    trial_of: Any, make_batch: Any, number: int, dtype: torch.dtype
) -> None:
    """At these steps the KL of the batch is above the capacity, then below."""
    framework = parts.AnnealedVAE(gamma=30.0, capacity_nats=10.0, anneal_steps=40)
    batch = make_batch(dtype=dtype, number=number)
    capacity = 10 * number / 40 if number < 40 else 10
    assert (batch.kl.sum() > capacity) == (number < 40)
    terms = annealed_vae(batch.model, batch.step, trial_of("annealed_vae", framework=framework))
    expected = batch.error + 30 * abs(batch.kl.sum() - capacity)
    assert terms.loss.item() == pytest.approx(expected, rel=1e-5)
    assert terms.own["capacity_nats"].item() == pytest.approx(capacity, rel=1e-6)


@pytest.mark.parametrize(("number", "sign"), [(0, 1), (10, -1)])
def test_the_kl_is_drawn_to_the_capacity_from_either_side(
    trial_of: Any, make_batch: Any, number: int, sign: int
) -> None:
    framework = parts.AnnealedVAE(gamma=7.0, capacity_nats=50.0, anneal_steps=10)
    batch = make_batch(number=number)
    terms = annealed_vae(batch.model, batch.step, trial_of("annealed_vae", framework=framework))
    assert terms.kl_nats_by_latent is not None
    (gradient,) = torch.autograd.grad(terms.loss, terms.kl_nats_by_latent)
    assert gradient.tolist() == [7 * sign] * 3


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_kl_of_10_nats_at_half_of_25_costs_2500(
    trial_of: Any, make_batch: Any, dtype: torch.dtype
) -> None:
    framework = parts.AnnealedVAE(gamma=1000.0, capacity_nats=25.0, anneal_steps=100_000)
    trial = trial_of("annealed_vae", framework=framework, steps=300_000)
    batch = make_batch(dtype=dtype, number=50_000)
    weight, bias = list(batch.model.encoder.parameters())
    with torch.no_grad():  # every posterior N(m, 1) with m^2 / 2 = 10 / 3
        weight.zero_()
        bias.copy_(torch.tensor([(20 / 3) ** 0.5] * 3 + [0.0] * 3))
    terms = annealed_vae(batch.model, batch.step, trial)
    penalty = (terms.loss - terms.reconstruction_per_image).item()
    assert penalty == pytest.approx(2500, rel=1e-4)
    assert terms.own["capacity_nats"].item() == 12.5
