"""Diagonal Gaussians N(mean, exp(logvar)), one per latent: everything here is element by element.

All functions take and return floating tensors of one shape, one element a latent; divergences are
in nats. The letters are those of the papers: q1 = N(mu1, s1^2), q2 = N(mu2, s2^2).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def kl_from_standard_normal(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, s^2) || N(0, 1)) = (mu^2 + s^2 - ln s^2 - 1) / 2 in nats.

    Kingma and Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + torch.expm1(logvar) - logvar)


def kl(mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor) -> Tensor:
    """KL(q1 || q2) = (s1^2/s2^2 + (mu2 - mu1)^2/s2^2 - 1 + ln s2^2 - ln s1^2) / 2 in nats."""
    difference = logvar1 - logvar2
    return 0.5 * (
        torch.expm1(difference) - difference + (mean2 - mean1).square() * torch.exp(-logvar2)
    )


def reverse_kl(mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor) -> Tensor:
    """KL(q2 || q1) in nats."""
    return kl(mean2, logvar2, mean1, logvar1)


def symmetric_kl(mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor) -> Tensor:
    """(KL(q1 || q2) + KL(q2 || q1)) / 2 in nats. Michlo et al. 2023, supplement, equation 3."""
    return 0.5 * (kl(mean1, logvar1, mean2, logvar2) + kl(mean2, logvar2, mean1, logvar1))


def gvae_average(
    mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor
) -> tuple[Tensor, Tensor]:
    """mu = (mu1 + mu2) / 2 and s^2 = (s1^2 + s2^2) / 2, as (mean, logvar).

    The group average of the GVAE (Hosoya 2019), as Locatello et al. 2020 use it in the Ada-GVAE.
    """
    # logaddexp does not overflow where exp(logvar) would.
    return 0.5 * (mean1 + mean2), torch.logaddexp(logvar1, logvar2) - LN_2


def ml_vae_average(
    mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor
) -> tuple[Tensor, Tensor]:
    """1/s^2 = (1/s1^2 + 1/s2^2) / 2 and mu = (mu1/s1^2 + mu2/s2^2) s^2 / 2, as (mean, logvar).

    The product of two Gaussians of the ML-VAE (Bouchacourt, Tomioka, Nowozin 2018),
    with the mean of the precisions, not their sum, as Locatello et al. 2020 use it.
    """
    logvar = LN_2 - torch.logaddexp(-logvar1, -logvar2)
    # s^2 / (2 s1^2) and s^2 / (2 s2^2) are weights that add up to one.
    weight1 = torch.sigmoid(logvar2 - logvar1)
    return weight1 * mean1 + (1 - weight1) * mean2, logvar


def gvae_std_average(
    mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor
) -> tuple[Tensor, Tensor]:
    """mu = (mu1 + mu2) / 2 and s = (s1 + s2) / 2, as (mean, logvar): disent's gvae_std."""
    deviation = torch.logaddexp(0.5 * logvar1, 0.5 * logvar2) - LN_2
    return 0.5 * (mean1 + mean2), 2 * deviation


def disent_0_5_average(
    mean1: Tensor, logvar1: Tensor, mean2: Tensor, logvar2: Tensor
) -> tuple[Tensor, Tensor]:
    """mu = mu2 and s^2 = (s1^2 + s2^2) / 2: disent up to 0.5.0, with which Michlo et al. ran.

    A mistake, (mu2 + mu2) / 2 for (mu1 + mu2) / 2, that its version 0.6.0 mended (issue 32).
    """
    return mean2, gvae_average(mean1, logvar1, mean2, logvar2)[1]


def log_density(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """ln N(z; mu, s^2) = -((z - mu)^2 / s^2 + ln s^2 + ln 2 pi) / 2 in nats; broadcasts."""
    return -0.5 * ((z - mean).square() * torch.exp(-logvar) + logvar + math.log(2 * math.pi))


def sample(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """z = mu + s * noise (Kingma and Welling 2014, section 2.4)."""
    return mean + torch.exp(0.5 * logvar) * noise


LN_2 = 0.6931471805599453
DIVERGENCES = {"symmetric": symmetric_kl, "forward": kl, "reverse": reverse_kl}
AVERAGES = {
    "gvae": gvae_average,
    "gvae_std": gvae_std_average,
    "disent_0_5": disent_0_5_average,
    "ml_vae": ml_vae_average,
}
