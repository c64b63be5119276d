from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

dense = pytest.importorskip("trainers.kernels.dense")

EXACT = 1e-6


def error(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(40, 200, 33), (33, 9, 64), (8, 70, 18)])
@pytest.mark.parametrize("relu", [True, False])
def test_a_layer_and_its_gradients(
    device: torch.device, rows: int, inputs: int, outputs: int, relu: bool
) -> None:
    made = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made).to(device, torch.bfloat16)

    x, w, dy = drawn(rows, inputs), drawn(outputs, inputs), drawn(rows, outputs)
    bias = drawn(outputs).float()
    y = dense.forward(x.float(), w, bias, relu=relu, dtype=torch.float32)
    expected = x.double() @ w.double().T + bias.double()
    assert error(y, F.relu(expected) if relu else expected) < EXACT

    dx = dense.input_gradient(dy.float(), w, mask_BI=x if relu else None, dtype=torch.float32)
    expected = dy.double() @ w.double()
    assert error(dx, expected * (x > 0) if relu else expected) < EXACT

    dw = torch.full((outputs, inputs), torch.nan, device=device)
    db = torch.full((outputs,), torch.nan, device=device)
    dense.weight_gradient(dy, x, dw, db)
    assert error(dw, dy.double().T @ x.double()) < EXACT
    assert error(db, dy.double().sum(dim=0)) < EXACT
