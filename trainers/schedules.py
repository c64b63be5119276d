"""Factors that depend on the step t, the number of steps done: of the learning rate, of beta."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from grids import parts


def factor(schedule: parts.Schedule, number: Tensor, steps: int) -> Tensor:
    """The schedule's factor at step `number` of `steps`, a float64 scalar on its device."""
    return SCHEDULES[schedule.name](schedule, number.to(torch.float64), steps)


def constant(schedule: parts.Schedule, number: Tensor, steps: int) -> Tensor:
    """1."""
    return torch.ones_like(number)


def step(schedule: parts.Schedule, number: Tensor, steps: int) -> Tensor:
    """1 before step round(at * steps), `factor` from there (torch's StepLR; Fil et al. 2021)."""
    assert isinstance(schedule, parts.StepSchedule)
    before = number < round(schedule.at * steps)
    one = torch.ones_like(number)
    return torch.where(before, one, schedule.factor * one)


def linear(schedule: parts.Schedule, number: Tensor, steps: int) -> Tensor:
    """start + (end - start) min(1, t / duration)."""
    assert isinstance(schedule, parts.LinearSchedule)
    done = torch.clamp(number / (schedule.steps or steps), max=1.0)
    return schedule.start + (schedule.end - schedule.start) * done


SCHEDULES: dict[str, Callable[[parts.Schedule, Tensor, int], Tensor]] = {
    "constant": constant,
    "step": step,
    "linear": linear,
}
