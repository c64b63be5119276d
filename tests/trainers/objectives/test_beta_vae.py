from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers.models import conv64
from trainers.objectives.beta_vae import beta_vae, beta_weighted

MakeTrial = Callable[..., Trial]
DTYPES = [torch.float64, torch.float32]


def batch(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Output and target of three images, mean and log variance of four latents."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, 3, 2, 5, 5, generator=generator, dtype=torch.float64).to(dtype)
    posteriors = torch.rand(2, 3, 4, generator=generator, dtype=torch.float64).to(dtype)
    return images[0], images[1], posteriors[0], posteriors[1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reconstruction", [parts.MSE(), parts.Bernoulli()])
def test_terms_are_their_definitions(
    small_trial: MakeTrial, dtype: torch.dtype, reconstruction: parts.Reconstruction
) -> None:
    output, target, mean, logvar = (values.double().numpy() for values in batch(dtype))
    if reconstruction == parts.MSE():
        error = (output - target) ** 2
    else:
        p = 1 / (1 + np.exp(-output))
        error = -target * np.log(p) - (1 - target) * np.log(1 - p)
    kl = 0.5 * (mean**2 + np.exp(logvar) - logvar - 1)

    for convention, expected in {
        "mean": error.mean() + 0.7 * kl.mean(),
        "sum": error.sum() / 3 + 0.7 * kl.sum() / 3,
    }.items():
        trial = small_trial(
            dataset=parts.XYSquares(),
            beta=0.7,
            beta_convention=convention,
            reconstruction=reconstruction,
        )
        terms = beta_weighted(*batch(dtype), trial)
        assert float(terms.loss) == pytest.approx(expected, rel=1e-6)
        assert float(terms.reconstruction_per_image) == pytest.approx(error.sum() / 3, rel=1e-6)
        np.testing.assert_allclose(terms.kl_nats_by_latent.numpy(), kl.mean(axis=0), rtol=1e-5)


def test_the_conventions_differ_by_the_number_of_elements(small_trial: MakeTrial) -> None:
    trial = small_trial(beta=0.0316, latents=25)
    assert trial.beta_sum == pytest.approx(15.532, abs=5e-4)  # 3 channels, 25 latents
    same = small_trial(beta=trial.beta_sum, beta_convention="sum", latents=25)
    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 2, 3, 64, 64, generator=generator, dtype=torch.float64)
    mean, logvar = torch.rand(2, 2, 25, generator=generator, dtype=torch.float64)
    by_mean = beta_weighted(output, target, mean, logvar, trial).loss
    by_sum = beta_weighted(output, target, mean, logvar, same).loss
    assert float(by_sum) == pytest.approx(3 * 64 * 64 * float(by_mean), rel=1e-12)


@pytest.mark.parametrize("convention", ["mean", "sum"])
@pytest.mark.parametrize("reconstruction", [parts.MSE(), parts.Bernoulli()])
def test_gradients_are_those_of_the_loss(
    small_trial: MakeTrial, convention: str, reconstruction: parts.Reconstruction
) -> None:
    trial = small_trial(
        dataset=parts.XYSquares(), beta_convention=convention, reconstruction=reconstruction
    )
    output, target, mean, logvar = batch(torch.float64)

    def loss(output: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return beta_weighted(output, target, mean, logvar, trial).loss

    variables = [values.requires_grad_() for values in (output, mean, logvar)]
    assert torch.autograd.gradcheck(loss, variables)


def test_the_decoder_is_given_a_sample_of_the_posterior(small_trial: MakeTrial) -> None:
    model = conv64((3, 64, 64), 3).double()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    noise = torch.randn(2, 3, dtype=torch.float64)
    with torch.no_grad():
        mean, logvar = model.encode(images)
        output = model.decode(mean + torch.exp(logvar / 2) * noise)
        terms = beta_vae(model, images, noise, small_trial())
    expected = ((output - images) ** 2).mean() + 1e-3 * float(
        (0.5 * (mean**2 + logvar.exp() - logvar - 1)).mean()
    )
    assert float(terms.loss) == pytest.approx(float(expected), rel=1e-12)
    assert terms.framework == {}


def test_bernoulli_at_zero_logits_is_ln_2_an_element(small_trial: MakeTrial) -> None:
    trial = small_trial(dataset=parts.XYSquares(), reconstruction=parts.Bernoulli(), beta=0.0)
    zeros = torch.zeros(2, 3)
    images = torch.rand(2, 3, 64, 64)
    terms = beta_weighted(torch.zeros_like(images), images, zeros, zeros, trial)
    assert float(terms.reconstruction_per_image) == pytest.approx(8517.3926, rel=1e-6)
    assert float(terms.loss) == pytest.approx(math.log(2), rel=1e-6)
