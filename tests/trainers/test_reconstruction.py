from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grids import parts
from trainers import RECONSTRUCTIONS, make_dataset
from trainers.pixels import Pixels
from trainers.reconstruction import Reconstruction, bernoulli, mse, reconstruction_of

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


@pytest.mark.parametrize("name", list(RECONSTRUCTIONS))
def test_gradients_are_those_of_the_values(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(2, 3, 4, 4, dtype=torch.float64, generator=generator).requires_grad_()
    target = torch.rand(2, 3, 4, 4, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(loss_of(name).loss, (output, target))


@pytest.mark.parametrize("name", ["mse", "bernoulli"])
def test_the_mean_image_is_where_the_loss_is_least(name: str) -> None:
    outputs = torch.linspace(-6, 6, 2401, dtype=torch.float64)
    loss, mean_image = loss_of(name)
    best = outputs[loss(outputs, torch.full_like(outputs, 0.3)).argmin()]
    assert float(mean_image(best)) == pytest.approx(0.3, abs=2e-3)
