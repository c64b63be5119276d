"""Ada-GVAE and Ada-ML-VAE: Locatello et al. 2020, "Weakly-supervised disentanglement without
compromises", section 4; the symmetric divergence is that of Michlo et al. 2023 (supplement, B.2).

For a pair (x1, x2) with posteriors q1, q2 and a divergence delta_d per latent,

    tau = min_d delta_d + ratio (max_d delta_d - min_d delta_d),    d is shared where delta_d < tau,

the posteriors of the shared latents are replaced by their average, and the loss is the beta-VAE's
on the two averaged posteriors: (r1 + r2) / 2 + beta (KL1 + KL2) / 2, in either convention.

The comparison is strict, so a pair of equal posteriors shares nothing, which changes nothing
(disent 8f061a87). disentanglement_lib's delta is twice KL(q1 || q2): the same latents are shared.
disent up to 0.5.0 (so the runs of Michlo et al.) took mu2 for the average of mu1 and mu2, a mistake
that its version 0.6.0 mended and that is not repeated here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import gaussian
from trainers.models import VAE
from trainers.objectives.beta_vae import beta_weighted
from trainers.objectives.terms import Terms


def ada_gvae(model: VAE, images_BCHW: Tensor, noise_BZ: Tensor, trial: Trial) -> Terms:
    """Terms of one batch of pairs: the first half of the rows, then their partners."""
    assert isinstance(trial.framework, parts.AdaGVAE)
    mean_BZ, logvar_BZ = model.encode(images_BCHW)
    mean_BZ, logvar_BZ, shared_PZ = averaged(mean_BZ, logvar_BZ, trial.framework)
    output_BCHW = model.decode(gaussian.sample(mean_BZ, logvar_BZ, noise_BZ))
    terms = beta_weighted(output_BCHW, images_BCHW, mean_BZ, logvar_BZ, trial)
    shared_latents = shared_PZ.sum(dim=1, dtype=torch.float32).mean()
    return terms._replace(framework={"shared_latents": shared_latents})


def averaged(
    mean_BZ: Tensor, logvar_BZ: Tensor, framework: parts.AdaGVAE
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and log variance of the averaged posteriors, [B, Z], and which were shared, [B/2, Z]."""
    mean1_PZ, mean2_PZ = mean_BZ.chunk(2)
    logvar1_PZ, logvar2_PZ = logvar_BZ.chunk(2)
    posteriors = (mean1_PZ, logvar1_PZ, mean2_PZ, logvar2_PZ)
    with torch.no_grad():
        delta_PZ = gaussian.DIVERGENCES[framework.divergence](*posteriors)
        shared_PZ = shared(delta_PZ, framework.threshold_ratio)
    average_mean_PZ, average_logvar_PZ = gaussian.AVERAGES[framework.averaging](*posteriors)
    return (
        torch.cat([torch.where(shared_PZ, average_mean_PZ, m) for m in (mean1_PZ, mean2_PZ)]),
        torch.cat([torch.where(shared_PZ, average_logvar_PZ, v) for v in (logvar1_PZ, logvar2_PZ)]),
        shared_PZ,
    )


def shared(delta_PZ: Tensor, threshold_ratio: float) -> Tensor:
    """Whether each latent of each pair lies below the pair's threshold, bool [P, Z]."""
    smallest_P1, largest_P1 = delta_PZ.amin(dim=1, keepdim=True), delta_PZ.amax(1, keepdim=True)
    return delta_PZ < smallest_P1 + threshold_ratio * (largest_P1 - smallest_P1)
