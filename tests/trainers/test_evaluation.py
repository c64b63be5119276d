from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from grids import parts
from grids.trial import Trial
from trainers import make_model
from trainers.datasets.xysquares import XYSquares
from trainers.encode import encode_sample, encode_votes
from trainers.evaluation import BATCH_SIZE, evaluate, evaluation_images
from trainers.models import VAE
from trainers.pixels import Pixels

MakeTrial = Callable[..., Trial]
CPU = torch.device("cpu")


@pytest.fixture
def dataset() -> XYSquares:
    return XYSquares(parts.XYSquares(grid_size=2, standardise=True))


def drawn(dataset: XYSquares, images: int) -> torch.Tensor:
    return torch.cat(list(evaluation_images(dataset, images, CPU)))


def test_images_follow_from_the_dataset_and_more_of_them_begin_with_the_same(
    dataset: XYSquares,
) -> None:
    many = drawn(dataset, 3 * BATCH_SIZE)
    assert torch.equal(many[: 2 * BATCH_SIZE], drawn(dataset, 2 * BATCH_SIZE))
    different = {image.numpy().tobytes() for image in many}
    # Of 64 images each is missed by 300 draws with probability .009.
    assert len(different) >= 60


def test_kl_is_the_closed_form_and_a_trained_scale_is_undone(
    small_trial: MakeTrial, dataset: XYSquares
) -> None:
    trial = small_trial()
    model = make_model(trial, device="cpu")
    found = evaluate(model, dataset, trial, images=2 * BATCH_SIZE, device="cpu")
    codes = encode_sample(model, dataset, images=2 * BATCH_SIZE, device="cpu")
    assert codes.logvar is not None
    mean, logvar = codes.mean[0].astype(np.float64), codes.logvar[0].astype(np.float64)
    kl = 0.5 * (mean**2 + np.exp(logvar) - logvar - 1).mean(axis=0)
    assert found.kl_nats_by_latent is not None
    np.testing.assert_allclose(found.kl_nats_by_latent, kl, rtol=1e-4, atol=1e-7)
    assert found.images == 2 * BATCH_SIZE
    assert found == evaluate(model, dataset, trial, images=2 * BATCH_SIZE, device="cpu")


@pytest.mark.parametrize(
    "loss", [parts.MSE(), parts.Bernoulli(), parts.Gaussian(sigma=0.5)], ids=lambda loss: loss.name
)
def test_reconstruction_is_the_loss_of_an_image_from_a_sample(
    small_trial: MakeTrial, loss: parts.Reconstruction
) -> None:
    """A decoder that ignores its code has one reconstruction, whatever is sampled."""
    trial = small_trial(
        reconstruction=loss,
        dataset=parts.XYSquares(grid_size=2),
        beta_convention="sum",
    )
    dataset = XYSquares(parts.XYSquares(grid_size=2))
    model = make_model(trial, device="cpu")
    last = [p for p in model.decoder.parameters()][-2:]
    for parameter in last:
        torch.nn.init.zeros_(parameter)
    images = drawn(dataset, BATCH_SIZE).numpy().astype(np.float64) / 255
    expected = {
        "mse": (images**2).sum(axis=(1, 2, 3)).mean(),
        "bernoulli": math.log(2) * 3 * 64 * 64,
        "gaussian": (images**2 / (2 * 0.25) + math.log(0.5) + 0.5 * math.log(2 * math.pi))
        .sum(axis=(1, 2, 3))
        .mean(),
    }
    found = evaluate(model, dataset, trial, images=BATCH_SIZE, device="cpu")
    assert found.reconstruction_per_image == pytest.approx(expected[loss.name], rel=1e-5)


def test_samples_of_the_posterior_are_reconstructed_not_its_mean(
    small_trial: MakeTrial, dataset: XYSquares
) -> None:
    trial = small_trial()
    model = make_model(trial, device="cpu")
    sampled = evaluate(model, dataset, trial, images=BATCH_SIZE, device="cpu")
    images = Pixels(dataset, CPU).to_float(drawn(dataset, BATCH_SIZE))
    with torch.no_grad():
        of_means = (model.decode(model.code(images)) - images).square().sum() / BATCH_SIZE
    assert sampled.reconstruction_per_image != pytest.approx(float(of_means), rel=1e-6)


def test_without_a_posterior_there_is_no_kl(trial_of: MakeTrial, dataset: XYSquares) -> None:
    trial = trial_of("autoencoder")
    model = make_model(trial, device="cpu")
    found = evaluate(model, dataset, trial, images=BATCH_SIZE, device="cpu")
    assert found.kl_nats_by_latent is None and math.isfinite(found.reconstruction_per_image)


def test_votes_are_encoded_image_by_image(small_trial: MakeTrial, dataset: XYSquares) -> None:
    model: VAE = make_model(small_trial(), device="cpu")
    images = drawn(dataset, BATCH_SIZE)
    codes = encode_votes(model, dataset, images.view(5, 20, *images.shape[1:]), device="cpu")
    assert codes.mean.shape == (5, 20, 3) and codes.logvar is not None
    with torch.no_grad():
        mean, logvar = model.encode(Pixels(dataset, CPU).to_float(images))
    np.testing.assert_allclose(codes.mean.reshape(100, 3), mean, atol=1e-6)
    np.testing.assert_allclose(codes.logvar.reshape(100, 3), logvar, atol=1e-6)
