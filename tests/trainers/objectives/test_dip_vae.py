from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from grids import parts
from trainers.objectives.dip_vae import covariance, dip_vae_i, dip_vae_ii, regularizer

DTYPES = [torch.float64, torch.float32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["dip_vae_i", "dip_vae_ii"])
def test_terms_are_their_definitions(
    trial_of: Any, make_batch: Any, name: str, dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype)
    framework = parts.FRAMEWORKS[name](lambda_od=3.0, lambda_d_factor=2.0)  # type: ignore[call-arg]
    matrix = np.zeros((3, 3))
    for i in range(3):
        for j in range(3):
            product = (batch.mean[:, i] * batch.mean[:, j]).mean()
            matrix[i, j] = product - batch.mean[:, i].mean() * batch.mean[:, j].mean()
        if name == "dip_vae_ii":
            matrix[i, i] += batch.variance[:, i].mean()
    added = sum(
        6 * (matrix[i, i] - 1) ** 2 if i == j else 3 * matrix[i, j] ** 2
        for i in range(3)
        for j in range(3)
    )
    objective = {"dip_vae_i": dip_vae_i, "dip_vae_ii": dip_vae_ii}[name]
    terms = objective(batch.model, batch.step, trial_of(name, framework=framework))
    assert terms.own["dip_regularizer"].item() == pytest.approx(added, rel=1e-4)
    assert terms.loss.item() == pytest.approx(batch.error + batch.kl.sum() + added, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_opposite_samples(dtype: torch.dtype) -> None:
    mean = torch.tensor([[1, 0], [-1, 0]], dtype=dtype)
    matrix = covariance(mean)
    assert matrix.tolist() == [[1, 0], [0, 0]]
    assert float(regularizer(matrix, 1, 10)) == 10
    assert float(regularizer(matrix + torch.eye(2, dtype=dtype), 1, 1)) == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_standard_normals_cost_nothing_in_ii_and_lambda_d_a_latent_in_i(
    trial_of: Any, make_batch: Any, dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype)
    with torch.no_grad():
        for parameter in batch.model.encoder.parameters():
            parameter.zero_()
    for objective, name, expected in (
        (dip_vae_ii, "dip_vae_ii", 0),
        (dip_vae_i, "dip_vae_i", 10 * 10 * 3),
    ):
        terms = objective(batch.model, batch.step, trial_of(name))
        assert terms.own["dip_regularizer"].item() == expected


def test_ii_is_not_disents_which_adds_a_number_to_all_of_the_covariance(
    trial_of: Any, make_batch: Any
) -> None:
    """disent 8f061a87: the mean of the diagonal of the variances, [B, Z], on every entry."""
    batch = make_batch()
    ours = dip_vae_ii(batch.model, batch.step, trial_of("dip_vae_ii")).own["dip_regularizer"]
    added = np.mean([batch.variance[d, d] for d in range(3)])
    matrix = np.cov(batch.mean.T, bias=True) + added
    theirs = 10 * sum(
        (matrix[i, j] - (i == j)) ** 2 for i, j in itertools.product(range(3), repeat=2)
    )
    assert abs(ours.item() - theirs) > 0.01 * theirs


def test_ii_is_the_covariance_of_samples_in_expectation(trial_of: Any, make_batch: Any) -> None:
    """Of every choice of signs as the noise, whose covariance is the identity."""
    batch = make_batch()
    samples = [
        batch.mean + np.sqrt(batch.variance) * np.array(signs)
        for signs in itertools.product([-1, 1], repeat=3)
    ]
    matrix = np.cov(np.concatenate(samples).T, bias=True)
    expected = 10 * ((matrix - np.eye(3)) ** 2).sum()  # lambda_d = lambda_od = 10
    terms = dip_vae_ii(batch.model, batch.step, trial_of("dip_vae_ii"))
    assert terms.own["dip_regularizer"].item() == pytest.approx(expected, rel=1e-10)


def test_gradients_are_those_of_the_regularizer() -> None:
    mean = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda values: regularizer(covariance(values), 3.0, 5.0), [mean.requires_grad_()]
    )
