"""The halves of the networks against their own modules in float64."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import OBJECTIVES, gaussian, make_model
from trainers.models.vae import VAE
from trainers.objectives.step import Step

fused = pytest.importorskip("trainers.models.fused")

GREY = {"rgb": False}
SMALL = {"image_size": 32, "square_size": 4, "spacing": 4}
# The interpreter takes half a minute for images of 64x64.
CASES = [
    pytest.param("conv_burgess", GREY | SMALL, id="small"),
    *(
        pytest.param(name, images, id=name, marks=pytest.mark.slow)
        for name, images in {
            "conv64": {},
            "conv64_disent": GREY,
            "conv_locatello": {},
            "conv_burgess": {},
            "conv_song": GREY,
        }.items()
    ),
]
ROUNDINGS = 0.02
MASKS_FLIPPED = 0.25
"""What is next to zero is let through by one and not by the other."""


def error(found: Tensor, expected: Tensor) -> float:
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(("name", "images_of"), CASES)
def test_both_halves_and_their_gradients(
    small_trial: Callable[..., Trial], device: torch.device, name: str, images_of: dict[str, Any]
) -> None:
    dataset = parts.XYSquares(grid_size=2, **images_of)
    trial = small_trial(dataset=dataset, model=parts.MODELS[name]())
    channels, side, _ = dataset.image_shape
    model, reference = make_model(trial, device=device), make_model(trial, device=device).double()
    part = parts.Adam()
    optimizer = fused.fuse(model, side, part, part.lr)
    with torch.no_grad():
        for parameter, same in zip(model.parameters(), reference.parameters(), strict=True):
            rounded = optimizer.copies[parameter] if parameter.dim() > 1 else parameter
            same.copy_(rounded)
    made = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=made).to(device)

    images = drawn(4, channels, side, side).bfloat16().float()
    images = images.contiguous(memory_format=torch.channels_last)
    code, same_code = drawn(4, 3).requires_grad_(), drawn(4, 3)
    same_code = code.detach().double().requires_grad_()
    assert model.fused is not None
    head, output = model.fused.encode(images), model.fused.decode(code)
    expected_head = reference.encoder(images.double())
    expected_output = reference.decoder(same_code)
    assert head.dtype == output.dtype == torch.float32
    assert error(head, expected_head) < ROUNDINGS
    assert error(output, expected_output) < ROUNDINGS

    given_head, given_output = drawn(*head.shape), drawn(*output.shape)
    ((head * given_head).sum() + (output * given_output).sum()).backward()
    ((expected_head * given_head).sum() + (expected_output * given_output).sum()).backward()
    assert code.grad is not None and same_code.grad is not None
    assert error(code.grad, same_code.grad) < MASKS_FLIPPED
    for parameter, same in zip(model.parameters(), reference.parameters(), strict=True):
        assert parameter.grad is not None and same.grad is not None
        assert parameter.grad.dtype == torch.float32
        assert error(parameter.grad, same.grad) < MASKS_FLIPPED
    assert len(optimizer._runs()) == 2


@pytest.mark.parametrize("model", [parts.MLPHiggins(), parts.LinearModel()])
def test_other_networks_are_left_to_torch(
    small_trial: Callable[..., Trial], model: parts.Model
) -> None:
    assert not fused.fusible(make_model(small_trial(model=model), device="cpu"), images=4)


def test_a_step_whose_offsets_leave_32_bits_is_left_to_torch(
    small_trial: Callable[..., Trial],
) -> None:
    model = make_model(small_trial(), device="cpu")
    assert fused.fusible(model, images=61_000)
    assert not fused.fusible(model, images=65_536)


# The interpreter takes some ten seconds for each.
ALL = [
    (framework, reconstruction, rgb)
    for framework in (
        parts.BetaVAE(),
        parts.AdaGVAE(),
        parts.AdaGVAE(averaging="disent_0_5", divergence="forward"),
        parts.AdaMLVAE(),
        parts.AdaGVAE(divergence="sampled_distance"),
        parts.Autoencoder(),
        parts.BetaTCVAE(),
        parts.DIPVAEI(),
    )
    for reconstruction in (parts.MSE(), parts.Bernoulli())
    for rgb in (True, False)
]
QUICK = [
    (parts.BetaVAE(), parts.MSE(), True),
    (parts.AdaGVAE(), parts.Bernoulli(), False),
]


def torchs_sample(mean: Tensor, logvar: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    kl = gaussian.kl_from_standard_normal(mean, logvar).mean(dim=0)
    return gaussian.sample(mean, logvar, noise), kl


def torchs_average(framework: Any) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    def averaged(mean: Tensor, logvar: Tensor, *_: object) -> tuple[Tensor, Tensor, Tensor]:
        mean, logvar, shared = ada_vae.averaged(mean, logvar, torch.empty(0), framework)
        return mean, logvar, shared.sum(dim=1).float().mean()

    ada_vae = importlib.import_module("trainers.objectives.ada_vae")
    return averaged


@pytest.mark.parametrize(
    ("framework", "reconstruction", "rgb"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow) for case in ALL],
)
def test_objectives_are_those_of_torch_on_the_same_halves(
    small_trial: Callable[..., Trial],
    device: torch.device,
    monkeypatch: pytest.MonkeyPatch,
    framework: parts.Framework,
    reconstruction: parts.Reconstruction,
    rgb: bool,
) -> None:
    # In use without the autocast of a GPU, which there is not everywhere.
    monkeypatch.setattr(VAE, "fused_in_use", property(lambda model: model.fused))
    trial = small_trial(
        dataset=parts.XYSquares(grid_size=2, **(SMALL | {"rgb": rgb})),
        model=parts.ConvBurgess(),
        framework=framework,
        reconstruction=reconstruction,
        beta=0.5 if framework.conventions else None,
        beta_convention="sum" if isinstance(framework, parts.BetaTCVAE) else "mean",
    )
    model, part = make_model(trial, device=device), parts.Adam()
    fused.fuse(model, 32, part, part.lr)
    made = torch.Generator().manual_seed(0)
    images = torch.rand(4, 3 if rgb else 1, 32, 32, generator=made).to(device)
    images = images.contiguous(memory_format=torch.channels_last)
    noise = torch.randn(4, trial.latents, generator=made).to(device)
    step = Step(images, noise, torch.zeros((), dtype=torch.int64, device=device), 0.5)

    def found() -> list[Tensor]:
        terms = OBJECTIVES[framework.name](model, step, trial)
        terms.loss.backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        model.zero_grad()
        return [terms.loss, terms.reconstruction_per_image, *terms.own.values(), *gradients]

    ours = found()
    monkeypatch.setattr(
        importlib.import_module("trainers.objectives.evidence"), "DECODED_LOSSES", {}
    )
    monkeypatch.setattr(fused.FusedHalves, "sample", staticmethod(torchs_sample))
    monkeypatch.setattr(fused.FusedHalves, "averaged", staticmethod(torchs_average(framework)))
    for our, expected in zip(ours, found(), strict=True):
        assert error(our, expected) < ROUNDINGS
