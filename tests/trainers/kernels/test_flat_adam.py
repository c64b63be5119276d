from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from trainers.fit import _load_moments, cloned

flat_adam = pytest.importorskip("trainers.flat_adam")

OPTIONS = {"betas": (0.9, 0.999), "eps": 1e-8}
STEPS = 20


def network(device: torch.device) -> nn.Module:
    made = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 90), nn.Linear(90, 3))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=made))
    return model.to(device)


def give_gradients(model: nn.Module, step: int) -> None:
    made = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        drawn = torch.randn(parameter.shape, generator=made)
        parameter.grad = drawn.to(parameter.device, parameter.dtype)


@pytest.mark.parametrize("moving", [True, False])
@pytest.mark.parametrize(
    ("betas", "eps"), [((0.9, 0.999), 1e-8), ((0.0, 0.99), 1e-8), ((0.5, 0.0), 1e-2)]
)
def test_it_moves_weights_as_torch_does_in_float64(
    device: torch.device, moving: bool, betas: tuple[float, float], eps: float
) -> None:
    model, reference = network(device), network(device).double()
    lr = torch.tensor(1e-2, device=device) if moving else 1e-2
    options = {"betas": betas, "eps": eps}
    ours = flat_adam.FlatAdam(model.parameters(), lr=lr, **options)
    theirs = torch.optim.Adam(reference.parameters(), lr=1e-2, **options)
    for step in range(STEPS):
        give_gradients(model, step)
        give_gradients(reference, step)
        ours.step()
        theirs.step()
    for parameter, expected in zip(model.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(parameter.double(), expected, rtol=0, atol=1e-6)
        rounded = ours.copies[parameter].float()
        torch.testing.assert_close(rounded, parameter.detach(), rtol=2**-7, atol=0)


def test_gradients_that_follow_each_other_are_read_in_one_piece(device: torch.device) -> None:
    model = network(device)
    optimizer = flat_adam.FlatAdam(model.parameters(), lr=1e-2, **OPTIONS)
    apart = copy.deepcopy(model)
    other = flat_adam.FlatAdam(apart.parameters(), lr=1e-2, **OPTIONS)
    give_gradients(apart, 0)
    flat = torch.zeros(optimizer._offsets[-1], device=device)
    for at, (parameter, given) in enumerate(
        zip(model.parameters(), apart.parameters(), strict=True)
    ):
        parameter.grad = optimizer._view(flat, at)
        parameter.grad.copy_(given.grad)
    assert len(optimizer._runs()) == 1
    assert len(other._runs()) == 4
    optimizer.step()
    other.step()
    for parameter, expected in zip(model.parameters(), apart.parameters(), strict=True):
        assert torch.equal(parameter, expected)


def test_a_state_that_is_loaded_goes_on_with_the_same_bits(device: torch.device) -> None:
    through, resumed = network(device), network(device)
    first = flat_adam.FlatAdam(through.parameters(), lr=1e-2, **OPTIONS)
    second = flat_adam.FlatAdam(resumed.parameters(), lr=1e-2, **OPTIONS)
    for step in range(3):
        give_gradients(through, step)
        first.step()
    resumed.load_state_dict(through.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, optimizer in ((through, first), (resumed, second)):
        give_gradients(model, 3)
        optimizer.step()
    for parameter, expected in zip(resumed.parameters(), through.parameters(), strict=True):
        assert torch.equal(parameter, expected)
        assert torch.equal(second.copies[parameter], first.copies[expected])


@pytest.mark.parametrize("forth", [True, False])
def test_a_state_goes_from_it_to_torchs_adam_and_back(device: torch.device, forth: bool) -> None:
    """As when a study goes on where there is no GPU."""

    def torchs(model: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=1e-2, fused=True, **OPTIONS)

    def flat(model: nn.Module) -> torch.optim.Optimizer:
        return flat_adam.FlatAdam(model.parameters(), lr=1e-2, **OPTIONS)

    makes = (flat, torchs) if forth else (torchs, flat)
    models = network(device), network(device)
    first, second = (make(model) for make, model in zip(makes, models, strict=True))
    through = torchs(reference := network(device))
    for step in range(3):
        for model, optimizer in ((models[0], first), (reference, through)):
            give_gradients(model, step)
            optimizer.step()
    models[1].load_state_dict(models[0].state_dict())
    _load_moments(second, cloned(first.state_dict()["state"]))
    for step in range(3, 6):
        for model, optimizer in ((models[1], second), (reference, through)):
            give_gradients(model, step)
            optimizer.step()
    for parameter, expected in zip(models[1].parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(parameter, expected, rtol=0, atol=1e-6)
    assert {float(moments["step"]) for moments in second.state.values()} == {6.0}


def test_a_state_without_moments_starts_anew(device: torch.device) -> None:
    model = network(device)
    optimizer = flat_adam.FlatAdam(model.parameters(), lr=1e-2, **OPTIONS)
    empty = optimizer.state_dict() | {"state": {}}
    give_gradients(model, 0)
    optimizer.step()
    optimizer.load_state_dict(empty)
    for moments in optimizer.state.values():
        assert not any(value.any() for value in moments.values())
