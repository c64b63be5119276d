from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
import torch

from grids import datasets as sets
from grids import parts
from trainers import make_dataset
from trainers.box_blur import box_blur, mse_boxblur
from trainers.reconstruction import reconstruction_of

Array = npt.NDArray[np.float64]

# Derived by hand from the definition: raw pixels of XYSquares with 8 positions, one x factor moved
# by 1..7 steps, all ordered pairs and all 8 rows: mean squared error, mean weighted blur term,
# mean and sd of the total, its mean by displacement, correlation with the displacement.
ORACLE = {
    8: (
        0.0104167,
        0.0851307,
        (0.0955473, 0.0584436),
        (0.03182, 0.06359, 0.09566, 0.12824, 0.15927, 0.19031, 0.22134),
        0.9416,
    ),
    4: (
        0.0091146,
        0.0449899,
        (0.0541045, 0.0344419),
        (0.01311, 0.03575, 0.05499, 0.07464, 0.09377, 0.11192, 0.13007),
        0.9908,
    ),
    1: (
        0.0039063,
        0.0070077,
        (0.0109140, 0.0089506),
        (0.00200, 0.00525, 0.00959, 0.01486, 0.02092, 0.02759, 0.03473),
        0.9903,
    ),
}


def by_definition(image: Array, radius: int) -> Array:
    """Window means, zeros outside, pixel by pixel."""
    blurred = np.zeros_like(image)
    height, width = image.shape
    for row, column in itertools.product(range(height), range(width)):
        window = image[
            max(0, row - radius) : row + radius + 1, max(0, column - radius) : column + radius + 1
        ]
        blurred[row, column] = window.sum() / (2 * radius + 1) ** 2
    return blurred


@pytest.mark.parametrize("radius", [1, 3, 40])
def test_the_blur_is_its_definition(radius: int) -> None:
    image = np.random.default_rng(0).normal(size=(11, 14))
    blurred = box_blur(torch.from_numpy(image)[None, None], radius)[0, 0].numpy()
    np.testing.assert_allclose(blurred, by_definition(image, radius), atol=1e-14)


@pytest.mark.parametrize("spacing", ORACLE)
def test_the_loss_of_a_moved_square_is_that_of_the_table(spacing: int) -> None:
    plain, blurred, (mean, sd), by_displacement, correlation = ORACLE[spacing]
    dataset = make_dataset(sets.XYSquares(spacing=spacing))
    factors = torch.full((64, 6), 3)
    factors[:, 0], factors[:, 1] = torch.arange(8).repeat(8), torch.arange(8).repeat_interleave(8)
    images = dataset.images(factors, torch.zeros(64, dtype=torch.int64)).double() / 255
    rows = images.view(8, 8, 3, 64, 64)  # [y, x]
    first, second = zip(*itertools.permutations(range(8), 2), strict=True)
    moved = np.abs(np.subtract(first, second))
    a, b = rows[:, list(first)], rows[:, list(second)]
    pairs = zip(a.flatten(0, 1), b.flatten(0, 1), strict=True)
    sums = [float(mse_boxblur(one, other, radius=31, weight=3969.0)) for one, other in pairs]
    total = np.reshape(sums, a.shape[:2]) / a[0, 0].numel()
    squared = (a - b).square().mean(dim=(2, 3, 4)).numpy()
    assert squared.mean() == pytest.approx(plain, abs=6e-8)
    assert (total - squared).mean() == pytest.approx(blurred, abs=6e-8)
    assert (total.mean(), total.std()) == pytest.approx((mean, sd), abs=6e-8)
    found = [total[:, moved == step].mean() for step in range(1, 8)]
    assert found == pytest.approx(by_displacement, abs=6e-6)
    measured = np.corrcoef(np.tile(moved, 8), total.ravel())[0, 1]
    assert measured == pytest.approx(correlation, abs=6e-5)
    if spacing == 8:  # the zeros outside: a window at the border sees less
        assert total[[0, 7]].mean() == pytest.approx(0.0734, abs=6e-5)
        assert total[[3, 4]].mean() == pytest.approx(0.1177, abs=6e-5)


def test_blurring_twice_is_blurring_the_blurred_image() -> None:
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 1, 11, 14)))
    twice = box_blur(box_blur(image, 3), 3)
    torch.testing.assert_close(box_blur(image, 3, times=2), twice, rtol=1e-12, atol=1e-14)


def test_a_constant_is_kept_in_the_middle_and_lost_in_the_corners() -> None:
    blurred = box_blur(torch.ones(1, 1, 64, 64, dtype=torch.float64), 31)[0, 0]
    assert blurred[31, 31].item() == pytest.approx(1)
    assert blurred[0, 0].item() == pytest.approx(32 * 32 / 3969)  # .25800


def test_the_blur_is_not_computed_in_bfloat16() -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        blurred = box_blur(images, 31)
    assert blurred.dtype == torch.float32
    assert torch.equal(blurred, box_blur(images, 31))


def test_gradients_are_those_of_the_values() -> None:
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(1, 2, 5, 6, dtype=torch.float64, generator=generator).requires_grad_()
    target = torch.randn(1, 2, 5, 6, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(
        lambda o: mse_boxblur(o, target, radius=2, weight=25.0), (output,)
    )


@pytest.mark.parametrize(("radius", "weight"), [(2, 25.0), (5, 0.5)])
def test_a_trials_radius_and_weight_are_those_of_the_loss(radius: int, weight: float) -> None:
    output, target = (
        torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(n)) for n in (0, 1)
    )
    loss = reconstruction_of(parts.MSEBoxBlur(radius=radius, weight=weight)).loss(output, target)
    error = (output - target).double()
    padded = torch.nn.functional.pad(error, (radius,) * 4)
    blurred = torch.nn.functional.avg_pool2d(padded, 2 * radius + 1, stride=1)
    expected = (error**2 + weight * blurred**2).sum()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-6, atol=0)
