"""Which latents the posteriors of a pair share, and their averages there, as Triton kernels.

The equations of `trainers.objectives.ada_vae`, whose sixty operations on some thousand numbers are
a launch each. All averages of log variances v are those of a power a of the variance,

    v = (ln(e^(a v1) + e^(a v2)) - ln 2) / a,    dv/dv1 = s1 = e^(a v1) / (e^(a v1) + e^(a v2)),

and all averages of means w m1 + (1 - w) m2, with a constant w or, of the ML-VAE, with s1.
P pairs, Z latents; rows are the first of all pairs, then their partners.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from trainers.kernels.posterior import BLOCK, expm1

POWERS = {"gvae": 1.0, "gvae_std": 0.5, "disent_0_5": 1.0, "ml_vae": -1.0}
WEIGHTS = {"gvae": 0.5, "gvae_std": 0.5, "disent_0_5": 0.0, "ml_vae": None}


def averaged(
    mean_BZ: Tensor, logvar_BZ: Tensor, divergence: str, averaging: str, threshold_ratio: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and log variance, [2 P, Z] each, averaged where shared, and how many latents of a pair
    are shared, mean over the pairs; float32. Rows of any stride; the divergence and the averaging
    of `trainers.gaussian`.
    """
    mean_BZ, logvar_BZ, shared = _Averaged.apply(  # type: ignore[no-untyped-call]
        mean_BZ, logvar_BZ, divergence, averaging, threshold_ratio
    )
    return mean_BZ, logvar_BZ, shared


