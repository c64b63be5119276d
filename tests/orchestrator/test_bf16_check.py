from __future__ import annotations

from typing import Any

import pytest

from orchestrator import bf16_check
from orchestrator.bf16_check import bf16_slowdown, slow_bf16


def test_a_slow_bfloat16_is_told_where_a_trial_asks_for_it(tiny_grid: Any) -> None:
    fp32 = tiny_grid().trials
    bf16 = tiny_grid(seeds="[0]\n  precision: [fp32, bf16]").trials
    assert slow_bf16(fp32, lambda: 9.0) is None
    assert slow_bf16(bf16, lambda: 0.7) is None
    line = slow_bf16(bf16, lambda: 4.0)
    assert line is not None and line.startswith("bf16 took 4.0 times as long as fp32")


def test_it_is_measured_once_a_process() -> None:
    assert 0 < bf16_slowdown() == bf16_slowdown()


def test_what_runs_beside_a_measurement_is_no_reason_to_warn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = iter([2.5, 1.4, 0.6, 9.0])
    monkeypatch.setattr(bf16_check, "_measured_slowdown", lambda: next(measured))
    bf16_slowdown.cache_clear()
    assert bf16_slowdown() == 0.6
    bf16_slowdown.cache_clear()
