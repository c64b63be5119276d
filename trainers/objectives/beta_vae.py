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
from trainers.models.vae import VAE
from trainers.objectives.evidence import Evidence, evidence
from trainers.objectives.step import Step, Terms


def beta_vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch."""
    found = evidence(model, step, trial)
    elements = step.images_BCHW[0].numel()
    loss = beta_weighted(found, step.beta, trial.beta_convention, elements)
    return Terms(loss, found.reconstruction, found.kl_Z, found.own)


def beta_weighted(found: Evidence, beta: Tensor | float, convention: str, elements: int) -> Tensor:
    """The equation above, in either convention, of images of so many elements."""
    if convention == "mean":
        return found.reconstruction / elements + beta / len(found.kl_Z) * found.kl_Z.sum()
    return found.reconstruction + beta * found.kl_Z.sum()
