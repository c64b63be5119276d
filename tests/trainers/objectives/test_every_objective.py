"""What holds of every objective: its loss adds up from its terms, and its gradients are its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode

from grids import parts
from grids.trial import Trial
from trainers import COMPANIONS, OBJECTIVES
from trainers.models import MODELS, VAE
from trainers.objectives.step import Step, Terms

MakeTrial = Callable[..., Trial]


def added_up(trial: Trial, terms: Terms, beta: float) -> float:
    """The loss from the named terms, by each framework's equation."""
    framework = trial.framework
    error = terms.reconstruction_per_image.item()
    if terms.kl_nats_by_latent is None:
        return error / 16
    kl = terms.kl_nats_by_latent.double()
    own = {name: value.item() for name, value in terms.own.items()}
    total = kl.sum().item()
    match framework:
        case parts.BetaVAE() | parts.AdaGVAE() | parts.AdaMLVAE():
            return error / 16 + beta * total / len(kl)
        case parts.AnnealedVAE():
            return error + framework.gamma * abs(total - own["capacity_nats"])
        case parts.FactorVAE():
            return error + total + framework.gamma * own["total_correlation_nats"]
        case parts.BetaTCVAE():
            return error + total + (beta - 1) * own["total_correlation_nats"]
        case parts.DIPVAEI() | parts.DIPVAEII():
            return error + total + own["dip_regularizer"]
        case parts.CapacityVAE():
            capacity = torch.linspace(5, 0, 3, dtype=torch.float64) * 7 / 65
            return error + framework.gamma * (kl - capacity).abs().sum().item()
        case _:
            return error + total


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_terms_add_up_to_the_loss(
    trial_of: MakeTrial, make_batch: Any, name: str, dtype: torch.dtype
) -> None:
    trial = trial_of(name)
    batch = make_batch(dtype=dtype, head=6 if trial.framework.posterior else 3, number=7)
    companion = COMPANIONS[name](trial) if name in COMPANIONS else None
    if name == "factor_vae":
        assert companion is not None
        companion.to(dtype)
    step = batch.step._replace(beta=3.0, companion=companion)
    terms = OBJECTIVES[name](batch.model, step, trial)
    assert terms.loss.item() == pytest.approx(added_up(trial, terms, 3.0), rel=1e-5)
    if not name.startswith("ada"):
        assert terms.reconstruction_per_image.item() == pytest.approx(batch.error, rel=1e-4)
    if terms.kl_nats_by_latent is not None and not name.startswith("ada"):
        assert terms.kl_nats_by_latent.detach().numpy() == pytest.approx(batch.kl, rel=1e-4)
    assert set(terms.own) == set(trial.framework.terms)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_value_is_read_on_the_host(trial_of: MakeTrial, name: str) -> None:
    """Fake tensors have shapes and no values: what looks at one raises, and shapes are static."""
    trial = trial_of(name)
    if name == "capacity_vae":
        trial = trial_of(
            name, framework=parts.CapacityVAE(variant="settle", anneal_steps=65, window_steps=20)
        )
    with FakeTensorMode():
        model = MODELS["linear"].make((1, 4, 4), 3, 6 if trial.framework.posterior else 3)
        companion = COMPANIONS[name](trial) if name in COMPANIONS else None
        number = torch.zeros((), dtype=torch.int64)
        order = torch.zeros(6, 3, dtype=torch.int64)
        step = Step(torch.rand(6, 1, 4, 4), torch.randn(6, 3), number, 3.0, companion, order)
        terms = OBJECTIVES[name](model, step, trial)
        terms.loss.backward()  # type: ignore[no-untyped-call]
        with pytest.raises(RuntimeError):
            terms.loss.item()
    assert terms.loss.shape == ()
    for key, value in terms.companion_state.items():
        assert companion is not None and value.shape == companion.get_buffer(key).shape


@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_those_of_finite_differences(
    trial_of: MakeTrial, make_batch: Any, name: str
) -> None:
    trial = trial_of(name)
    if name == "factor_vae":
        trial = trial_of(name, framework=parts.FactorVAE(layers=2, width=5))
    batch = make_batch(head=6 if trial.framework.posterior else 3, number=7)
    companion = COMPANIONS[name](trial) if name in COMPANIONS else None
    if name == "factor_vae":
        assert companion is not None
        companion.double()
    step = batch.step._replace(beta=3.0, companion=companion)
    names = [key for key, _ in batch.model.named_parameters()]

    def loss(*weights: Tensor) -> Tensor:
        values = {f"model.{key}": value for key, value in zip(names, weights, strict=True)}
        whole = Whole(name, batch.model)
        result: Tensor = torch.func.functional_call(whole, values, (step, trial))
        return result

    variables = [value.detach().clone().requires_grad_() for value in batch.model.parameters()]
    assert torch.autograd.gradcheck(loss, variables, eps=1e-6, atol=1e-4)


class Whole(torch.nn.Module):
    """The objective as a module, so that the weights can be handed to it."""

    def __init__(self, name: str, model: VAE) -> None:
        super().__init__()
        self.name, self.model = name, model

    def forward(self, step: Step, trial: Trial) -> Tensor:
        return OBJECTIVES[self.name](self.model, step, trial).loss
