from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from grids import parts
from grids.trial import Trial
from trainers import OBJECTIVES, make_dataset, make_model
from trainers.fit import Training

MakeTrial = Callable[..., Trial]


@pytest.mark.parametrize("framework", OBJECTIVES)
@pytest.mark.parametrize("model", parts.MODELS)
@pytest.mark.parametrize("reconstruction", parts.RECONSTRUCTIONS)
def test_every_combination_trains_a_step(
    trial_of: MakeTrial, framework: str, model: str, reconstruction: str
) -> None:
    trial = trial_of(
        framework,
        dataset=parts.XYSquares(rgb=False),
        model=parts.MODELS[model](),
        reconstruction=parts.RECONSTRUCTIONS[reconstruction](),
    )
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    before = [parameter.clone() for parameter in training.model.parameters()]
    training.advance(1)
    after = training.model.parameters()
    assert all(not torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_a_model_starts_as_its_trial_does(small_trial: MakeTrial) -> None:
    trial = small_trial(seed=3)
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    made = make_model(trial, device="cpu").state_dict()
    for name, value in training.model.state_dict().items():
        assert torch.equal(made[name], value)
        assert made[name].stride() == value.stride()