class _Averaged(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, mean_BZ: Tensor, logvar_BZ: Tensor, divergence: str, averaging: str, ratio: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows, latents = mean_BZ.shape
        wide = triton.next_power_of_2(latents)
        means_BZ, logvars_BZ = (mean_BZ.new_empty(rows, latents) for _ in range(2))
        shared_PZ = mean_BZ.new_empty(rows // 2, latents, dtype=torch.uint8)
        number = mean_BZ.new_empty(())
        ctx.averaging = {"POWER": POWERS[averaging], "WEIGHT": WEIGHTS[averaging]}
        _forward[(1,)](
            mean_BZ, logvar_BZ, means_BZ, logvars_BZ, shared_PZ, number,
            mean_BZ.stride(0), logvar_BZ.stride(0), rows // 2, latents, ratio,
            FORWARD=divergence != "reverse", REVERSE=divergence != "forward", **ctx.averaging,
            BLOCK=max(1, BLOCK // wide), Z=wide, num_warps=8,
        )  # fmt: skip
        ctx.save_for_backward(mean_BZ, logvar_BZ, shared_PZ)
        ctx.mark_non_differentiable(number)
        return means_BZ, logvars_BZ, number

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, means_gradient: Tensor, logvars_gradient: Tensor, _: Any) -> Any:
        mean_BZ, logvar_BZ, shared_PZ = ctx.saved_tensors
        rows, latents = mean_BZ.shape
        wide = triton.next_power_of_2(latents)
        of_mean_BZ, of_logvar_BZ = (mean_BZ.new_empty(rows, latents) for _ in range(2))
        block = max(1, 1024 // wide)
        _backward[(triton.cdiv(rows // 2, block),)](
            mean_BZ, logvar_BZ, shared_PZ, means_gradient.contiguous(),
            logvars_gradient.contiguous(), of_mean_BZ, of_logvar_BZ,
            mean_BZ.stride(0), logvar_BZ.stride(0), rows // 2, latents, **ctx.averaging,
            BLOCK=block, Z=wide, num_warps=4,
        )  # fmt: skip
        return of_mean_BZ, of_logvar_BZ, None, None, None


@triton.jit
def _kl(mean1, logvar1, mean2, logvar2):  # fmt: skip
    difference = logvar1 - logvar2
    apart = mean2 - mean1
    return 0.5 * (expm1(difference) - difference + apart * apart * tl.exp(-logvar2))


@triton.jit
def _shares(logvar1, logvar2, POWER: tl.constexpr):  # fmt: skip
    """s1 of the equation above, and ln(e^(a v1) + e^(a v2))."""
    apart = POWER * (logvar1 - logvar2)
    decayed = tl.exp(-tl.abs(apart))
    s1 = tl.where(apart >= 0, 1.0, decayed) / (1 + decayed)
    return s1, tl.maximum(POWER * logvar1, POWER * logvar2) + tl.log(1 + decayed)


@triton.jit
def _forward(
    mean, logvar, means, logvars, shared, number, of_mean, of_logvar, PAIRS: tl.constexpr, latents,
    ratio, FORWARD: tl.constexpr, REVERSE: tl.constexpr, POWER: tl.constexpr, WEIGHT: tl.constexpr,
    BLOCK: tl.constexpr, Z: tl.constexpr,
):  # fmt: skip
    latent = tl.arange(0, Z)
    real = (latent < latents)[None, :]
    counted = tl.zeros((BLOCK, Z), dtype=tl.float32)
    for start in range(0, PAIRS, BLOCK):
        row = start + tl.arange(0, BLOCK)
        kept = (row < PAIRS)[:, None] & (latent < latents)[None, :]
        at = row[:, None] * of_mean + latent[None, :]
        m1 = tl.load(mean + at, mask=kept, other=0.0)
        m2 = tl.load(mean + at + PAIRS * of_mean, mask=kept, other=0.0)
        at = row[:, None] * of_logvar + latent[None, :]
        v1 = tl.load(logvar + at, mask=kept, other=0.0)
        v2 = tl.load(logvar + at + PAIRS * of_logvar, mask=kept, other=0.0)
        delta = tl.zeros((BLOCK, Z), dtype=tl.float32)
        if FORWARD:
            delta += _kl(m1, v1, m2, v2)
        if REVERSE:
            delta += _kl(m2, v2, m1, v1)
        if FORWARD and REVERSE:
            delta *= 0.5
        smallest = tl.min(tl.where(real, delta, float("inf")), axis=1)[:, None]
        largest = tl.max(tl.where(real, delta, float("-inf")), axis=1)[:, None]
        both = kept & (delta < smallest + ratio * (largest - smallest))
        counted += both.to(tl.float32)
        s1, logarithm = _shares(v1, v2, POWER)
        v = (logarithm - LN_2) / POWER
        if WEIGHT is None:
            m = s1 * m1 + (1 - s1) * m2
        else:
            m = WEIGHT * m1 + (1 - WEIGHT) * m2
        at = row[:, None] * latents + latent[None, :]
        partner = at + PAIRS * latents
        tl.store(means + at, tl.where(both, m, m1), mask=kept)
        tl.store(means + partner, tl.where(both, m, m2), mask=kept)
        tl.store(logvars + at, tl.where(both, v, v1), mask=kept)
        tl.store(logvars + partner, tl.where(both, v, v2), mask=kept)
        tl.store(shared + at, both.to(tl.uint8), mask=kept)
    tl.store(number, tl.sum(tl.sum(counted, axis=1), axis=0) / PAIRS)


LN_2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _backward(
    mean, logvar, shared, means_gradient, logvars_gradient, mean_gradient, logvar_gradient,
    of_mean, of_logvar, PAIRS: tl.constexpr, latents, POWER: tl.constexpr, WEIGHT: tl.constexpr,
    BLOCK: tl.constexpr, Z: tl.constexpr,
):  # fmt: skip
    latent = tl.arange(0, Z)
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    kept = (row < PAIRS)[:, None] & (latent < latents)[None, :]
    at = row[:, None] * latents + latent[None, :]
    partner = at + PAIRS * latents
    both = tl.load(shared + at, mask=kept, other=0) > 0
    gm1 = tl.load(means_gradient + at, mask=kept, other=0.0)
    gm2 = tl.load(means_gradient + partner, mask=kept, other=0.0)
    gv1 = tl.load(logvars_gradient + at, mask=kept, other=0.0)
    gv2 = tl.load(logvars_gradient + partner, mask=kept, other=0.0)
    of = row[:, None] * of_logvar + latent[None, :]
    v1 = tl.load(logvar + of, mask=kept, other=0.0)
    v2 = tl.load(logvar + of + PAIRS * of_logvar, mask=kept, other=0.0)
    s1, _ = _shares(v1, v2, POWER)
    gm = gm1 + gm2
    gv = gv1 + gv2
    of_v1 = s1 * gv
    of_v2 = (1 - s1) * gv
    if WEIGHT is None:
        of = row[:, None] * of_mean + latent[None, :]
        m1 = tl.load(mean + of, mask=kept, other=0.0)
        m2 = tl.load(mean + of + PAIRS * of_mean, mask=kept, other=0.0)
        of_s1 = POWER * s1 * (1 - s1) * (m1 - m2) * gm
        of_v1 += of_s1
        of_v2 -= of_s1
        of_m1 = s1 * gm
        of_m2 = (1 - s1) * gm
    else:
        of_m1 = WEIGHT * gm
        of_m2 = (1 - WEIGHT) * gm
    tl.store(mean_gradient + at, tl.where(both, of_m1, gm1), mask=kept)
    tl.store(mean_gradient + partner, tl.where(both, of_m2, gm2), mask=kept)
    tl.store(logvar_gradient + at, tl.where(both, of_v1, gv1), mask=kept)
    tl.store(logvar_gradient + partner, tl.where(both, of_v2, gv2), mask=kept)
