"""AnnealedVAE: Burgess et al. 2017, "Understanding disentangling in beta-VAE", equation 8.

    L = <sum_N r> + gamma |<sum_Z KL_d> - C(t)|,    C(t) = C min(1, t / T)

t counts the steps done before this one, as disentanglement_lib's global step does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers.models.vae import VAE
from trainers.objectives.evidence import evidence
from trainers.objectives.step import Step, Terms


def annealed_vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch: nats where the reconstruction is a log-likelihood."""
    assert isinstance(trial.framework, parts.AnnealedVAE)
    found = evidence(model, step, trial)
    grown = annealed(step.number, trial.framework.anneal_steps)
    capacity = trial.framework.capacity_nats * grown.to(found.kl_Z.dtype)
    loss = found.reconstruction + trial.framework.gamma * (found.kl_Z.sum() - capacity).abs()
    return Terms(loss, found.reconstruction, found.kl_Z, {**found.own, "capacity_nats": capacity})


def annealed(number: Tensor, steps: int) -> Tensor:
    """min(1, t / steps), float64."""
    return torch.clamp(number.to(torch.float64) / steps, max=1.0)
