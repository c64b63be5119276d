from __future__ import annotations

import io
import math
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.originals.mpi3d import MPI3D

Array = npt.NDArray[Any]
SIZES = (2, 3, 2, 1, 3, 2, 2)
COUNT = math.prod(SIZES)
SIDE = 4


def images() -> Array:
    """The factors, one a byte, and bytes that differ from image to image."""
    pixels = np.zeros((COUNT, SIDE * SIDE * 3), dtype=np.uint8)
    pixels[:] = np.arange(COUNT)[:, None] + np.arange(SIDE * SIDE * 3)
    pixels[:, : len(SIZES)] = np.stack(np.unravel_index(np.arange(COUNT), SIZES), axis=1)
    return pixels.reshape(COUNT, SIDE, SIDE, 3)


def mpi3d(path: Path) -> MPI3D:
    return MPI3D(path, SIZES, SIDE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mpi3d_toy.npz"


def npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_every_image_lands_at_its_index(
    save: Any, path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.datasets.originals.batches.BATCH_BYTES", 5 * SIDE * SIDE * 3)
    save(path, images=images())
    assert mpi3d(path).parts == 1
    np.testing.assert_array_equal(whole(mpi3d(path)), images())


def test_the_published_sizes_are_the_default(path: Path) -> None:
    assert MPI3D(path) == MPI3D(path, (6, 6, 2, 3, 3, 40, 40), 64)


def test_a_batch_may_be_written_to(path: Path) -> None:
    np.savez(path, images=images())
    assert all(batch.images.flags.writeable for batch in mpi3d(path).read(0))


@pytest.mark.parametrize("count", [COUNT - 1, COUNT + 1, 10 * COUNT])
def test_more_or_fewer_bytes_than_declared_are_refused(
    count: int, path: Path, refused: Any
) -> None:
    whole = npy(images())
    header = whole[: len(whole) - images().nbytes]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header + bytes(count * SIDE * SIDE * 3))
    refused(mpi3d(path), path, "expected images of 7,040 bytes, found ")


def test_an_archive_that_lies_about_its_size_is_refused(path: Path, refused: Any) -> None:
    """The central directory declares the right size, and the deflated bytes are others."""
    for content in (npy(images())[:-9], npy(images()) + bytes(2**20)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("images.npy", content)
        raw, size = path.read_bytes(), len(content).to_bytes(4, "little")
        assert raw.count(size) == 2
        path.write_bytes(raw.replace(size, len(npy(images())).to_bytes(4, "little")))
        refused(mpi3d(path), path, "expected a whole .npz file, found: ")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_another_compression_is_refused(method: int, path: Path, refused: Any) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("images.npy", npy(images()))
    refused(mpi3d(path), path, f"stored or deflated, found compression {method}")


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x0a\x00{'descr': (", b"\x93NUMPY\x09\x00  "]
)
def test_a_damaged_header_is_refused(content: bytes, path: Path, refused: Any) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", content)
    refused(mpi3d(path), path, "expected images to be a NumPy array, found: ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_is_refused(save: Any, path: Path, refused: Any) -> None:
    save(path, images=images())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    refused(mpi3d(path), path, "expected a whole .npz file, found: ")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_large_array_is_never_held(method: int, path: Path) -> None:
    count, side = 17_000, 64  # 209 MB
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    header = io.BytesIO()
    shape = (count, side, side, 3)
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path, "w", method, compresslevel=1) as archive:
        with archive.open("images.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(count // 100):
                member.write(image.tobytes() * 100)
    tracemalloc.start()
    try:
        seen = 0
        for batch in MPI3D(path, (count,), side).read(0):
            assert np.array_equal(batch.images[-1], image)
            seen += len(batch.indices)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == count
    assert peak < 50 * 2**20
