from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grids import parts
from trainers import MODELS, OBJECTIVES, RECONSTRUCTIONS, make_dataset
from trainers.fit import Training
from trainers.objectives.step import Step
from trainers.pixels import Pixels
from trainers.reconstruction import Reconstruction, bernoulli, gaussian, mse, reconstruction_of

DTYPES = [torch.float64, torch.float32]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("channels", "nats"), [(1, 2839.1309), (3, 8517.3926)])
def test_logits_of_zero_cost_ln_2_an_element_whatever_the_target(
    dtype: torch.dtype, channels: int, nats: float
) -> None:
    target = torch.rand(channels, 64, 64, generator=torch.Generator().manual_seed(0), dtype=dtype)
    total = float(bernoulli(torch.zeros_like(target), target).sum())
    assert total == pytest.approx(channels * 64 * 64 * math.log(2), rel=1e-5)
    assert total == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("spacing", [8, 3, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_output_of_zero_misses_standardised_xysquares_by_4095_in_4096(
    spacing: int, dtype: torch.dtype
) -> None:
    dataset = make_dataset(parts.XYSquares(spacing=spacing, standardise=True))
    factors = torch.randint(8, (16, 6), generator=torch.Generator().manual_seed(0))
    target = (
        Pixels(dataset, torch.device("cpu"))
        .to_float(dataset.images(factors, torch.zeros(len(factors), dtype=torch.int64)))
        .to(dtype)
    )
    assert float(mse(torch.zeros_like(target), target).mean()) == pytest.approx(
        4095 / 4096, rel=1e-6
    )


@given(st.floats(-30, 30), st.floats(0, 1))
def test_bernoulli_is_its_definition(logit: float, target: float) -> None:
    p = 1 / (1 + math.exp(-logit))
    q = 1 / (1 + math.exp(logit))
    value = bernoulli(*(torch.tensor(v, dtype=torch.float64) for v in (logit, target)))
    assert float(value) == pytest.approx(
        -target * math.log(p) - (1 - target) * math.log(q), abs=1e-12
    )


def test_mse_is_the_square_without_a_half() -> None:
    output, target = np.array([[1.0, -2.0]]), np.array([[3.0, 0.5]])
    value = mse(torch.tensor(output), torch.tensor(target)).numpy()
    np.testing.assert_allclose(value, (output - target) ** 2)


def loss_of(name: str) -> Reconstruction:
    return reconstruction_of(parts.RECONSTRUCTIONS[name]())


def test_every_loss_of_a_grid_is_implemented() -> None:
    assert RECONSTRUCTIONS.keys() == parts.RECONSTRUCTIONS.keys()


@pytest.mark.parametrize(
    "part",
    [
        *(part() for part in parts.RECONSTRUCTIONS.values()),
        *(parts.MSE(activation=activation) for activation in ("sigmoid", "tanh")),
        *(parts.Gaussian(sigma=0.7, activation=activation) for activation in ("sigmoid", "tanh")),
        parts.MSEBoxBlur(radius=1, weight=2.0),
    ],
    ids=str,
)
def test_gradients_are_those_of_the_values(part: parts.Reconstruction) -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=generator).requires_grad_()
    target = torch.rand(2, 3, 4, 4, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(reconstruction_of(part).loss, (output, target))


def test_gradients_of_a_learned_sigma_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 4, 9, generator=generator, dtype=torch.float64)
    log_sigma = torch.tensor(-0.4, dtype=torch.float64)
    inputs = [value.requires_grad_() for value in (output, target, log_sigma)]
    assert torch.autograd.gradcheck(gaussian, inputs)


@pytest.mark.parametrize("name", ["mse", "bernoulli"])
def test_the_mean_image_is_where_the_loss_is_least(name: str) -> None:
    outputs = torch.linspace(-6, 6, 2401, dtype=torch.float64)
    loss, mean_image, _ = loss_of(name)
    target = torch.tensor(0.3, dtype=torch.float64)
    best = min(outputs, key=lambda output: float(loss(output, target)))
    assert float(mean_image(best)) == pytest.approx(0.3, abs=2e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_gaussian_is_the_negative_log_density(dtype: torch.dtype, sigma: float) -> None:
    output, target = torch.rand(2, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)
    density = np.exp(-((target - output).double().numpy() ** 2) / (2 * sigma**2))
    expected = -np.log(density / (sigma * np.sqrt(2 * np.pi)))
    found = gaussian(output, target, torch.tensor(math.log(sigma), dtype=dtype))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_a_fixed_sigma_has_the_gradients_of_beta_sigma_squared(trial_of: Any, sigma: float) -> None:
    """The VAE's loss, sum (x^ - x)^2 / (2 s^2) + KL and a constant, is 1 / (2 s^2) of
    sum (x^ - x)^2 + 2 s^2 KL (Fil et al. 2021, section 4.2: beta = s^2, with the half of
    equation 8 before the squares).
    """
    model = MODELS["linear"].make((1, 4, 4), 3, 6).double()
    MODELS["linear"].initialise((model.encoder, model.decoder), 0)
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 1, 4, 4, generator=generator, dtype=torch.float64)
    noise = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    gaussian_vae = trial_of("vae", reconstruction=parts.Gaussian(sigma=sigma))
    beta_vae = trial_of("beta_vae", beta=2 * sigma**2, beta_convention="sum")
    gradients, losses = [], []
    for trial in (gaussian_vae, beta_vae):
        step = Step(images, noise, torch.tensor(0), 2 * sigma**2)
        loss = OBJECTIVES[trial.framework.name](model, step, trial).loss
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
        losses.append(loss.item())
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours * 2 * sigma**2, theirs, rtol=1e-6, atol=1e-12)
    constant = 16 * (math.log(sigma) + math.log(2 * math.pi) / 2)
    assert losses[0] == pytest.approx(losses[1] / (2 * sigma**2) + constant, rel=1e-6)


