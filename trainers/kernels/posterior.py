"""A sample of diagonal Gaussians and their divergence from the standard normal, as Triton kernels.

The equations of `trainers.gaussian.sample` and `kl_from_standard_normal`, whose dozen operations on
some thousand numbers are a launch each; B rows, Z latents.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable


def sampled(mean_BZ: Tensor, logvar_BZ: Tensor, noise_BZ: Tensor) -> tuple[Tensor, Tensor]:
    """z = mu + s noise, [B, Z], and the nats of each latent averaged over the rows, [Z]: float32.

    All float32, with rows of any stride.
    """
    z_BZ, kl_Z = _Sampled.apply(mean_BZ, logvar_BZ, noise_BZ)  # type: ignore[no-untyped-call]
    return z_BZ, kl_Z


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, mean_BZ: Tensor, logvar_BZ: Tensor, noise_BZ: Tensor
    ) -> tuple[Tensor, Tensor]:
        rows, latents = mean_BZ.shape
        wide = triton.next_power_of_2(latents)
        z_BZ = mean_BZ.new_empty(rows, latents)
        kl_Z = mean_BZ.new_empty(latents)
        _forward[(1,)](
            mean_BZ, logvar_BZ, noise_BZ, z_BZ, kl_Z,
            mean_BZ.stride(0), logvar_BZ.stride(0), noise_BZ.stride(0), rows, latents,
            BLOCK=max(1, BLOCK // wide), Z=wide, num_warps=8,
        )  # fmt: skip
        ctx.save_for_backward(mean_BZ, logvar_BZ, noise_BZ)
        return z_BZ, kl_Z

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, z_gradient_BZ: Tensor, kl_gradient_Z: Tensor) -> tuple[Any, ...]:
        mean_BZ, logvar_BZ, noise_BZ = ctx.saved_tensors
        rows, latents = mean_BZ.shape
        z_gradient_BZ = z_gradient_BZ.contiguous()
        of_mean_BZ, of_logvar_BZ = (mean_BZ.new_empty(rows, latents) for _ in range(2))
        wide = triton.next_power_of_2(latents)
        block = max(1, 1024 // wide)
        _backward[(triton.cdiv(rows, block),)](
            mean_BZ, logvar_BZ, noise_BZ, z_gradient_BZ, kl_gradient_Z, of_mean_BZ, of_logvar_BZ,
            mean_BZ.stride(0), logvar_BZ.stride(0), noise_BZ.stride(0), kl_gradient_Z.stride(0),
            rows, latents, BLOCK=block, Z=wide, num_warps=4,
        )  # fmt: skip
        return of_mean_BZ, of_logvar_BZ, None


BLOCK = 4096
"""Elements at a time of the one block that adds up the rows."""


@triton.jit
def expm1(x):  # fmt: skip
    """e^x - 1, which cancels near 0: there its series, to the bits of float32."""
    tail = 1 + x / 6 * (1 + x / 7)
    series = x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * tail))))
    return tl.where(tl.abs(x) < 0.35, series, tl.exp(x) - 1)


@triton.jit
def _forward(
    mean, logvar, noise, z, kl, of_mean, of_logvar, of_noise, rows: tl.constexpr, latents,
    BLOCK: tl.constexpr, Z: tl.constexpr,
):  # fmt: skip
    latent = tl.arange(0, Z)
    nats = tl.zeros((BLOCK, Z), dtype=tl.float32)
    for start in range(0, rows, BLOCK):
        row = start + tl.arange(0, BLOCK)
        kept = (row < rows)[:, None] & (latent < latents)[None, :]
        mu = tl.load(mean + row[:, None] * of_mean + latent[None, :], mask=kept, other=0.0)
        lv = tl.load(logvar + row[:, None] * of_logvar + latent[None, :], mask=kept, other=0.0)
        drawn = tl.load(noise + row[:, None] * of_noise + latent[None, :], mask=kept, other=0.0)
        at = row[:, None] * latents + latent[None, :]
        tl.store(z + at, mu + tl.exp(0.5 * lv) * drawn, mask=kept)
        nats += 0.5 * (mu * mu + (expm1(lv) - lv))
    tl.store(kl + latent, tl.sum(nats, axis=0) / rows, mask=latent < latents)


@triton.jit
def _backward(
    mean, logvar, noise, z_gradient, kl_gradient, mean_gradient, logvar_gradient,
    of_mean, of_logvar, of_noise, of_kl, rows, latents, BLOCK: tl.constexpr, Z: tl.constexpr,
):  # fmt: skip
    latent = tl.arange(0, Z)
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    kept = (row < rows)[:, None] & (latent < latents)[None, :]
    mu = tl.load(mean + row[:, None] * of_mean + latent[None, :], mask=kept, other=0.0)
    lv = tl.load(logvar + row[:, None] * of_logvar + latent[None, :], mask=kept, other=0.0)
    drawn = tl.load(noise + row[:, None] * of_noise + latent[None, :], mask=kept, other=0.0)
    at = row[:, None] * latents + latent[None, :]
    of_z = tl.load(z_gradient + at, mask=kept, other=0.0)
    weight = tl.load(kl_gradient + latent * of_kl, mask=latent < latents, other=0.0) / rows
    tl.store(mean_gradient + at, of_z + weight[None, :] * mu, mask=kept)
    half = 0.5 * (of_z * drawn * tl.exp(0.5 * lv) + weight[None, :] * expm1(lv))
    tl.store(logvar_gradient + at, half, mask=kept)
