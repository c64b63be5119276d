"""DIP-VAE: Kumar, Sattigeri and Balakrishnan 2018, equations 6 (I) and 7 (II).

    L = <sum_N r> + <sum_Z KL_d> + lambda_od sum_{i != j} C_ij^2 + lambda_d sum_i (C_ii - 1)^2

    I:  C = Cov(mu),    II:  C = Cov(mu) + diag(<sigma^2>),    lambda_d = factor lambda_od

The covariance over the batch is the biased one, <mu mu^T> - <mu><mu>^T, as in disentanglement_lib.
disent (8f061a87) adds a scalar to all of C in II, a mistake that is not repeated here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers.models.vae import VAE
from trainers.objectives.evidence import Evidence, evidence
from trainers.objectives.step import Step, Terms


def dip_vae_i(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch, with the covariance of the means."""
    found = evidence(model, step, trial)
    return _terms(found, covariance(found.mean_BZ), trial)


def dip_vae_ii(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch, with the covariance of the samples, in expectation."""
    found = evidence(model, step, trial)
    variance_Z = torch.exp(found.logvar_BZ).mean(dim=0)
    return _terms(found, covariance(found.mean_BZ) + torch.diag(variance_Z), trial)


def covariance(mean_BZ: Tensor) -> Tensor:
    """Over the batch, divided by B, [Z, Z]."""
    centred_BZ = mean_BZ - mean_BZ.mean(dim=0)
    # Z is small: never in bfloat16, whatever autocast would have a product in.
    with torch.autocast(mean_BZ.device.type, enabled=False):
        return centred_BZ.T @ centred_BZ / len(mean_BZ)


def regularizer(covariance_ZZ: Tensor, lambda_od: float, lambda_d: float) -> Tensor:
    """The last two terms of the equation."""
    diagonal_Z = covariance_ZZ.diagonal()
    off_diagonal = covariance_ZZ.square().sum() - diagonal_Z.square().sum()
    return lambda_od * off_diagonal + lambda_d * (diagonal_Z - 1).square().sum()


def _terms(found: Evidence, covariance_ZZ: Tensor, trial: Trial) -> Terms:
    framework = trial.framework
    assert isinstance(framework, parts.DIPVAEI | parts.DIPVAEII)
    lambda_d = framework.lambda_d_factor * framework.lambda_od
    added = regularizer(covariance_ZZ, framework.lambda_od, lambda_d)
    own = {**found.own, "dip_regularizer": added}
    return Terms(found.negative_elbo + added, found.reconstruction, found.kl_Z, own)
