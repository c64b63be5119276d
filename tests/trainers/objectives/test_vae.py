from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from grids import parts
from trainers.models import MODELS
from trainers.objectives.step import Step
from trainers.objectives.vae import vae


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_loss_is_the_error_of_an_image_and_the_kl_of_every_latent(
    trial_of: Any, make_batch: Any, dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype)
    terms = vae(batch.model, batch.step, trial_of("vae"))
    assert terms.loss.dtype == dtype
    assert terms.loss.item() == pytest.approx(batch.error + batch.kl.sum(), rel=1e-5)
    assert terms.reconstruction_per_image.item() == pytest.approx(batch.error, rel=1e-5)
    assert terms.kl_nats_by_latent is not None
    np.testing.assert_allclose(terms.kl_nats_by_latent.detach().numpy(), batch.kl, rtol=1e-4)
    assert terms.own == {} and terms.companion_loss is None and terms.companion_state == {}


def test_at_the_exact_posterior_the_loss_is_minus_ln_p_of_the_image(trial_of: Any) -> None:
    """Of p(x|z) = N(A z + b, s^2), whose p(x) is N(b, A A^T + s^2). The noise is every choice of
    signs, whose first and second moments are those of the normal, and the error is quadratic."""
    rng, sigma, latents, size = np.random.default_rng(0), 0.8, 3, 16
    columns = np.linalg.qr(rng.standard_normal((size, latents)))[0] * [0.5, 1.0, 2.0]
    bias, image = rng.standard_normal(size), rng.standard_normal(size)
    precision = 1 + (columns**2).sum(axis=0) / sigma**2  # the columns are orthogonal
    to_mean = columns.T / sigma**2 / precision[:, None]
    model = MODELS["linear"].make((1, 4, 4), latents, 2 * latents).double()
    values = (
        np.concatenate([to_mean, np.zeros((latents, size))]),
        np.concatenate([-to_mean @ bias, -np.log(precision)]),
        columns,
        bias,
    )
    with torch.no_grad():
        for parameter, value in zip(model.parameters(), values, strict=True):
            parameter.copy_(torch.tensor(value))
    noise = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=latents)), dtype=torch.float64)
    images = torch.tensor(image).view(1, 1, 4, 4).expand(len(noise), 1, 4, 4)
    trial = trial_of("vae", reconstruction=parts.Gaussian(sigma=sigma))
    loss = vae(model, Step(images, noise, torch.tensor(0), 1.0), trial).loss.item()
    covariance = columns @ columns.T + sigma**2 * np.eye(size)
    apart = (image - bias) @ np.linalg.inv(covariance) @ (image - bias)
    expected = 0.5 * (apart + np.log(np.linalg.det(covariance)) + size * math.log(2 * math.pi))
    assert loss == pytest.approx(expected, rel=1e-8)  # ln s is a float32
