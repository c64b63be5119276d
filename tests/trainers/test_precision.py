from __future__ import annotations

import pytest
import torch

from trainers.precision import autocast, kernels


def flags() -> tuple[object, ...]:
    cudnn = torch.backends.cudnn
    return (
        torch.backends.cuda.matmul.fp32_precision,
        cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        cudnn.deterministic,
        cudnn.benchmark,
    )


@pytest.mark.parametrize(
    ("precision", "single"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")]
)
def test_kernels_are_set_and_put_back(
    precision: str, single: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = flags()
    with pytest.raises(KeyError), kernels(precision):
        assert flags() == (single, single, True, False)
        raise KeyError
    assert flags() == before


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16)],
)
def test_autocast_is_for_bf16_alone(precision: str, dtype: torch.dtype) -> None:
    with autocast(precision, torch.device("cpu")):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == dtype
