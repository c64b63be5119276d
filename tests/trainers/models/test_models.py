from __future__ import annotations

import pytest
import torch
from torch import nn

from grids import parts
from trainers.models import MODELS

SIZES = {
    name: (part.image_sizes if part.image_sizes is not None else (32, 64))
    for name, part in parts.MODELS.items()
}
TAKEN = [(name, size) for name, sizes in SIZES.items() for size in sizes]


def conv(before: int, after: int, kernel: int = 4) -> int:
    return before * after * kernel * kernel + after


def upconv(before: int, after: int) -> int:
    return conv(before, after)


def dense(*widths: int) -> int:
    return sum(before * after + after for before, after in zip(widths, widths[1:], strict=False))


def counted(name: str, c: int, size: int, z: int, head: int) -> int:
    """Parameters from the layers' shapes in the papers' tables."""
    back_64 = upconv(64, 64) + upconv(64, 32) + upconv(32, 32) + upconv(32, c)
    n = c * size * size
    match name:
        case "conv64":
            there = conv(c, 32) + conv(32, 32) + conv(32, 64) + conv(64, 64)
            return there + dense(1024, 256, head) + dense(z, 256, 1024) + back_64
        case "conv64_disent":
            there = conv(c, 32) + conv(32, 32) + conv(32, 64) + conv(64, 64)
            return there + dense(1600, 256, head) + dense(z, 256, 1024) + back_64
        case "conv_locatello":
            there = conv(c, 32) + conv(32, 32) + conv(32, 64, 2) + conv(64, 64, 2)
            return there + dense(1024, 256, head) + dense(z, 256, 1024) + back_64
        case "mlp_higgins":
            return dense(n, 1200, 1200, head) + dense(z, 1200, 1200, 1200, n)
        case "conv_burgess":
            layers = 4 if size == 64 else 3
            there = conv(c, 32) + (layers - 1) * conv(32, 32)
            back = (layers - 1) * upconv(32, 32) + upconv(32, c)
            return there + dense(512, 256, 256, head) + dense(z, 256, 256, 512) + back
        case "conv_song":
            there = conv(c, 32) + 3 * conv(32, 32)
            back = 3 * upconv(32, 32) + upconv(32, c)
            return there + dense(512, 256, 256, head) + dense(z, 256, 512) + back
        case _:
            return dense(n, head) + dense(z, n)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("name", "size"), TAKEN)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("latents", [9, 25])
def test_networks_have_the_parameters_of_their_tables(
    name: str, size: int, channels: int, latents: int
) -> None:
    for head in (latents, 2 * latents):  # of an autoencoder, of a posterior
        with torch.device("meta"):
            model = MODELS[name].make((channels, size, size), latents, head)
        assert count(model) == counted(name, channels, size, latents, head)


# Michlo et al. 2023, supplement, table 3, counted by hand.
@pytest.mark.parametrize(
    ("channels", "latents", "parameters"),
    [(1, 9, 763_475), (1, 25, 775_795), (3, 9, 765_525), (3, 25, 777_845)],
)
def test_conv64_has_the_parameters_of_michlo(channels: int, latents: int, parameters: int) -> None:
    model = MODELS["conv64"].make((channels, 64, 64), latents, 2 * latents)
    assert count(model) == parameters


@pytest.mark.parametrize(("name", "size"), TAKEN)
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes(name: str, size: int, channels: int) -> None:
    shape = (channels, size, size)
    images = torch.rand(2, *shape)
    model = MODELS[name].make(shape, 5, 10)
    mean, logvar = model.encode(images)
    assert mean.shape == logvar.shape == (2, 5)
    assert torch.equal(model.code(images), mean)
    assert model.decode(mean).shape == (2, *shape)
    autoencoder = MODELS[name].make(shape, 5, 5)
    code = autoencoder.code(images)
    assert code.shape == (2, 5)
    assert autoencoder.decode(code).shape == (2, *shape)


