"""beta-TCVAE: Chen et al. 2018, "Isolating sources of disentanglement in VAEs", equation 4 with
alpha = gamma = 1, written as in disentanglement_lib with the KL in closed form:

    L = <sum_N r> + <sum_Z KL_d> + (beta - 1) TC,    TC = <ln q(z) - sum_d ln q(z_d)>

With l_jid = ln q(z_jd | x_i), the sample j and the posterior i of one batch of B, of N images,

    ln q(z_j) = ln sum_i w_ji exp sum_d l_jid,    ln q(z_jd) = ln sum_i w_ji exp l_jid

weighted:   w_ji = 1 / (B N) (equation S5 of its appendix C.1). TC is then, up to a constant that
            grows with ln N, disentanglement_lib's, and may be far from the true one.
stratified: w_jj = 1 / N, one other (N - M) / (N M), the rest 1 / M, M = B - 1 (appendix C.2). The
            code of its authors and copies of it put the first two weights into columns 0 and 1
            for almost every sample, where they belong on the diagonal and beside it.

Either may be negative. Where the nuisance of a dataset is random numbers, N counts its cells.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import gaussian
from trainers.models.vae import VAE
from trainers.objectives.evidence import evidence
from trainers.objectives.step import Step, Terms


def beta_tc_vae(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch: nats where the reconstruction is a log-likelihood."""
    assert isinstance(trial.framework, parts.BetaTCVAE)
    found = evidence(model, step, trial)
    estimate = LOG_WEIGHTS[trial.framework.estimator]
    log_weights_BB = estimate(len(found.z_BZ), trial.images, found.z_BZ)
    total = total_correlation(found.z_BZ, found.mean_BZ, found.logvar_BZ, log_weights_BB)
    loss = found.negative_elbo + (step.beta - 1) * total
    own = {**found.own, "total_correlation_nats": total}
    return Terms(loss, found.reconstruction, found.kl_Z, own)


def total_correlation(
    z_BZ: Tensor, mean_BZ: Tensor, logvar_BZ: Tensor, log_weights_BB: Tensor
) -> Tensor:
    """TC in nats of samples z of the posteriors, with ln w [sample, posterior]."""
    density_BBZ = gaussian.log_density(z_BZ[:, None], mean_BZ[None], logvar_BZ[None])
    joint_B = torch.logsumexp(density_BBZ.sum(dim=2) + log_weights_BB, dim=1)
    single_BZ = torch.logsumexp(density_BBZ + log_weights_BB[:, :, None], dim=1)
    return (joint_B - single_BZ.sum(dim=1)).mean()


def weighted(batch_size: int, images: int, like: Tensor) -> Tensor:
    """ln w of minibatch-weighted sampling, [B, B]."""
    return like.new_full((batch_size, batch_size), -math.log(batch_size * images))


def stratified(batch_size: int, images: int, like: Tensor) -> Tensor:
    """ln w of minibatch-stratified sampling, [B, B]; each row of w adds up to 1 where N >= B - 1.

    The designated other is the next sample; in a batch of more images than there are, it weighs
    nothing.
    """
    rest = batch_size - 1
    if rest == 0:
        return like.new_zeros(1, 1)
    weights_BB = like.new_full((batch_size, batch_size), 1 / rest)
    weights_BB.fill_diagonal_(1 / images)
    weights_BB.diagonal(1).fill_(max(images - rest, 0) / (images * rest))
    weights_BB[-1, :1].fill_(max(images - rest, 0) / (images * rest))
    return torch.log(weights_BB)


LOG_WEIGHTS = {"weighted": weighted, "stratified": stratified}
