"""What the objectives share: a posterior, its sample, reconstruction and KL of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import gaussian
from trainers.models.vae import VAE, DecodedLoss
from trainers.objectives.step import Step
from trainers.reconstruction import reconstruction_of

DECODED_LOSSES: Mapping[parts.Reconstruction, DecodedLoss] = {
    parts.MSE(): "mse",
    parts.Bernoulli(): "bernoulli",
}


class Evidence(NamedTuple):
    """The posteriors of a batch, [B, Z], a sample of each, and the two terms of the ELBO."""

    mean_BZ: Tensor
    logvar_BZ: Tensor
    z_BZ: Tensor
    reconstruction: Tensor
    """Summed over an image, mean over the batch."""
    kl_Z: Tensor
    """Nats of each latent, mean over the batch."""
    own: Mapping[str, Tensor]
    """The reconstruction's own terms."""

    @property
    def negative_elbo(self) -> Tensor:
        """<sum_N r> + <sum_Z KL_d>."""
        return self.reconstruction + self.kl_Z.sum()


def evidence(model: VAE, step: Step, trial: Trial) -> Evidence:
    """Encodes, samples with the step's noise, decodes."""
    mean_BZ, logvar_BZ = model.encode(step.images_BCHW)
    return evidence_of(mean_BZ, logvar_BZ, model, step, trial)


def evidence_of(
    mean_BZ: Tensor, logvar_BZ: Tensor, model: VAE, step: Step, trial: Trial
) -> Evidence:
    """The same of posteriors that an encoder gave, or that were changed since."""
    if (fused := model.fused_in_use) is not None:
        z_BZ, kl_Z = fused.sample(mean_BZ, logvar_BZ, step.noise_BZ)
    else:
        z_BZ = gaussian.sample(mean_BZ, logvar_BZ, step.noise_BZ)
        kl_Z = gaussian.kl_from_standard_normal(mean_BZ, logvar_BZ).mean(dim=0)
    reconstruction, own = decoded_error(model, z_BZ, step.images_BCHW, trial)
    return Evidence(mean_BZ, logvar_BZ, z_BZ, reconstruction, kl_Z, own)


def decoded_error(
    model: VAE, z_BZ: Tensor, images_BCHW: Tensor, trial: Trial
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """`reconstruction_per_image` of what the decoder makes of z."""
    loss = DECODED_LOSSES.get(trial.reconstruction)
    if (fused := model.fused_in_use) is not None and loss is not None:
        return fused.decoded_loss(z_BZ, images_BCHW, loss), {}
    return reconstruction_per_image(model, model.decode(z_BZ), images_BCHW, trial)


def reconstruction_per_image(
    model: VAE, output_BCHW: Tensor, images_BCHW: Tensor, trial: Trial
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """The trial's loss summed over an image, mean over the batch; and the loss's own terms."""
    loss = reconstruction_of(trial.reconstruction, model.log_sigma, device=output_BCHW.device)
    return loss.loss(output_BCHW, images_BCHW) / len(images_BCHW), loss.own
