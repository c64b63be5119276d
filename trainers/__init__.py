"""How to train: the implementations behind the names in `grids.parts`, by name."""

from __future__ import annotations

import math

import torch
from torch import nn

from grids.parts import Gaussian
from grids.trial import Trial
from trainers.baselines import BASELINES
from trainers.datasets import DATASETS, make_dataset
from trainers.models import MODELS, VAE
from trainers.objectives import COMPANIONS, OBJECTIVES
from trainers.optimizers import OPTIMIZERS
from trainers.reconstruction import RECONSTRUCTIONS
from trainers.schedules import SCHEDULES

__all__ = [
    "BASELINES",
    "COMPANIONS",
    "DATASETS",
    "MODELS",
    "OBJECTIVES",
    "OPTIMIZERS",
    "RECONSTRUCTIONS",
    "SCHEDULES",
    "make_dataset",
    "make_model",
]


def make_model(trial: Trial, *, device: torch.device | str) -> VAE:
    """The trial's model with its initial weights, on the device, in channels_last order."""
    network = MODELS[trial.model.name]
    head = (2 if trial.framework.posterior else 1) * trial.latents
    model = network.make(trial.dataset.image_shape, trial.latents, head)
    network.initialise((model.encoder, model.decoder), trial.seed)
    loss = trial.reconstruction
    if isinstance(loss, Gaussian) and loss.learned:
        model.log_sigma = nn.Parameter(torch.tensor(math.log(loss.sigma)))
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
