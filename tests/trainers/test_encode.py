from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from grids import parts
from grids.trial import Trial
from trainers import make_model
from trainers.datasets.xysquares import XYSquares
from trainers.encode import BATCH_SIZES, encode
from trainers.models import VAE
from trainers.pixels import Pixels

MakeTrial = Callable[..., Trial]


@pytest.fixture
def model(small_trial: MakeTrial) -> VAE:
    return make_model(small_trial(), device="cpu")


@pytest.fixture
def dataset() -> XYSquares:
    return XYSquares(parts.XYSquares(grid_size=3, standardise=True))


def test_rows_are_cells_of_the_grid_with_the_last_factor_fastest(
    model: VAE, dataset: XYSquares
) -> None:
    dataset.evaluation_grid = ((0, 2), (1,), (0, 1, 2), (2,), (0,), (2, 0))
    codes = encode(model, dataset, device="cpu")
    factors = torch.tensor(list(itertools.product(*dataset.evaluation_grid)))
    with torch.no_grad():
        images = Pixels(dataset, torch.device("cpu")).to_float(
            dataset.images(factors, torch.zeros(len(factors), dtype=torch.int64))
        )
        mean, logvar = model.encode(images)
    assert codes.logvar is not None
    assert codes.mean.shape == codes.logvar.shape == (1, 12, 3)
    assert codes.mean.dtype == codes.logvar.dtype == np.float32
    np.testing.assert_allclose(codes.mean[0], mean, atol=1e-6)
    np.testing.assert_allclose(codes.logvar[0], logvar, atol=1e-6)


def test_the_whole_grid_is_encoded_whatever_the_batch_size(
    model: VAE, dataset: XYSquares, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = encode(model, dataset, device="cpu")
    assert codes.mean.shape == (1, 3**6, 3)
    assert len(np.unique(codes.mean[0], axis=0)) == 3**6
    monkeypatch.setitem(BATCH_SIZES, "cpu", 100)
    np.testing.assert_allclose(encode(model, dataset, device="cpu").mean, codes.mean, atol=1e-6)
    assert np.array_equal(encode(model, dataset, device="cpu").mean, codes.mean)


class Nuisances:
    """A data set with three draws of a nuisance: brighter images."""

    evaluation_draws = 3

    def __init__(self, dataset: XYSquares) -> None:
        self._dataset = dataset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def images(self, factors_BF: torch.Tensor, nuisance_B: torch.Tensor) -> torch.Tensor:
        images_BCHW = self._dataset.images(factors_BF, nuisance_B)
        return images_BCHW // (1 + nuisance_B[:, None, None, None]).to(torch.uint8)


# Of 1 and of 257 the last batch would be a single image, were it not filled.
@pytest.mark.parametrize("count", [1, 256, 257])
def test_rows_alone_have_the_codes_of_the_whole_grid_bit_for_bit(
    model: VAE, dataset: XYSquares, count: int
) -> None:
    several = Nuisances(dataset)
    whole = encode(model, several, device="cpu")
    rows = np.sort(np.random.default_rng(0).permutation(3 * 3**6)[:count])
    codes = encode(model, several, device="cpu", rows=rows)
    assert whole.logvar is not None and codes.logvar is not None
    assert codes.mean.shape == codes.logvar.shape == (count, 3)
    np.testing.assert_array_equal(codes.mean, whole.mean.reshape(-1, 3)[rows])
    np.testing.assert_array_equal(codes.logvar, whole.logvar.reshape(-1, 3)[rows])
    assert len(np.unique(whole.mean.reshape(-1, 3), axis=0)) == 3 * 3**6


@pytest.mark.parametrize("name", ["autoencoder", "pca", "ica"])
def test_codes_without_a_posterior_have_no_variances(
    trial_of: MakeTrial, dataset: XYSquares, name: str
) -> None:
    made = make_model(trial_of(name), device="cpu")
    codes = encode(made, dataset, device="cpu", posterior=False)
    assert codes.logvar is None
    assert codes.mean.shape == (1, 3**6, 3)
