"""Ada-GVAE and Ada-ML-VAE: Locatello et al. 2020, "Weakly-supervised disentanglement without
compromises", section 4; the symmetric divergence is that of Michlo et al. 2023 (supplement, B.2).

For a pair (x1, x2) with posteriors q1, q2 and a divergence delta_d per latent,

    tau = min_d delta_d + ratio (max_d delta_d - min_d delta_d),    d is shared where delta_d < tau,

the posteriors of the shared latents are replaced by their average, and the loss is the beta-VAE's
on the two averaged posteriors: (r1 + r2) / 2 + beta (KL1 + KL2) / 2, in either convention.

The comparison is strict, so a pair of equal posteriors shares nothing, which changes nothing
(disent 8f061a87). disentanglement_lib's delta is twice KL(q1 || q2) and its threshold the middle
bin of a histogram: the same latents are shared. `reverse` is disent's mode kl, `distance` and
`sampled_distance` its modes dist and sampled_dist, the last with the noise of the step.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import gaussian
from trainers.models.vae import VAE
from trainers.objectives.beta_vae import beta_weighted
from trainers.objectives.evidence import evidence_of
from trainers.objectives.step import Step, Terms


def ada_vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch of pairs: the first half of the rows, then their partners."""
    mean_BZ, logvar_BZ = model.encode(step.images_BCHW)
    framework = trial.framework
    assert isinstance(framework, parts.AdaGVAE | parts.AdaMLVAE)
    fused = model.fused_in_use
    if fused is not None and framework.divergence in gaussian.DIVERGENCES:
        mean_BZ, logvar_BZ, shared_latents = fused.averaged(
            mean_BZ,
            logvar_BZ,
            framework.divergence,
            averaging_of(framework),
            framework.threshold_ratio,
        )
    else:
        mean_BZ, logvar_BZ, shared_PZ = averaged(mean_BZ, logvar_BZ, step.noise_BZ, framework)
        shared_latents = shared_PZ.sum(dim=1, dtype=torch.float32).mean()
    found = evidence_of(mean_BZ, logvar_BZ, model, step, trial)
    elements = step.images_BCHW[0].numel()
    loss = beta_weighted(found, step.beta, trial.beta_convention, elements)
    own = {**found.own, "shared_latents": shared_latents}
    return Terms(loss, found.reconstruction, found.kl_Z, own)


def averaging_of(framework: parts.AdaGVAE | parts.AdaMLVAE) -> str:
    """Of `gaussian.AVERAGES`."""
    return framework.averaging if isinstance(framework, parts.AdaGVAE) else "ml_vae"


def averaged(
    mean_BZ: Tensor,
    logvar_BZ: Tensor,
    noise_BZ: Tensor,
    framework: parts.AdaGVAE | parts.AdaMLVAE,
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and log variance of the averaged posteriors, [B, Z], and which were shared, [B/2, Z]."""
    mean1_PZ, mean2_PZ = mean_BZ.chunk(2)
    logvar1_PZ, logvar2_PZ = logvar_BZ.chunk(2)
    posteriors = (mean1_PZ, logvar1_PZ, mean2_PZ, logvar2_PZ)
    with torch.no_grad():
        if framework.divergence == "distance":
            delta_PZ = (mean1_PZ - mean2_PZ).abs()
        elif framework.divergence == "sampled_distance":
            z1_PZ, z2_PZ = gaussian.sample(mean_BZ, logvar_BZ, noise_BZ).chunk(2)
            delta_PZ = (z1_PZ - z2_PZ).abs()
        else:
            delta_PZ = gaussian.DIVERGENCES[framework.divergence](*posteriors)
        shared_PZ = shared(delta_PZ, framework.threshold_ratio)
    average_mean_PZ, average_logvar_PZ = gaussian.AVERAGES[averaging_of(framework)](*posteriors)
    return (
        torch.cat([torch.where(shared_PZ, average_mean_PZ, m) for m in (mean1_PZ, mean2_PZ)]),
        torch.cat([torch.where(shared_PZ, average_logvar_PZ, v) for v in (logvar1_PZ, logvar2_PZ)]),
        shared_PZ,
    )


def shared(delta_PZ: Tensor, threshold_ratio: float) -> Tensor:
    """Whether each latent of each pair lies below the pair's threshold, bool [P, Z]."""
    smallest_P1, largest_P1 = delta_PZ.amin(dim=1, keepdim=True), delta_PZ.amax(1, keepdim=True)
    return delta_PZ < smallest_P1 + threshold_ratio * (largest_P1 - smallest_P1)
