"""What an objective gives back for a step."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Terms(NamedTuple):
    """Scalars on the device but for `kl_nats_by_latent` [Z]; means over the images of the step."""

    loss: Tensor
    """What is minimised, in the units of the trial's beta convention."""
    reconstruction_per_image: Tensor
    """Summed over the elements of an image: nats (Bernoulli) or squared error (MSE)."""
    kl_nats_by_latent: Tensor
    framework: dict[str, Tensor]
    """The framework's own terms: those that `grids.parts` names."""
