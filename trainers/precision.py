"""The arithmetic that a trial's precision names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def kernels(precision: str) -> Iterator[None]:
    """On CUDA: single precision as IEEE has it (TensorFloat-32 where `precision` is tf32), and
    kernels that give the same bits every time, never chosen by timing. Put back afterwards.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    convolution = cudnn.conv  # type: ignore[attr-defined]
    before = matmul.fp32_precision, convolution.fp32_precision, cudnn.deterministic, cudnn.benchmark
    fp32_precision = "tf32" if precision == "tf32" else "ieee"
    matmul.fp32_precision = convolution.fp32_precision = fp32_precision
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        (
            matmul.fp32_precision,
            convolution.fp32_precision,
            cudnn.deterministic,
            cudnn.benchmark,
        ) = before


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Where `precision` is bf16: convolutions and linear layers in bfloat16, weights in float32.

    Enter it anew for each step: until it is left it keeps the bfloat16 copies of the weights.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
