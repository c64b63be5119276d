from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from grids import parts
from trainers.models import MODELS
from trainers.objectives.autoencoder import autoencoder
from trainers.objectives.step import Step


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_loss_is_the_mean_over_elements_and_there_is_no_kl(
    trial_of: Any, make_batch: Any, dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype, head=3)
    terms = autoencoder(batch.model, batch.step, trial_of("autoencoder"))
    assert terms.loss.item() == pytest.approx(batch.error / 16, rel=1e-5)
    assert terms.reconstruction_per_image.item() == pytest.approx(batch.error, rel=1e-5)
    assert terms.kl_nats_by_latent is None and terms.own == {}


def test_a_bernoulli_loss_is_of_the_logits(trial_of: Any, make_batch: Any) -> None:
    batch = make_batch(head=3)
    weight, bias = (value.detach().numpy() for value in batch.model.decoder.parameters())
    total = 0.0
    for code, image in zip(batch.z, batch.images, strict=True):
        p = 1 / (1 + np.exp(-(weight @ code + bias)))
        total -= float((image * np.log(p) + (1 - image) * np.log(1 - p)).sum())
    trial = trial_of(
        "autoencoder", dataset=parts.XYSquares(), reconstruction=parts.Bernoulli(), steps=130
    )
    terms = autoencoder(batch.model, batch.step, trial)
    assert terms.loss.item() == pytest.approx(total / 6 / 16, rel=1e-10)


def test_the_code_has_no_noise(trial_of: Any, make_batch: Any) -> None:
    batch, trial = make_batch(head=3), trial_of("autoencoder")
    noisier = batch.step._replace(noise_BZ=100 * batch.step.noise_BZ)
    losses = [autoencoder(batch.model, step, trial).loss for step in (batch.step, noisier)]
    assert torch.equal(*losses)


def test_a_code_as_wide_as_the_image_may_cost_nothing(trial_of: Any) -> None:
    """An encoder and a decoder that undo each other."""
    model = MODELS["linear"].make((1, 2, 2), 4, 4).double()
    matrix = torch.tensor([[2.0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 3, 1], [1, 0, 0, 1]]).double()
    with torch.no_grad():
        values = (matrix, torch.ones(4), matrix.inverse(), -matrix.inverse().sum(dim=1))
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(value)
    images = torch.rand(5, 1, 2, 2, dtype=torch.float64)
    step = Step(images, torch.randn(5, 4).double(), torch.tensor(0), 1.0)
    loss = autoencoder(model, step, trial_of("autoencoder", latents=4)).loss
    assert loss.item() == pytest.approx(0, abs=1e-25)
