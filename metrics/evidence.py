"""The terms of the evidence of a model, as its trial measured them: no table is needed.

ELBO = -(reconstruction + KL), of reconstructions of samples of the posterior: a lower bound of the
log-likelihood where the reconstruction is one (Kingma and Welling 2014, equation 3); with a squared
error it is that of the loss. Locatello et al. 2019 report the three of the end of training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from metrics.table import Doubles

ACTIVE_NATS = 0.01


@dataclass(frozen=True, eq=False)
class Evidence:
    """Means over images of the dataset.

    images: how many. reconstruction_per_image: the trial's loss, summed over an image, nats or
    squared error. kl_nats_by_latent: float64 [Z], or None without a posterior.

    ValueError, in one line, where a term is not finite.
    """

    images: int
    reconstruction_per_image: float
    kl_nats_by_latent: Doubles | None = None

    def __post_init__(self) -> None:
        terms = [self.reconstruction_per_image]
        if self.kl_nats_by_latent is not None:
            terms += self.kl_nats_by_latent.tolist()
        if not all(map(math.isfinite, terms)):
            raise ValueError("the evidence holds NaN or Inf")


def reconstruction(evidence: Evidence, *, seed: int, images: int) -> dict[str, float]:
    """{"reconstruction": the loss of an image}, of as many `images` as the size asked for."""
    return {"reconstruction": evidence.reconstruction_per_image}


def kl(evidence: Evidence, *, seed: int, images: int) -> dict[str, float]:
    """kl: nats summed over latents; kl_active_latents: how many have more than 0.01 nats.

    ValueError where there is no posterior.
    """
    by_latent = _kl_of(evidence)
    return {
        "kl": math.fsum(by_latent),
        "kl_active_latents": float((by_latent > ACTIVE_NATS).sum()),
    }


def elbo(evidence: Evidence, *, seed: int, images: int) -> dict[str, float]:
    """{"elbo": -(reconstruction + KL)}; ValueError where there is no posterior."""
    return {"elbo": -(evidence.reconstruction_per_image + math.fsum(_kl_of(evidence)))}


def _kl_of(evidence: Evidence) -> Doubles:
    if evidence.kl_nats_by_latent is None:
        raise ValueError("a framework without a posterior has no KL; valid: reconstruction")
    return evidence.kl_nats_by_latent
