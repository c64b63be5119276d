"""Adam over a flat run of parameters as one Triton kernel (Kingma and Ba 2015, algorithm 1).

torch's fused one gives 65,536 elements to a block, so a small network to a dozen of a GPU's blocks.
Beside the weights the kernel writes their bfloat16 copies, which the other kernels read.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


def step(
    parameters_N: Tensor,
    gradients_N: Tensor,
    first_N: Tensor,
    second_N: Tensor,
    copies_N: Tensor,
    steps: Tensor,
    lr: float | Tensor,
    *,
    beta1: float,
    beta2: float,
    eps: float,
) -> None:
    """In place, all float32 but the bfloat16 copies; `steps` counts this step already."""
    size = parameters_N.numel()
    _step[(triton.cdiv(size, BLOCK),)](
        parameters_N, gradients_N, first_N, second_N, copies_N, steps, lr, size,
        beta1, beta2, 1 - beta1, 1 - beta2, _log(beta1), _log(beta2), eps,
        MOVES=isinstance(lr, Tensor), BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip


def _log(beta: float) -> float:
    return math.log(beta) if beta else -math.inf


@triton.jit
def _step(
    parameters, gradients, first, second, copies, steps, lr, size,
    beta1, beta2, rest1, rest2, log_beta1, log_beta2, eps, MOVES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    kept = n < size
    g = tl.load(gradients + n, mask=kept, other=0.0)
    m = tl.load(first + n, mask=kept, other=0.0)
    v = tl.load(second + n, mask=kept, other=0.0)
    p = tl.load(parameters + n, mask=kept, other=0.0)
    done = tl.load(steps).to(tl.float64)
    rate = tl.load(lr).to(tl.float32) if MOVES else lr
    m = beta1 * m + rest1 * g
    v = beta2 * v + rest2 * (g * g)
    # 1 - beta^steps, in float64 for what is left of two numbers so near to each other.
    bias1 = (1 - tl.exp(done * log_beta1)).to(tl.float32)
    bias2 = (1 - tl.exp(done * log_beta2)).to(tl.float32)
    p = p - rate / bias1 * m / (tl.sqrt(v) / tl.sqrt(bias2) + eps)
    tl.store(first + n, m, mask=kept)
    tl.store(second + n, v, mask=kept)
    tl.store(parameters + n, p, mask=kept)
    tl.store(copies + n, p.to(tl.bfloat16), mask=kept)
