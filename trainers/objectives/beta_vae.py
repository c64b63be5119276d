"""beta-VAE: Higgins et al. 2017, "beta-VAE: learning basic visual concepts", equation 4.

With reconstruction error r of N = C H W elements and KL_d of Z latents, averaged over the batch:

    sum convention    L = <sum_N r> + beta <sum_Z KL_d>
    mean convention   L = <r>_N     + beta <KL_d>_Z       (beta_sum = beta_mean N / Z)

The mean convention is that of Michlo et al. 2023 (supplement, B.1); the sum convention is that of
Higgins and of Locatello et al. 2019. The two losses differ by the factor N.
"""

from __future__ import annotations

from torch import Tensor

from grids.trial import Trial
from trainers import gaussian
from trainers.models import VAE
from trainers.objectives.terms import Terms
from trainers.reconstruction import reconstruction_of


def beta_vae(model: VAE, images_BCHW: Tensor, noise_BZ: Tensor, trial: Trial) -> Terms:
    """Terms of one batch: float32 images on the model's scale, standard normal noise."""
    mean_BZ, logvar_BZ = model.encode(images_BCHW)
    output_BCHW = model.decode(gaussian.sample(mean_BZ, logvar_BZ, noise_BZ))
    return beta_weighted(output_BCHW, images_BCHW, mean_BZ, logvar_BZ, trial)


def beta_weighted(
    output_BCHW: Tensor, images_BCHW: Tensor, mean_BZ: Tensor, logvar_BZ: Tensor, trial: Trial
) -> Terms:
    """The equation above, from what the decoder made of the posterior's samples."""
    assert trial.beta is not None
    batch_size, latents = mean_BZ.shape
    elements = images_BCHW[0].numel()
    error_BCHW = reconstruction_of(trial.reconstruction).loss(output_BCHW, images_BCHW)
    reconstruction = error_BCHW.sum() / batch_size
    kl_Z = gaussian.kl_from_standard_normal(mean_BZ, logvar_BZ).mean(dim=0)
    if trial.beta_convention == "mean":
        loss = reconstruction / elements + trial.beta * kl_Z.sum() / latents
    else:
        loss = reconstruction + trial.beta * kl_Z.sum()
    return Terms(loss, reconstruction, kl_Z, {})
