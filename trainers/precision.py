"""The arithmetic that a trial's precision names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Switches:
    """torch's switches are the process's: threads that want them alike hold them together, others
    wait. A thread that holds them may take them again, but not otherwise.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holders = 0
        self._fp32_precision: str | None = None
        self._before: tuple[str, str, bool, bool]

    def take(self, fp32_precision: str) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._fp32_precision in (None, fp32_precision))
            if not self._holders:
                self._before = self._set((fp32_precision, fp32_precision, True, False))
                self._fp32_precision = fp32_precision
            self._holders += 1

    def give_back(self) -> None:
        with self._changed:
            self._holders -= 1
            if not self._holders:
                self._set(self._before)
                self._fp32_precision = None
                self._changed.notify_all()

    @staticmethod
    def _set(values: tuple[str, str, bool, bool]) -> tuple[str, str, bool, bool]:
        """Says what was set before."""
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        convolution = cudnn.conv  # type: ignore[attr-defined]
        before = (
            matmul.fp32_precision,
            convolution.fp32_precision,
            cudnn.deterministic,
            cudnn.benchmark,
        )
        matmul.fp32_precision, convolution.fp32_precision = values[:2]
        cudnn.deterministic, cudnn.benchmark = values[2:]
        return before


_switches = _Switches()


@contextmanager
def kernels(precision: str) -> Iterator[None]:
    """On CUDA: single precision as IEEE has it (TensorFloat-32 where `precision` is tf32), and
    kernels that give the same bits every time, never chosen by timing. Put back afterwards.

    A thread that asks for the other arithmetic waits until those inside have left.
    """
    _switches.take("tf32" if precision == "tf32" else "ieee")
    try:
        yield
    finally:
        _switches.give_back()


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Where `precision` is bf16: convolutions and linear layers in bfloat16, weights in float32.

    Copies of the weights are not kept: torch keeps them for all threads in one place.
    """
    return torch.autocast(
        device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False
    )
