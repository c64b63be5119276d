from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.originals.shapes3d import Shapes3D

Array = npt.NDArray[Any]
SIZES = (2, 3, 2, 2, 2, 3)
COUNT = math.prod(SIZES)
SIDE = 4


def images() -> Array:
    """Red is the factors, one a pixel, green and blue differ everywhere."""
    pixels = np.arange(COUNT * SIDE * SIDE * 3).astype(np.uint8).reshape(COUNT, SIDE, SIDE, 3)
    factors = np.stack(np.unravel_index(np.arange(COUNT), SIZES), axis=1)
    pixels.reshape(COUNT, SIDE * SIDE, 3)[:, : len(SIZES), 0] = factors
    return pixels


def write(path: Path, *, pixels: Array | None = None, labels: Array | None = None) -> Shapes3D:
    pixels = images() if pixels is None else pixels
    labels = np.random.default_rng(0).random((COUNT, len(SIZES))) if labels is None else labels
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=pixels, chunks=(9, 2, 2, 1), compression="gzip")
        file["labels"] = labels
    return Shapes3D(path, SIZES, SIDE, images_per_part=18)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "3dshapes.h5"


def test_every_image_lands_at_its_index(
    path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.datasets.originals.batches.BATCH_BYTES", 5 * SIDE * SIDE * 3)
    source = write(path)
    assert source.parts == 8
    np.testing.assert_array_equal(whole(source), images())


def test_the_published_sizes_are_the_default(path: Path) -> None:
    assert Shapes3D(path) == Shapes3D(path, (10, 10, 10, 8, 4, 15), 64, 15_000)
    assert Shapes3D(path).parts == 32


def test_other_arrays_are_refused(path: Path, refused: Any) -> None:
    source = write(path, pixels=images()[:-1])
    refused(source, path, r"expected images of shape \[144, 4, 4, 3\], found \[143, 4, 4, 3\]")
    refused(write(path, pixels=images() / 255), path, "expected images to be uint8, found float64")
    source = write(path, labels=np.zeros((COUNT, 5)))
    refused(source, path, r"expected labels of shape \[144, 6\], found \[144, 5\]")
    with h5py.File(path, "w") as file:
        file["images"] = images()
    refused(source, path, "expected an array labels, found images")


def test_a_file_cut_short_is_refused(path: Path, refused: Any) -> None:
    source = write(path)
    path.write_bytes(path.read_bytes()[:-100])
    refused(source, path, "expected a whole HDF5 file, found: ")
