from __future__ import annotations

from typing import Any

import pytest
import torch

from grids import parts
from trainers import make_dataset
from trainers.fit import Training
from trainers.schedules import SCHEDULES, factor


def at(schedule: parts.Schedule, step: int, steps: int) -> float:
    found = factor(schedule, torch.tensor(step), steps)
    assert found.dtype == torch.float64 and found.ndim == 0
    return found.item()


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (parts.ConstantSchedule(), {0: 1, 60: 1, 99: 1}),
        (parts.StepSchedule(), {0: 1, 74: 1, 75: 0.2, 99: 0.2}),
        (parts.StepSchedule(at=0.5, factor=0.0), {49: 1, 50: 0}),
        (parts.StepSchedule(at=0.3, factor=3.0), {29: 1, 30: 3}),
        (parts.LinearSchedule(), {0: 0, 25: 0.25, 50: 0.5, 99: 0.99, 100: 1, 150: 1}),
        (parts.LinearSchedule(start=2.0, end=1.0, steps=10), {0: 2, 5: 1.5, 10: 1, 99: 1}),
        (parts.LinearSchedule(start=0.5, end=3.0, steps=400), {0: 0.5, 100: 1.125}),
    ],
)
def test_factors_by_step_of_a_hundred(schedule: parts.Schedule, factors: dict[int, float]) -> None:
    for step, expected in factors.items():
        assert at(schedule, step, 100) == pytest.approx(expected, rel=1e-15)


# 0.75 of them is 97.5, 7.5, 4.5, 5.25 and 0.75; a half is rounded to the even number.
@pytest.mark.parametrize(("steps", "first"), [(130, 98), (10, 8), (6, 4), (7, 5), (1, 1)])
def test_a_step_is_at_a_whole_number_of_steps(steps: int, first: int) -> None:
    found = [at(parts.StepSchedule(), step, steps) for step in range(steps + 1)]
    assert found == [1.0] * first + [0.2] * (steps + 1 - first)


def test_every_schedule_of_a_grid_is_implemented() -> None:
    assert SCHEDULES.keys() == parts.SCHEDULES.keys()


@pytest.mark.parametrize("optimizer", [parts.Adam(), parts.Adagrad()])
def test_a_rate_of_zero_from_three_quarters_on_stops_the_weights_there(
    trial_of: Any, optimizer: parts.Optimizer
) -> None:
    schedule = parts.StepSchedule(at=0.75, factor=0.0)
    trial = trial_of(
        "vae", model=parts.LinearModel(), steps=8, lr_schedule=schedule, optimizer=optimizer
    )
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    moved = []
    for _ in range(8):
        before = [parameter.clone() for parameter in training.model.parameters()]
        training.advance(1)
        after = training.model.parameters()
        moved.append(any(not torch.equal(a, b) for a, b in zip(after, before, strict=True)))
    assert moved == [True] * 6 + [False] * 2


@pytest.mark.parametrize(("convention", "elements", "latents"), [("sum", 1, 1), ("mean", 12288, 3)])
def test_beta_grows_by_its_schedule(
    trial_of: Any, convention: str, elements: int, latents: int
) -> None:
    trial = trial_of(
        "beta_vae",
        beta=8.0,
        beta_convention=convention,
        model=parts.LinearModel(),
        steps=4,
        beta_schedule=parts.LinearSchedule(),
    )
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    for step in range(4):
        training.advance(1)
        report = training.report()
        loss, error, kl = (report[k] for k in ("loss", "reconstruction_per_image", "kl_nats"))
        assert isinstance(loss, float) and isinstance(error, float) and isinstance(kl, float)
        weighted = 8 * step / 4 * kl / latents  # nothing at step 0
        assert kl > 0.01 and loss == pytest.approx(error / elements + weighted, rel=1e-6)
