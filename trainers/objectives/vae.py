"""VAE: Kingma and Welling 2014, equation 10, with the KL in closed form.

With reconstruction error r of N = C H W elements and KL_d of Z latents, averaged over the batch:

    L = <sum_N r> + <sum_Z KL_d>
"""

from __future__ import annotations

from grids.trial import Trial
from trainers.models.vae import VAE
from trainers.objectives.evidence import evidence
from trainers.objectives.step import Step, Terms


def vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch: in nats where the reconstruction is a log-likelihood."""
    found = evidence(model, step, trial)
    return Terms(found.negative_elbo, found.reconstruction, found.kl_Z, found.own)
