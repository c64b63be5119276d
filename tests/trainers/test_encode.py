from __future__ import annotations

import itertools
from collections.abc import Callable

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


@pytest.mark.parametrize("name", ["autoencoder", "pca", "ica"])
def test_codes_without_a_posterior_have_no_variances(
    trial_of: MakeTrial, dataset: XYSquares, name: str
) -> None:
    made = make_model(trial_of(name), device="cpu")
    codes = encode(made, dataset, device="cpu", posterior=False)
    assert codes.logvar is None
    assert codes.mean.shape == (1, 3**6, 3)
