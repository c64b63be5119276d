from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from grids import parts
from trainers import make_dataset
from trainers.pixels import Pixels


def all_bytes() -> Tensor:
    return torch.arange(256, dtype=torch.uint8).repeat(3).view(1, 3, 16, 16)


def pixels(standardise: bool) -> Pixels:
    return Pixels(make_dataset(parts.XYSquares(standardise=standardise)), torch.device("cpu"))


def test_bytes_become_numbers_from_zero_to_one() -> None:
    values = pixels(standardise=False).to_float(all_bytes())
    assert values.dtype == torch.float32
    assert torch.equal(values, all_bytes() / 255)


def test_standardised_bytes_have_the_mean_subtracted_and_the_std_divided_out() -> None:
    values = pixels(standardise=True).to_float(all_bytes()).numpy()
    expected = (all_bytes().numpy() / 255 - 0.015625) / 0.124034734589209
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("standardise", [False, True])
def test_bytes_come_back(standardise: bool) -> None:
    scale = pixels(standardise)
    assert torch.equal(scale.to_bytes(scale.to_float(all_bytes())), all_bytes())


def test_what_lies_outside_the_bytes_is_clipped() -> None:
    outside = torch.tensor([-0.5, 1.5]).view(2, 1, 1, 1).expand(2, 3, 1, 1)
    assert pixels(standardise=False).to_bytes(outside)[:, 0].flatten().tolist() == [0, 255]


def test_the_memory_format_is_kept() -> None:
    images = all_bytes().contiguous(memory_format=torch.channels_last)
    values = pixels(standardise=True).to_float(images)
    assert values.is_contiguous(memory_format=torch.channels_last)
