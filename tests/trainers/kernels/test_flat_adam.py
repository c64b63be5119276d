from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

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
def test_it_moves_weights_as_torch_does_in_float64(device: torch.device, moving: bool) -> None:
    model, reference = network(device), network(device).double()
    lr = torch.tensor(1e-2, device=device) if moving else 1e-2
    ours = flat_adam.FlatAdam(model.parameters(), lr=lr, **OPTIONS)
    theirs = torch.optim.Adam(reference.parameters(), lr=1e-2, **OPTIONS)
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
