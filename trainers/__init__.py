"""How to train: the implementations behind the names in `grids.parts`, by name."""

from __future__ import annotations

import torch

from grids.trial import Trial
from trainers.datasets import DATASETS, make_dataset
from trainers.models import MODELS, VAE, initialise
from trainers.objectives.ada_gvae import ada_gvae
from trainers.objectives.beta_vae import beta_vae
from trainers.reconstruction import RECONSTRUCTIONS

OBJECTIVES = {"beta_vae": beta_vae, "ada_gvae": ada_gvae}

__all__ = ["DATASETS", "MODELS", "OBJECTIVES", "RECONSTRUCTIONS", "make_dataset", "make_model"]


def make_model(trial: Trial, *, device: torch.device | str) -> VAE:
    """The trial's model with its initial weights, on the device, in channels_last order."""
    model = MODELS[trial.model.name](trial.dataset.image_shape, trial.latents)
    initialise(model, trial.seed)
    model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
