"""A batch through the linear network, and what NumPy makes of it from the definitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
import torch

from trainers.models import MODELS, VAE
from trainers.objectives.factor_vae import permutations
from trainers.objectives.step import Step

Array = npt.NDArray[np.float64]


class Batch(NamedTuple):
    """Of 16 elements and 3 latents. The arrays are float64, whatever the model is."""

    model: VAE
    step: Step
    images: Array
    mean: Array
    variance: Array
    z: Array
    error: Array
    """Squared error summed over an image, mean over the batch."""
    kl: Array
    """Of each latent, mean over the batch."""


MakeBatch = Callable[..., Batch]


@pytest.fixture
def make_batch() -> MakeBatch:
    def make(
        rows: int = 6, *, dtype: torch.dtype = torch.float64, head: int = 6, number: int = 0
    ) -> Batch:
        generator = torch.Generator().manual_seed(0)
        model = MODELS["linear"].make((1, 4, 4), 3, head).double()
        with torch.no_grad():
            for parameter in model.parameters():
                drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(0.5 * drawn)
        images = torch.rand(rows, 1, 4, 4, generator=generator, dtype=torch.float64)
        noise = torch.randn(rows, 3, generator=generator, dtype=torch.float64)
        weights = [parameter.detach().numpy().copy() for parameter in model.parameters()]
        flat = images.numpy().reshape(rows, 16)
        encoded = flat @ weights[0].T + weights[1]
        mean, logvar = encoded[:, :3], encoded[:, 3:6] if head == 6 else np.zeros((rows, 3))
        variance = np.exp(logvar)
        z = mean + np.sqrt(variance) * noise.numpy() if head == 6 else mean
        error = ((z @ weights[2].T + weights[3] - flat) ** 2).sum(axis=1).mean()
        kl = np.zeros(3)
        for d in range(3):
            for i in range(rows):
                m, v = mean[i, d], variance[i, d]
                kl[d] += 0.5 * (m * m + v - np.log(v) - 1) / rows
        [order] = permutations(0, number, rows, 3)
        step = Step(
            images.to(dtype), noise.to(dtype), torch.tensor(number), 1.0, permutation_BZ=order
        )
        return Batch(model.to(dtype), step, flat, mean, variance, z, error, kl)

    return make