@pytest.mark.parametrize("name", ["mlp_higgins", "linear"])
def test_networks_without_convolutions_take_any_image(name: str) -> None:
    model = MODELS[name].make((3, 5, 7), 2, 4)
    assert model.decode(model.code(torch.rand(4, 3, 5, 7))).shape == (4, 3, 5, 7)


@pytest.mark.parametrize("name", [name for name, part in parts.MODELS.items() if part.image_sizes])
def test_another_image_size_is_refused(name: str) -> None:
    sizes = parts.MODELS[name].image_sizes
    assert sizes is not None
    squares = {(side, side) for side in (16, 32, 48, 63, 65, 128)} - {(s, s) for s in sizes}
    taken = " or ".join(f"{side}x{side}" for side in sizes)
    for height, width in {(32, 64), (64, 32)} | squares:
        message = f"^this model takes {taken} images, not {height}x{width}$"
        with pytest.raises(ValueError, match=message):
            MODELS[name].make((3, height, width), 9, 18)


def test_every_network_of_a_grid_is_implemented() -> None:
    assert MODELS.keys() == parts.MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_activations_are_those_of_the_tables_and_outputs_are_linear(name: str) -> None:
    size = SIZES[name][0]
    model = MODELS[name].make((1, size, size), 2, 4)
    used = [
        {type(m) for m in half.modules() if isinstance(m, nn.ReLU | nn.Tanh | nn.Sigmoid)}
        for half in (model.encoder, model.decoder)
    ]
    if name == "linear":
        assert used == [set(), set()]
    else:
        assert used == [{nn.ReLU}, {nn.Tanh if name == "mlp_higgins" else nn.ReLU}]
    # Moving the bias of either half's last layer by 1 moves all that it gives by 1.
    z, images = torch.zeros(1, 2), torch.zeros(1, 1, size, size)
    with torch.no_grad():
        for half, given in ((model.encoder, images), (model.decoder, z)):
            before = half(given)
            biases = [value for key, value in half.named_parameters() if key.endswith("bias")]
            biases[-1].sub_(1)
            torch.testing.assert_close(half(given), before - 1)


@pytest.mark.parametrize(("name", "size"), TAKEN)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_plan_knows_about_how_many_parameters_there_are(
    name: str, size: int, channels: int
) -> None:
    model = MODELS[name].make((channels, size, size), 25, 50)
    about = parts.MODELS[name].parameters(channels * size * size, 25)
    assert about == pytest.approx(sum(p.numel() for p in model.parameters()), rel=0.2)


def test_the_head_is_split_in_halves() -> None:
    model = MODELS["conv64"].make((1, 64, 64), 3, 6)
    head = list(model.encoder.modules())[-1]
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.copy_(torch.arange(6.0))
    mean, logvar = model.encode(torch.zeros(1, 1, 64, 64))
    assert mean.tolist() == [[0, 1, 2]]
    assert logvar.tolist() == [[3, 4, 5]]


def test_locatellos_last_two_convolutions_have_2x2_kernels() -> None:
    kernels = {
        name: [
            m.kernel_size
            for m in MODELS[name].make((1, 64, 64), 3, 6).encoder.modules()
            if isinstance(m, nn.Conv2d)
        ]
        for name in ("conv64", "conv_locatello")
    }
    assert kernels == {"conv64": [(4, 4)] * 4, "conv_locatello": [(4, 4)] * 2 + [(2, 2)] * 2}


def test_outputs_are_float32_under_autocast_and_float64_in_float64() -> None:
    model = MODELS["conv64"].make((1, 64, 64), 2, 4)
    with torch.autocast("cpu", torch.bfloat16):
        mean, logvar = model.encode(torch.rand(2, 1, 64, 64))
        assert mean.dtype == logvar.dtype == model.decode(mean).dtype == torch.float32
        assert model.code(torch.rand(2, 1, 64, 64)).dtype == torch.float32
    mean, _ = model.double().encode(torch.rand(2, 1, 64, 64, dtype=torch.float64))
    assert mean.dtype == model.decode(mean).dtype == torch.float64
