from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from grids import datasets as sets
from trainers.datasets.nuisance_dsprites import NuisanceDSprites, color, noisy, scream

MANY = 400
FACTORS = torch.tensor([[1, 2, 3, 4, 5]])


class Bars:
    """A stand-in for dSprites: position x is the width of a bar from the left."""

    fingerprint = "bars"

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        columns = torch.arange(64)
        inside = columns[None, :] < factors_BF[:, 3:4] + 1
        return (inside[:, None, None, :].expand(-1, 1, 64, 64).to(torch.uint8) * 255).clone()


def dataset(nuisance: Any, rule: str = "rule") -> NuisanceDSprites:
    return NuisanceDSprites(sets.ColorDSprites(), Bars(), nuisance, rule)  # type: ignore[arg-type]


def draws(nuisance: Any, cell: Tensor = FACTORS, first: int = 0) -> npt.NDArray[np.float64]:
    """MANY draws of one cell, [MANY, 64, 64, 3] in [0, 1]."""
    numbers = torch.arange(first, first + MANY)
    images = dataset(nuisance).images(cell.expand(MANY, -1), numbers)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    return images.permute(0, 2, 3, 1).numpy().astype(np.float64) / 255


def is_uniform(values: npt.NDArray[np.float64], low: float, high: float) -> bool:
    """Within the range, and no sixteenth off by more than five standard errors."""
    counts, _ = np.histogram(values, bins=16, range=(low, high))
    error = np.sqrt(values.size * 15) / 16
    inside = values.min() >= low - 1e-6 and values.max() <= high + 1e-6
    return bool(inside and np.all(np.abs(counts - values.size / 16) < 5 * error))


def test_color_is_one_bright_colour_an_image_on_black() -> None:
    images = draws(color)
    sprite, background = images[:, :, :5], images[:, :, 5:]
    assert np.all(background == 0)
    assert np.all(sprite == sprite[:, :1, :1])
    colors = sprite[:, 0, 0]
    assert is_uniform(colors, 0.5, 1.0)
    assert np.all(np.abs(np.corrcoef(colors.T) - np.eye(3)) < 0.25)


def test_noisy_is_a_white_sprite_on_noise_of_every_pixel_and_channel() -> None:
    images = draws(noisy)
    assert np.all(images[:, :, :5] == 1)
    background = images[:40, :, 5:]
    assert is_uniform(background.ravel(), 0.0, 1.0)
    for axis in (1, 2, 3):  # neighbours know nothing of each other
        ahead = np.take(background, range(1, background.shape[axis]), axis).ravel()
        behind = np.take(background, range(background.shape[axis] - 1), axis).ravel()
        assert abs(np.corrcoef(ahead, behind)[0, 1]) < 0.01


def by_definition(
    painting: npt.NDArray[np.uint8], row: int, column: int, tint: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    crop = painting[row : row + 64, column : column + 64] / 255
    background = (crop + tint) / 2
    inside = np.zeros((64, 64, 1), dtype=bool)
    inside[:, :5] = True
    return np.where(inside, 1 - background, background)


def test_scream_inverts_a_tinted_crop() -> None:
    rng = np.random.default_rng(0)
    painting = rng.integers(0, 256, (70, 66, 3), dtype=np.uint8)
    images = draws(lambda s, n: scream(s, n, torch.from_numpy(painting)))
    places, tints = set(), []
    for image in images:
        # The tint is the same for all pixels: at the right place the rest is constant.
        found = [
            (row, column, tint[0, 0])
            for row in range(7)
            for column in range(3)
            for crop in [painting[row : row + 64, column + 5 : column + 64] / 255]
            for tint in [2 * image[:, 5:] - crop]
            if np.ptp(tint[..., 0]) < 1e-5
        ]
        [(row, column, tint)] = found
        np.testing.assert_allclose(image, by_definition(painting, row, column, tint), atol=1e-5)
        places.add((row, column))
        tints.append(tint)
    # The last row and column of places is never drawn, as numpy's bound is exclusive.
    assert places == {(row, column) for row in range(6) for column in range(2)}
    assert is_uniform(np.array(tints).ravel(), 0.0, 1.0)


@pytest.mark.parametrize("nuisance", [color, noisy])
def test_an_image_follows_from_its_cell_and_draw_alone(nuisance: Any) -> None:
    one = draws(nuisance)
    np.testing.assert_array_equal(one, draws(nuisance))
    np.testing.assert_array_equal(one[7:], draws(nuisance, first=7)[:-7])
    other_cell = draws(nuisance, torch.tensor([[1, 2, 3, 4, 6]]))
    assert not np.any(np.all(one == other_cell, axis=(1, 2, 3)))
    assert len(np.unique(one.reshape(MANY, -1), axis=0)) == MANY


def test_the_largest_draw_and_the_last_cell_can_be_had() -> None:
    last = torch.tensor([[2, 5, 39, 31, 31]])
    images = dataset(color).images(last, torch.tensor([sets.RANDOM_NUISANCES - 1]))
    assert torch.isfinite(images).all()


def test_the_fingerprint_is_of_the_sprites_and_the_rule() -> None:
    prints = {dataset(color, rule).fingerprint for rule in ("color", "noisy")}
    assert len(prints) == 2 and all(len(value) == 64 for value in prints)
