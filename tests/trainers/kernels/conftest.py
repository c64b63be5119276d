"""On CUDA the kernels run as they are; elsewhere in Triton's interpreter, block by block."""

from __future__ import annotations

import os

import pytest
import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if DEVICE.type == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # read where a kernel is defined

triton = pytest.importorskip("triton", reason="needs Triton")

if DEVICE.type == "cpu":
    import numpy as np
    from triton.runtime import interpreter

    def dot(self, a, b, d, input_precision, max_num_imprecise_acc):  # type: ignore[no-untyped-def]
        """The interpreter's own multiplies the bit patterns of bfloat16."""

        def widened(operand):  # type: ignore[no-untyped-def]
            if not operand.dtype.is_bf16():
                return operand.data
            return (operand.data.astype(np.uint32) << 16).view(np.float32)

        product = np.matmul(widened(a), widened(b), dtype=np.float32)
        return interpreter.TensorHandle(product + d.data, d.dtype.scalar)

    interpreter.InterpreterBuilder.create_dot = dot


@pytest.fixture
def device() -> torch.device:
    return DEVICE
