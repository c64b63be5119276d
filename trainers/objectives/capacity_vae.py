"""Capacity-VAE: an idea of Song 2018 (section 5.2.3), without a published result.

    L = <sum_N r> + sum_d gamma_d |KL_d - C_d(t)|

spread: the latents have capacities of their own from the start, in equal steps from the largest
(d = 0) to the smallest (d = Z - 1), and all grow by min(1, t / T); gamma_d = gamma.

settle: C_d(t) = C min(1, t / T) and gamma_d = gamma, until latent d is frozen. At the end of every
window of W steps, a latent is frozen whose mean KL over the window is above `rise_nats` and differs
from that of the window before by less than `settled_ratio` C W / T: by less than that part of what
the capacity grows by in a window, so that a latent that follows its capacity is never frozen. Its
C_d stays at that mean. From then on its gamma_d grows by `weight_growth` a window, up to
`weight_limit` times gamma, so that it "stops learning". The thesis names neither window nor
threshold: these are ours.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from grids import parts
from grids.trial import Trial
from trainers.models.vae import VAE
from trainers.objectives.annealed_vae import annealed
from trainers.objectives.evidence import evidence
from trainers.objectives.step import Step, Terms


class Latents(NamedTuple):
    """What is remembered of each latent, float64 [Z] each."""

    window_sum: Tensor
    """KL in nats, summed over the steps of the window so far."""
    window_before: Tensor
    """Mean KL of the window before; infinite in the first."""
    capacity: Tensor
    """Where a latent is frozen; infinite while it is not."""
    weight: Tensor
    """gamma_d / gamma."""


class Capacities(nn.Module):
    """`Latents` as buffers."""

    def __init__(self, latents: int) -> None:
        super().__init__()
        for name, value in at_start(latents)._asdict().items():
            self.register_buffer(name, value)

    def latents(self) -> Latents:
        return Latents(*(self.get_buffer(name) for name in Latents._fields))


def capacities(trial: Trial) -> Capacities:
    """Of a trial's latents, before the first step."""
    return Capacities(trial.latents)


def at_start(latents: int) -> Latents:
    zeros = torch.zeros(latents, dtype=torch.float64)
    return Latents(zeros, zeros + torch.inf, zeros + torch.inf, zeros + 1)


def capacity_vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch: nats where the reconstruction is a log-likelihood."""
    framework, companion = trial.framework, step.companion
    assert isinstance(framework, parts.CapacityVAE) and isinstance(companion, Capacities)
    found = evidence(model, step, trial)
    latents = following = companion.latents()
    if framework.variant == "spread":
        capacity_Z = spread(step.number, trial.latents, framework)
    else:
        growing = framework.capacity_nats * annealed(step.number, framework.anneal_steps)
        capacity_Z = torch.where(frozen(latents), latents.capacity, growing)
        following = settled(latents, found.kl_Z.detach(), step.number, framework)
    weight_Z = latents.weight.to(found.kl_Z.dtype)
    distance_Z = (found.kl_Z - capacity_Z.to(found.kl_Z.dtype)).abs()
    loss = found.reconstruction + framework.gamma * (weight_Z * distance_Z).sum()
    own = {
        **found.own,
        "capacity_nats": capacity_Z.sum(),
        "frozen_latents": frozen(following).sum(dtype=torch.float64),
    }
    return Terms(loss, found.reconstruction, found.kl_Z, own, companion_state=following._asdict())


def spread(number: Tensor, latents: int, framework: parts.CapacityVAE) -> Tensor:
    """C_d(t) of the first variant in nats, float64 [Z]."""
    largest, smallest = framework.capacity_nats, framework.smallest_capacity_nats
    capacity_Z = torch.linspace(
        largest, smallest, latents, dtype=torch.float64, device=number.device
    )
    return capacity_Z * annealed(number, framework.anneal_steps)


def frozen(latents: Latents) -> Tensor:
    """Which latents are, bool [Z]."""
    return torch.isfinite(latents.capacity)


def settled(
    latents: Latents, kl_Z: Tensor, number: Tensor, framework: parts.CapacityVAE
) -> Latents:
    """What is remembered after a step with this KL, of the second variant. Shapes are static."""
    window_sum = latents.window_sum + kl_Z
    ends = (number + 1) % framework.window_steps == 0
    mean = window_sum / framework.window_steps
    was_frozen = frozen(latents)
    growth = framework.capacity_nats * framework.window_steps / framework.anneal_steps
    has_settled = (mean - latents.window_before).abs() < framework.settled_ratio * growth
    freezes = ends & ~was_frozen & (mean > framework.rise_nats) & has_settled
    grown = torch.clamp(latents.weight * framework.weight_growth, max=framework.weight_limit)
    return Latents(
        torch.where(ends, torch.zeros_like(window_sum), window_sum),
        torch.where(ends, mean, latents.window_before),
        torch.where(freezes, mean, latents.capacity),
        torch.where(ends & was_frozen, grown, latents.weight),
    )