@given(st.floats(0.05, 20))
def test_a_learned_sigma_rests_only_where_its_square_is_the_mean_squared_error(
    ratio: float,
) -> None:
    """d/d ln s of sum (e^2 / (2 s^2) + ln s) is N - sum e^2 / s^2."""
    generator = torch.Generator().manual_seed(0)
    output, target = torch.rand(2, 50, generator=generator, dtype=torch.float64)
    squared = float((output - target).square().mean())
    for variance in (squared, ratio * squared):
        log_sigma = torch.tensor(math.log(variance) / 2, dtype=torch.float64, requires_grad=True)
        loss = reconstruction_of(parts.Gaussian(learned=True), log_sigma)
        (gradient,) = torch.autograd.grad(loss.loss(output, target), log_sigma)
        assert gradient.item() == pytest.approx(50 - 50 * squared / variance, abs=1e-9)
        assert loss.own["sigma"].item() == pytest.approx(math.sqrt(variance))


@pytest.mark.parametrize(("sigma", "direction"), [(1e-2, 1), (10.0, -1)])
def test_a_training_moves_its_sigma_towards_the_error(
    trial_of: Any, sigma: float, direction: int
) -> None:
    part = parts.Gaussian(sigma=sigma, learned=True)
    trial = trial_of("vae", reconstruction=part, model=parts.LinearModel(), steps=10)
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    sigmas = []
    for _ in range(10):
        training.advance(1)
        sigmas.append(training.report()["sigma"])
    assert sigmas[0] == pytest.approx(sigma)
    # Adam's steps are of its rate, 1e-3, as long as the gradient has one sign.
    np.testing.assert_allclose(np.diff(np.log(sigmas)), direction * 1e-3, rtol=0.05)


def test_a_fixed_sigma_stays(trial_of: Any) -> None:
    part = parts.Gaussian(sigma=0.5)
    trial = trial_of("vae", reconstruction=part, model=parts.LinearModel(), steps=3)
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    training.advance(3)
    assert training.report()["sigma"] == pytest.approx(0.5)
    assert training.model.log_sigma is None


@pytest.mark.parametrize(
    ("activation", "at_half"),
    [("linear", 0.5), ("sigmoid", 1 / (1 + math.exp(-0.5))), ("tanh", (1 + math.tanh(0.5)) / 2)],
)
@pytest.mark.parametrize("kind", [parts.MSE, parts.Gaussian])
def test_the_output_activation_is_part_of_the_loss(
    kind: type[parts.MSE] | type[parts.Gaussian], activation: str, at_half: float
) -> None:
    loss = reconstruction_of(kind(activation=activation))  # type: ignore[arg-type]
    output, target = torch.tensor([0.5]), torch.tensor([0.25])
    assert loss.mean_image(output).item() == pytest.approx(at_half)
    squared = (at_half - 0.25) ** 2
    expected = squared if kind is parts.MSE else squared / 2 + 0.5 * math.log(2 * math.pi)
    assert loss.loss(output, target).item() == pytest.approx(expected, rel=1e-6)
