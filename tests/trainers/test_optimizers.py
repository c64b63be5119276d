from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from grids import parts
from trainers.optimizers import OPTIMIZERS, make_optimizer

Array = npt.NDArray[np.float64]
ByHand = Callable[[Array, Array, list[float]], Array]
RATES = [0.1, 0.1, 0.02, 0.02, 0.3]


def adam(weight: Array, gradients: Array, rates: list[float]) -> Array:
    """Kingma and Ba 2015, algorithm 1, with beta1 .8, beta2 .9, eps 1e-3."""
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for t, (g, lr) in enumerate(zip(gradients, rates, strict=True), start=1):
        m = 0.8 * m + 0.2 * g
        v = 0.9 * v + 0.1 * g**2
        weight = weight - lr * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-3)
    return weight


def adagrad(weight: Array, gradients: Array, rates: list[float]) -> Array:
    """Duchi, Hazan and Singer 2011, with eps 1e-3 beside the root."""
    total = np.zeros_like(weight)
    for g, lr in zip(gradients, rates, strict=True):
        total = total + g**2
        weight = weight - lr * g / (np.sqrt(total) + 1e-3)
    return weight


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize(
    ("part", "by_hand"),
    [
        (parts.Adam(lr=0.1, beta1=0.8, beta2=0.9, eps=1e-3), adam),
        (parts.Adagrad(lr=0.1, eps=1e-3), adagrad),
    ],
)
def test_steps_are_those_of_the_paper(part: parts.Optimizer, by_hand: ByHand, moving: bool) -> None:
    generator = np.random.default_rng(0)
    start, gradients = generator.normal(size=7), generator.normal(size=(5, 7))
    weight = nn.Parameter(torch.tensor(start))
    rate = torch.tensor(part.lr, dtype=torch.float64) if moving else part.lr
    optimizer = make_optimizer([weight], part, rate, torch.device("cpu"))
    rates = RATES if moving else [part.lr] * 5
    for gradient, lr in zip(gradients, rates, strict=True):
        weight.grad = torch.tensor(gradient)
        if isinstance(rate, torch.Tensor):
            rate.fill_(lr)
        optimizer.step()
    np.testing.assert_allclose(weight.detach(), by_hand(start, gradients, rates), rtol=1e-10)


def test_every_optimiser_of_a_grid_is_implemented() -> None:
    assert OPTIMIZERS.keys() == parts.OPTIMIZERS.keys()
    for name, part in parts.OPTIMIZERS.items():
        weight = nn.Parameter(torch.ones(3, dtype=torch.float64))
        weight.grad = torch.zeros(3, dtype=torch.float64)
        make_optimizer([weight], part(lr=0.1), 0.1, torch.device("cpu")).step()
        assert weight.tolist() == [1, 1, 1], f"{name} decays weights"


def test_the_rate_is_the_one_given_in_place_of_the_parts_own() -> None:
    # The first step of Adam is the rate, of either sign: its moments are g and g^2.
    weight = nn.Parameter(torch.zeros(2, dtype=torch.float64))
    weight.grad = torch.tensor([5.0, -7.0], dtype=torch.float64)
    make_optimizer([weight], parts.Adam(lr=3.0), 0.25, torch.device("cpu")).step()
    np.testing.assert_allclose(weight.detach(), [-0.25, 0.25], rtol=1e-8)
