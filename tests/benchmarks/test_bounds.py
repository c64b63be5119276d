"""The lower bounds of a step, against arithmetic done by hand for an H200.

4.3 TB/s and 790 TFLOP/s, batches of 256: the floors of another calculation of the same network.
"""

from __future__ import annotations

import pytest

from benchmarks.bounds import (
    Rates,
    conv64_layers,
    layerwise_seconds,
    step_bounds,
    step_operations,
)

H200 = Rates(bytes_per_second=4.3e12, flops_per_second=790e12)


@pytest.mark.parametrize(
    ("channels", "pairs", "layerwise_us", "flops_us"),
    [(1, False, 82.4, 31.3), (3, False, 86.8, 34.7), (1, True, 158, 62.5), (3, True, 167, 69.3)],
)
def test_floors_of_conv64(channels: int, pairs: bool, layerwise_us: float, flops_us: float) -> None:
    operations = step_operations(conv64_layers(channels, 9), 512 if pairs else 256)
    digits = 0 if pairs else 1
    assert round(1e6 * layerwise_seconds(operations, H200), digits) == layerwise_us
    flops, moved_bytes = step_bounds(channels, 9, 256, pairs)
    assert round(1e6 * flops / H200.flops_per_second, 1) == flops_us
    assert 1e6 * moved_bytes / H200.bytes_per_second == pytest.approx(layerwise_us, rel=3e-3)


@pytest.mark.parametrize(
    ("channels", "latents", "parameters", "million_multiply_adds"),
    [(1, 9, 763_475, 16.26), (1, 25, 775_795, 16.27), (3, 9, 765_525, 18.36)],
)
def test_the_layers_of_conv64(
    channels: int, latents: int, parameters: int, million_multiply_adds: float
) -> None:
    layers = conv64_layers(channels, latents)
    assert sum(layer.parameters for layer in layers) == parameters
    assert round(sum(layer.multiply_adds for layer in layers) / 1e6, 2) == million_multiply_adds
