from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers.objectives.beta_vae import beta_vae, beta_weighted
from trainers.objectives.evidence import Evidence, reconstruction_per_image

MakeTrial = Callable[..., Trial]
DTYPES = [torch.float64, torch.float32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "reconstruction", [parts.MSE(), parts.Bernoulli(), parts.Gaussian(sigma=2)]
)
@pytest.mark.parametrize("convention", ["mean", "sum"])
def test_terms_are_their_definitions(
    small_trial: MakeTrial,
    make_batch: Any,
    dtype: torch.dtype,
    reconstruction: parts.Reconstruction,
    convention: str,
) -> None:
    batch = make_batch(dtype=dtype)
    weight, bias = list(batch.model.decoder.parameters())
    output = batch.z @ weight.detach().double().numpy().T + bias.detach().double().numpy()
    p = 1 / (1 + np.exp(-output))
    x = batch.images
    error = {
        "mse": (output - x) ** 2,
        "bernoulli": -x * np.log(p) - (1 - x) * np.log(1 - p),
        "gaussian": (output - x) ** 2 / (2 * 4) + np.log(2 * np.sqrt(2 * np.pi)),
    }[reconstruction.name]
    expected = {
        "mean": error.mean() + 0.7 * batch.kl.mean(),
        "sum": error.sum(axis=1).mean() + 0.7 * batch.kl.sum(),
    }[convention]
    trial = small_trial(
        dataset=parts.XYSquares(),
        beta=0.7,
        beta_convention=convention,
        reconstruction=reconstruction,
    )
    terms = beta_vae(batch.model, batch.step._replace(beta=0.7), trial)
    assert terms.loss.item() == pytest.approx(expected, rel=1e-5)
    total = error.sum(axis=1).mean()
    assert terms.reconstruction_per_image.item() == pytest.approx(total, rel=1e-5)
    assert terms.kl_nats_by_latent is not None
    np.testing.assert_allclose(terms.kl_nats_by_latent.detach().numpy(), batch.kl, rtol=1e-4)
    assert set(terms.own) == set(reconstruction.terms)


def found(reconstruction: Tensor, kl_Z: Tensor) -> Evidence:
    empty = torch.empty(0)
    return Evidence(empty, empty, empty, reconstruction, kl_Z, {})


def test_the_conventions_differ_by_the_number_of_elements(small_trial: MakeTrial) -> None:
    trial = small_trial(beta=0.0316, latents=25)
    assert trial.beta_sum == pytest.approx(15.532, abs=5e-4)  # 3 channels, 25 latents
    assert trial.beta_sum is not None
    terms = found(torch.tensor(321.0, dtype=torch.float64), torch.rand(25, dtype=torch.float64))
    by_mean = beta_weighted(terms, 0.0316, "mean", 3 * 64 * 64)
    by_sum = beta_weighted(terms, trial.beta_sum, "sum", 3 * 64 * 64)
    assert float(by_sum) == pytest.approx(3 * 64 * 64 * float(by_mean), rel=1e-12)


@pytest.mark.parametrize("convention", ["mean", "sum"])
def test_gradients_are_those_of_the_loss(convention: str) -> None:
    def loss(reconstruction: Tensor, kl_Z: Tensor) -> Tensor:
        return beta_weighted(found(reconstruction, kl_Z), 0.7, convention, 16)

    variables = (torch.tensor(3.0, dtype=torch.float64), torch.rand(4, dtype=torch.float64))
    assert torch.autograd.gradcheck(loss, [value.requires_grad_() for value in variables])


def test_bernoulli_at_zero_logits_is_ln_2_an_element(
    small_trial: MakeTrial, make_batch: Any
) -> None:
    trial = small_trial(dataset=parts.XYSquares(), reconstruction=parts.Bernoulli(), beta=0.0)
    images = torch.rand(2, 3, 64, 64)
    model = make_batch().model
    total, _ = reconstruction_per_image(model, torch.zeros_like(images), images, trial)
    assert float(total) == pytest.approx(8517.3926, rel=1e-6)
    assert float(total) / images[0].numel() == pytest.approx(math.log(2), rel=1e-6)
