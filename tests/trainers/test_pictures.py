from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers import make_dataset, make_model
from trainers.datasets.dataset import Dataset
from trainers.models import VAE
from trainers.pictures import pictures
from trainers.pixels import Pixels

MakeTrial = Callable[..., Trial]


class Perfect(VAE):
    """Remembers the images of codes 0, 1, 2, ... and shows other codes as their first latent."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Identity(), torch.nn.Identity(), latents=2)

    def code(self, images_BCHW: Tensor) -> Tensor:
        self.images = images_BCHW
        return torch.stack([torch.zeros(8), torch.ones(8)], dim=1)

    def decode(self, z_BZ: Tensor) -> Tensor:
        traversed = (0.5 + 0.1 * z_BZ[8:, 0] + 0.01 * z_BZ[8:, 1])[:, None, None, None]
        return torch.cat([self.images, traversed.expand(-1, *self.images.shape[1:])])


@pytest.mark.parametrize("name", parts.RECONSTRUCTIONS)
def test_shapes_and_types(small_trial: MakeTrial, name: str) -> None:
    trial = small_trial(dataset=parts.XYSquares(rgb=False))
    shown = pictures(
        make_model(trial, device="cpu"),
        make_dataset(trial.dataset),
        reconstruction=parts.RECONSTRUCTIONS[name](),
        device="cpu",
    )
    shapes = {name: array.shape for name, array in shown.items()}
    assert shapes == {
        "originals": (8, 1, 64, 64),
        "reconstructions": (8, 1, 64, 64),
        "traversals": (3, 7, 1, 64, 64),
    }
    assert all(array.dtype == np.uint8 for array in shown.values())


@pytest.mark.parametrize("standardise", [False, True])
def test_a_perfect_model_shows_the_originals(standardise: bool) -> None:
    dataset: Dataset = make_dataset(parts.XYSquares(standardise=standardise))
    shown = pictures(Perfect(), dataset, reconstruction=parts.MSE(), device="cpu")
    assert np.array_equal(shown["reconstructions"], shown["originals"])
    assert len(np.unique(shown["originals"].reshape(8, -1), axis=0)) == 8


def test_a_traversal_sets_one_latent_of_the_first_code() -> None:
    shown = pictures(
        Perfect(), make_dataset(parts.XYSquares()), reconstruction=parts.MSE(), device="cpu"
    )
    first, second = (255 * np.arange(-3, 4)) * 0.1, (255 * np.arange(-3, 4)) * 0.01
    expected = np.stack([255 * (0.5 + 0.01) + first, 255 * 0.5 + second]).round()
    np.testing.assert_allclose(shown["traversals"][:, :, 0, 5, 5], expected, atol=1)


def test_logits_are_shown_as_probabilities(small_trial: MakeTrial) -> None:
    trial = small_trial(dataset=parts.XYSquares(), reconstruction=parts.Bernoulli())
    model, dataset = make_model(trial, device="cpu"), make_dataset(trial.dataset)
    shown = pictures(model, dataset, reconstruction=parts.Bernoulli(), device="cpu")
    with torch.no_grad():
        images = torch.from_numpy(shown["originals"])
        mean, _ = model.encode(Pixels(dataset, torch.device("cpu")).to_float(images))
        expected = 255 / (1 + np.exp(-model.decode(mean).numpy()))
    np.testing.assert_allclose(shown["reconstructions"], expected, atol=0.51)
