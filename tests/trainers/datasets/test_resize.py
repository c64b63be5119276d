from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.resize import resized


def lanczos(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def triangle(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.maximum(0.0, 1 - np.abs(x))


KERNELS = {"antialias": lanczos, "bilinear": triangle}


def weights(before: int, after: int, how: str) -> npt.NDArray[np.float64]:
    """[after, before]: the kernel stretched by the reduction, cut at the border, of sum 1."""
    scale = before / after
    centre = (np.arange(after)[:, None] + 0.5) * scale
    kernel = KERNELS[how]((np.arange(before) + 0.5 - centre) / scale)
    return kernel / kernel.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("how", ["bilinear", "antialias"])
@pytest.mark.parametrize("shape", [(96, 96, 1), (128, 128, 3)])
def test_the_filter_is_its_definition(how: str, shape: tuple[int, int, int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, *shape), dtype=np.uint8)
    smaller = resized(images, (64, 64), how)
    assert smaller.dtype == np.uint8 and smaller.shape == (3, 64, 64, shape[2])
    w = weights(shape[0], 64, how)
    across = np.clip(np.rint(np.einsum("oj,nijc->nioc", w, images.astype(float))), 0, 255)
    both = np.clip(np.rint(np.einsum("oi,nijc->nojc", w, across)), 0, 255)
    # Pillow rounds its weights to 22 bits and its sums once an axis.
    assert np.abs(smaller - both).max() <= 1


def test_the_two_filters_differ() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 1), dtype=np.uint8)
    one, other = (resized(images, (64, 64), how) for how in ("bilinear", "antialias"))
    assert np.abs(one.astype(int) - other).max() > 20
