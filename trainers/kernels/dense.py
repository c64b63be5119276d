"""Dense layers as one Triton kernel: products of matrices in bfloat16, added up in float32.

B rows, I inputs, O outputs: y = x W^T + b, dx = dy W, dW = dy^T x, db the sums of dy over rows. The
matrices are small, so that a launch saved (a bias, a ReLU, its mask, a sum, a change of type) is
what counts.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


def forward(
    x_BI: Tensor, weight_OI: Tensor, bias_O: Tensor, *, relu: bool, dtype: torch.dtype
) -> Tensor:
    """x W^T + b, perhaps with a ReLU, [B, O] of `dtype`. float32 or bfloat16; the bias float32."""
    y_BO = torch.empty((len(x_BI), len(weight_OI)), dtype=dtype, device=x_BI.device)
    _multiply(x_BI, weight_OI.t(), y_BO, bias=bias_O, relu=relu)
    return y_BO


def input_gradient(
    gradient_BO: Tensor,
    weight_OI: Tensor,
    *,
    mask_BI: Tensor | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """dy W, [B, I] of `dtype`; zero where `mask` is not positive."""
    shape = len(gradient_BO), weight_OI.shape[1]
    dx_BI = torch.empty(shape, dtype=dtype, device=gradient_BO.device)
    _multiply(gradient_BO, weight_OI, dx_BI, mask=mask_BI)
    return dx_BI


def weight_gradient(gradient_BO: Tensor, x_BI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> None:
    """Writes dW and db, float32."""
    _multiply(gradient_BO.t(), x_BI, weight_OI, row_sums=bias_O)


def _multiply(
    a_MK: Tensor,
    b_KN: Tensor,
    c_MN: Tensor,
    *,
    bias: Tensor | None = None,
    relu: bool = False,
    mask: Tensor | None = None,
    row_sums: Tensor | None = None,
) -> None:
    (m, k), n = a_MK.shape, b_KN.shape[1]
    # A latent side is narrow: there many small blocks, and most of the sum at once.
    block, wide, stages = (64, 64, 3) if min(m, n) >= 64 else (32, 128, 2)
    _product[(triton.cdiv(m, block) * triton.cdiv(n, block),)](
        a_MK, b_KN, c_MN, bias, mask, row_sums,
        m, n, a_MK.stride(0), a_MK.stride(1), b_KN.stride(0), b_KN.stride(1),
        K=k, BIAS=bias is not None, RELU=relu, MASK=mask is not None,
        ROW_SUMS=row_sums is not None,
        BLOCK=block, BK=min(wide, max(16, triton.next_power_of_2(k))),
        num_warps=4, num_stages=stages,
    )  # fmt: skip


@triton.jit
def _product(
    a, b, c, bias, mask, row_sums,
    rows, columns, a_m, a_k, b_k, b_n,
    K: tl.constexpr, BIAS: tl.constexpr, RELU: tl.constexpr, MASK: tl.constexpr,
    ROW_SUMS: tl.constexpr, BLOCK: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    blocks_n = tl.cdiv(columns, BLOCK)
    m = (tl.program_id(0) // blocks_n) * BLOCK + tl.arange(0, BLOCK)
    n = (tl.program_id(0) % blocks_n) * BLOCK + tl.arange(0, BLOCK)
    sums = tl.zeros((BLOCK, BLOCK), dtype=tl.float32)
    of_rows = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, K, BK):
        k = start + tl.arange(0, BK)
        a_MK = tl.load(
            a + m[:, None] * a_m + k[None, :] * a_k,
            mask=(m < rows)[:, None] & (k < K)[None, :],
            other=0.0,
        ).to(tl.bfloat16)
        b_KN = tl.load(
            b + k[:, None] * b_k + n[None, :] * b_n,
            mask=(k < K)[:, None] & (n < columns)[None, :],
            other=0.0,
        ).to(tl.bfloat16)
        sums = tl.dot(a_MK, b_KN, sums)
        if ROW_SUMS:
            of_rows += tl.sum(a_MK.to(tl.float32), axis=1)
    if BIAS:
        sums += tl.load(bias + n, mask=n < columns, other=0.0)[None, :]
    if RELU:
        sums = tl.maximum(sums, 0.0)
    at = m[:, None] * columns + n[None, :]
    kept = (m < rows)[:, None] & (n < columns)[None, :]
    if MASK:
        sums = tl.where(tl.load(mask + at, mask=kept, other=0.0) > 0, sums, 0.0)
    tl.store(c + at, sums.to(c.dtype.element_ty), mask=kept)
    if ROW_SUMS:
        tl.store(row_sums + m, of_rows, mask=(m < rows) & (tl.program_id(0) % blocks_n == 0))
