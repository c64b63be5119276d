"""What an objective is given for a step, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from grids.trial import Trial
from trainers.models.vae import VAE


class Step(NamedTuple):
    """B images drawn (of pairs, partners last), Z latents."""

    images_BCHW: Tensor
    """float32 or wider, on the model's scale."""
    noise_BZ: Tensor
    """Standard normal."""
    number: Tensor
    """Steps done before this one, int64 scalar on the device."""
    beta: Tensor | float
    """The trial's beta at this step, where its framework has one; else 1."""
    companion: nn.Module | None = None
    """What the framework keeps beside the model, of `COMPANIONS`."""
    permutation_BZ: Tensor | None = None
    """Of a framework that shuffles latents: the row that each comes from, int64."""


class Terms(NamedTuple):
    """Scalars on the device but for `kl_nats_by_latent` [Z]; means over the images of the step."""

    loss: Tensor
    """What the model minimises, in the units of the trial's beta convention."""
    reconstruction_per_image: Tensor
    """Summed over the elements of an image: nats (Bernoulli, Gaussian) or squared error (MSE)."""
    kl_nats_by_latent: Tensor | None
    """None where the encoder gives no posterior."""
    own: Mapping[str, Tensor]
    """The terms that the framework and the reconstruction name in `grids.parts`."""
    companion_loss: Tensor | None = None
    """What the companion's parameters minimise; no gradient of it reaches the model."""
    companion_state: Mapping[str, Tensor] = {}
    """What the companion's buffers become."""


Objective = Callable[[VAE, Step, Trial], Terms]
MakeCompanion = Callable[[Trial], nn.Module]
