"""Against torch's convolutions in float64; bfloat16 has 8 bits, and the interpreter truncates."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_input, conv2d_weight

convolution = pytest.importorskip("trainers.kernels.convolution")
Layer = convolution.Layer

BATCH = 3
ONE_ROUNDING = 2**-8
EXACT = 1e-6
LAYERS = {
    "grey images": Layer(16, 8, 1, 32, 4, 1),
    "colour images": Layer(16, 8, 3, 32, 4, 1),
    "padding 2": Layer(16, 9, 1, 32, 4, 2),
    "hidden": Layer(8, 4, 32, 64, 4, 1),
    "before dense": Layer(8, 4, 64, 64, 4, 1, small_flat=True),
    "odd, padding 2": Layer(9, 5, 32, 64, 4, 2, small_flat=True),
    "2x2": Layer(8, 4, 32, 64, 2, 0),
    "2x2 before dense": Layer(8, 4, 64, 64, 2, 0, small_flat=True),
}


def error(found: Tensor, expected: Tensor) -> float:
    difference = found.double().flatten() - expected.flatten()
    return float(difference.norm() / expected.norm())


class Case:
    """Operands of a layer as the kernels have them, and in float64 as torch has them."""

    def __init__(self, layer: Layer, device: torch.device) -> None:
        made = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=made).to(device, torch.bfloat16)

        self.layer = layer
        x = drawn(BATCH, layer.large, layer.large, layer.large_channels)
        y = drawn(BATCH, layer.small_channels, layer.small, layer.small)
        seen = drawn(*y.shape)
        self.weight = drawn(layer.small_channels, layer.kernel, layer.kernel, layer.large_channels)
        self.large_bias = drawn(layer.large_channels).float()
        self.small_bias = drawn(layer.small_channels).float()
        self.x = x.permute(0, 3, 1, 2).double()
        self.y, self.seen = y.double(), seen.double()
        self.w = self.weight.permute(0, 3, 1, 2).double()
        self.large = x
        self.kept = F.pad(x, (0, 1)) if layer.large_channels == 3 else x
        self.small, self.small_mask = (
            (of if layer.small_flat else of.permute(0, 2, 3, 1)).contiguous() for of in (y, seen)
        )

    def as_small(self, expected: Tensor) -> Tensor:
        return expected if self.layer.small_flat else expected.permute(0, 2, 3, 1)

    def down(self) -> Tensor:
        return F.conv2d(self.x, self.w, stride=2, padding=self.layer.padding)

    def up(self) -> Tensor:
        padding = self.layer.padding
        return conv2d_input(self.x.shape, self.w, self.y, stride=2, padding=padding)

    def weight_gradient(self) -> Tensor:
        padding = self.layer.padding
        return conv2d_weight(self.x, self.w.shape, self.y, stride=2, padding=padding)


@pytest.fixture(params=LAYERS)
def case(
    request: pytest.FixtureRequest, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> Case:
    # Parts as few as the interpreter is done with soon, tiles as those of a step of 256 images.
    tiles = {name: getattr(convolution, name) for name in ("_down_tiles", "_up_tiles")}
    for name, of in tiles.items():
        monkeypatch.setattr(
            convolution, name, lambda layer, rows, of=of, **of_use: of(layer, 2**16, **of_use)
        )
    parts = convolution._weight_tiles
    monkeypatch.setattr(
        convolution, "_weight_tiles", lambda layer, rows: (parts(layer, rows)[0], 4)
    )
    return Case(LAYERS[request.param], device)


def test_tiles_for_few_rows(device: torch.device) -> None:
    case = Case(LAYERS["hidden"], device)
    found = convolution.down_masked(case.layer, case.kept, case.weight, case.small_mask)
    assert error(found.gradient, case.as_small(case.down() * (case.seen > 0))) < ONE_ROUNDING
    weight, _ = gradients(case, case.small_bias, transposed=False)
    assert error(weight, case.weight_gradient()) < EXACT


def test_to_the_small_side(case: Case) -> None:
    found = convolution.down(case.layer, case.kept.float(), case.weight, case.small_bias)
    expected = F.relu(case.down() + case.small_bias.double()[:, None, None])
    assert found.dtype == torch.bfloat16
    assert error(found, case.as_small(expected)) < ONE_ROUNDING


def test_to_the_small_side_where_a_relu_let_through(case: Case) -> None:
    found = convolution.down_masked(case.layer, case.kept, case.weight, case.small_mask)
    expected = case.down() * (case.seen > 0)
    assert error(found.gradient, case.as_small(expected)) < ONE_ROUNDING
    assert error(found.sums.sum(dim=0), expected.sum(dim=(0, 2, 3))) < EXACT


@pytest.mark.parametrize("relu", [True, False])
def test_to_the_large_side(case: Case, relu: bool) -> None:
    found = convolution.up(
        case.layer, case.small, case.weight, case.large_bias, relu=relu, dtype=torch.float32
    )
    expected = case.up() + case.large_bias.double()[:, None, None]
    expected = F.relu(expected) if relu else expected
    assert error(found, expected.permute(0, 2, 3, 1)) < EXACT


@pytest.mark.parametrize("summed", [True, False])
def test_to_the_large_side_where_a_relu_let_through(case: Case, summed: bool) -> None:
    found = convolution.up_masked(case.layer, case.small, case.weight, case.large, summed=summed)
    expected = case.up() * (case.x > 0)
    assert error(found.gradient, expected.permute(0, 2, 3, 1)) < ONE_ROUNDING
    if summed:
        assert error(found.sums.sum(dim=0), expected.sum(dim=(0, 2, 3))) < EXACT
    else:
        assert found.sums is None


def gradients(case: Case, bias: Tensor, **options: object) -> tuple[Tensor, Tensor]:
    weight = torch.full_like(case.weight, torch.nan, dtype=torch.float32)
    bias = torch.full_like(bias, torch.nan)
    parts = convolution.weight_gradient(case.layer, case.kept, case.small, weight, bias, **options)
    convolution.add_up([parts])
    return weight.permute(0, 3, 1, 2), bias


def test_gradients_of_a_convolution(case: Case) -> None:
    weight, bias = gradients(case, case.small_bias, transposed=False)
    assert error(weight, case.weight_gradient()) < EXACT
    assert error(bias, case.y.sum(dim=(0, 2, 3))) < EXACT


@pytest.mark.parametrize("case", ["grey images", "colour images"], indirect=True)
def test_gradients_of_a_transposed_convolution_of_images(case: Case) -> None:
    weight, bias = gradients(case, case.large_bias, transposed=True)
    assert error(weight, case.weight_gradient()) < EXACT
    assert error(bias, case.x.sum(dim=(0, 2, 3))) < EXACT


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("case", ["hidden", "before dense", "2x2"], indirect=True)
def test_the_gradient_of_a_bias_from_sums_that_came_with_it(case: Case, transposed: bool) -> None:
    bias = case.large_bias if transposed else case.small_bias
    made = torch.Generator().manual_seed(1)
    sums = torch.randn(1500, len(bias), generator=made).to(bias.device)
    weight, bias = gradients(case, bias, transposed=transposed, sums=sums)
    assert error(weight, case.weight_gradient()) < EXACT
    assert error(bias, sums.double().sum(dim=0)) < EXACT


@pytest.mark.parametrize("case", ["grey images", "colour images"], indirect=True)
def test_what_an_images_layer_gives_times_a_number(case: Case) -> None:
    scale = torch.tensor(0.3, device=case.kept.device)
    expected = case.down() * (case.seen > 0) * 0.3
    found = convolution.down_masked(
        case.layer, case.kept, case.weight, case.small_mask, scale=scale
    )
    assert error(found.gradient, case.as_small(expected)) < ONE_ROUNDING
    assert error(found.sums.sum(dim=0), expected.sum(dim=(0, 2, 3))) < EXACT
    for transposed in (True, False):
        bias = case.large_bias if transposed else case.small_bias
        weight, bias = gradients(case, bias, transposed=transposed, scale=scale)
        assert error(weight, 0.3 * case.weight_gradient()) < EXACT
        side = case.x if transposed else case.y
        assert error(bias, 0.3 * side.sum(dim=(0, 2, 3))) < EXACT


def test_gradients_of_some_layers_are_those_of_each(device: torch.device) -> None:
    cases = [Case(LAYERS[name], device) for name in ("grey images", "hidden", "2x2 before dense")]

    def parts_of(case: Case) -> object:
        weight = torch.full_like(case.weight, torch.nan, dtype=torch.float32)
        bias = torch.full_like(case.small_bias, torch.nan)
        return convolution.weight_gradient(
            case.layer, case.kept, case.small, weight, bias, transposed=False
        )

    together, alone = [parts_of(case) for case in cases], [parts_of(case) for case in cases]
    convolution.add_up(together)
    for one in alone:
        convolution.add_up([one])
    for one, same in zip(together, alone, strict=True):
        assert torch.equal(one.weight, same.weight) and torch.equal(one.bias, same.bias)
