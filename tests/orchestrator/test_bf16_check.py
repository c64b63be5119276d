from __future__ import annotations

from typing import Any

from orchestrator.bf16_check import bf16_slowdown, slow_bf16


def test_a_slow_bfloat16_is_told_where_a_trial_asks_for_it(tiny_grid: Any) -> None:
    fp32 = tiny_grid().trials
    bf16 = tiny_grid(seeds="[0]\n  precision: [fp32, bf16]").trials
    assert slow_bf16(fp32, lambda: 9.0) is None
    assert slow_bf16(bf16, lambda: 0.7) is None
    line = slow_bf16(bf16, lambda: 4.0)
    assert line is not None and line.startswith("bf16 takes 4.0 times as long as fp32")


def test_it_is_measured_once_a_process() -> None:
    assert 0 < bf16_slowdown() == bf16_slowdown()
