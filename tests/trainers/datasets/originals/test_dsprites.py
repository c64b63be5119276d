from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.originals import hdf5
from trainers.datasets.originals.dsprites import DSpritesHDF5, DSpritesNpz

Array = npt.NDArray[Any]
SIZES = (3, 2, 2, 3, 2)
COUNT = math.prod(SIZES)
SIDE = 8


def sprites() -> Array:
    """uint8 {0, 1}: the first row of an image is its index in binary."""
    imgs = np.zeros((COUNT, SIDE, SIDE), dtype=np.uint8)
    imgs[:, 0] = np.arange(COUNT)[:, None] >> np.arange(SIDE) & 1
    imgs[:, 3, 2] = 1
    return imgs


def latents() -> tuple[Array, Array]:
    """Classes int64 and values float64, [N, 6], the leading colour included."""
    classes = np.stack(np.unravel_index(np.arange(COUNT), (1, *SIZES)), axis=1)
    return classes, classes / 2


def metadata(marker: Path) -> bytes:
    """A pickled object array as Python 2 writes it, which makes a file when it is loaded."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": ()}
    )
    return header.getvalue() + f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()


def write_npz(
    path: Path, *, compressed: bool = True, marker: Path | None = None, **arrays: Array
) -> Path:
    classes, values = latents()
    arrays = {"imgs": sprites(), "latents_values": values, "latents_classes": classes} | arrays
    method = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.npy", metadata(marker or path.with_suffix(".ran")))
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    return path


def write_hdf5(path: Path, imgs: Array | None = None, **options: Any) -> Path:
    imgs = sprites() if imgs is None else imgs
    with h5py.File(path, "w") as file:
        file.create_dataset("imgs", data=imgs, **({"compression": "gzip"} | options))
        classes, values = latents()
        file["latents/classes"], file["latents/values"] = classes, values
    return path


def from_npz(path: Path) -> DSpritesNpz:
    return DSpritesNpz(path, SIZES, SIDE)


def from_hdf5(path: Path) -> DSpritesHDF5:
    return DSpritesHDF5(path, SIZES, SIDE, images_per_part=10)


@pytest.mark.parametrize("compressed", [True, False])
def test_an_npz_gives_every_sprite_at_its_index_in_black_and_white(
    compressed: bool, tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.datasets.originals.batches.BATCH_BYTES", 7 * SIDE * SIDE)
    source = from_npz(write_npz(tmp_path / "dsprites.npz", compressed=compressed))
    assert source.parts == 1
    np.testing.assert_array_equal(whole(source), 255 * sprites()[..., None])


@pytest.mark.parametrize("chunks", [(10, 2, 4), (6, 2, 4), (COUNT, 8, 1), None])
def test_its_twin_gives_the_same_in_parts_whatever_the_chunks(
    chunks: tuple[int, ...] | None, tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.datasets.originals.batches.BATCH_BYTES", 4 * SIDE * SIDE)
    options: dict[str, Any] = {"chunks": chunks} if chunks else {"compression": None}
    source = from_hdf5(write_hdf5(tmp_path / "dsprites.hdf5", **options))
    assert source.parts == 8
    np.testing.assert_array_equal(whole(source), 255 * sprites()[..., None])


def test_the_pickled_metadata_is_never_opened(tmp_path: Path, whole: Any) -> None:
    marker = tmp_path / "ran"
    path = write_npz(tmp_path / "dsprites.npz", marker=marker)
    whole(from_npz(path))
    assert not marker.exists()
    with np.load(path, allow_pickle=True) as file:
        file["metadata"]
    assert marker.exists()


def test_the_published_sizes_are_the_default(tmp_path: Path) -> None:
    assert DSpritesNpz(tmp_path) == DSpritesNpz(tmp_path, (3, 6, 40, 32, 32), 64)
    assert DSpritesHDF5(tmp_path) == DSpritesHDF5(tmp_path, (3, 6, 40, 32, 32), 64, 23_040)
    assert DSpritesHDF5(tmp_path).parts == 32


def test_pixels_of_another_value_are_refused(tmp_path: Path, refused: Any) -> None:
    imgs = sprites()
    imgs[37, 5, 5] = 255
    message = "expected pixels 0 and 1, found 255 in image 37"
    path = write_npz(tmp_path / "dsprites.npz", imgs=imgs)
    refused(from_npz(path), path, message)
    path = write_hdf5(tmp_path / "dsprites.hdf5", imgs)
    refused(from_hdf5(path), path, message)


@pytest.mark.parametrize(
    ("imgs", "found"),
    [
        (sprites()[:-1], r"uint8 \[71, 8, 8\]"),
        (sprites()[:, :7], r"uint8 \[72, 7, 8\]"),
        (sprites()[..., None], r"uint8 \[72, 8, 8, 1\]"),
        (sprites().astype(np.int64), r"int64 \[72, 8, 8\]"),
        (sprites().astype(bool), r"bool \[72, 8, 8\]"),
        (sprites().astype(object), r"object \[72, 8, 8\]"),
        (np.asfortranarray(sprites()), r"uint8 \[72, 8, 8\] in Fortran order"),
    ],
)
def test_another_array_in_an_npz_is_refused(
    imgs: Array, found: str, tmp_path: Path, refused: Any
) -> None:
    path = write_npz(tmp_path / "dsprites.npz", imgs=imgs)
    expected = r"expected imgs to be uint8 \[72, 8, 8\] in C order, found "
    refused(from_npz(path), path, expected + found)


def test_a_member_whose_name_is_no_text_is_refused(tmp_path: Path, refused: Any) -> None:
    path = write_npz(tmp_path / "dsprites.npz", compressed=False)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("imgs.npy").header_offset
    content[at + 6 : at + 8] = (0x800).to_bytes(2, "little")  # the name is said to be UTF-8
    content[at + 30] = 0xFF
    path.write_bytes(content)
    refused(from_npz(path), path, "expected a whole .npz file")


@pytest.mark.parametrize(
    ("imgs", "message"),
    [
        (sprites()[:-1], r"expected imgs of shape \[72, 8, 8\], found \[71, 8, 8\]"),
        (sprites().astype(np.int64), "expected imgs to be uint8, found int64"),
        (sprites().astype(bool), "expected imgs to be uint8, found bool"),
    ],
)
def test_another_array_in_an_hdf5_file_is_refused(
    imgs: Array, message: str, tmp_path: Path, refused: Any
) -> None:
    path = write_hdf5(tmp_path / "dsprites.hdf5", imgs)
    refused(from_hdf5(path), path, message)


def test_a_missing_array_is_refused_and_those_there_are_named(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "dsprites.npz"
    np.savez(path, images=sprites())
    refused(from_npz(path), path, "expected an array imgs, found images")
    path = tmp_path / "dsprites.hdf5"
    with h5py.File(path, "w") as file:
        file["latents/classes"] = latents()[0]
    refused(from_hdf5(path), path, "expected an array imgs, found latents")
    with h5py.File(path, "w") as file:
        file.create_group("imgs")
    refused(from_hdf5(path), path, "expected imgs to be an array, found a Group")


def test_pixels_that_lie_in_other_files_are_refused(tmp_path: Path, refused: Any) -> None:
    other = write_hdf5(tmp_path / "other.hdf5")
    path, message = tmp_path / "dsprites.hdf5", "expected imgs in the file itself"
    with h5py.File(path, "w") as file:
        file["imgs"] = h5py.ExternalLink(other, "imgs")
    refused(from_hdf5(path), path, message)
    layout = h5py.VirtualLayout((COUNT, SIDE, SIDE), np.uint8)
    layout[:] = h5py.VirtualSource(other, "imgs", (COUNT, SIDE, SIDE))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("imgs", layout)
    refused(from_hdf5(path), path, message)
    with h5py.File(path, "w") as file:
        raw = [(str(other), 0, COUNT * SIDE * SIDE)]
        file.create_dataset("imgs", (COUNT, SIDE, SIDE), np.uint8, external=raw)
    refused(from_hdf5(path), path, message)


def test_a_chunk_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "MAX_CHUNK_BYTES", 100)
    path = write_hdf5(tmp_path / "dsprites.hdf5", chunks=(10, 4, 4))
    refused(from_hdf5(path), path, "expected chunks of imgs of at most 100 bytes, found 160")


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_a_file_cut_short_is_refused(kept: float, tmp_path: Path, refused: Any) -> None:
    path = write_npz(tmp_path / "dsprites.npz")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    refused(from_npz(path), path, "expected a whole .npz file, found: ")
    path = write_hdf5(tmp_path / "dsprites.hdf5")
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    refused(from_hdf5(path), path, "expected a whole HDF5 file, found: ")


def test_damaged_chunks_are_refused(tmp_path: Path, refused: Any) -> None:
    path = write_hdf5(tmp_path / "dsprites.hdf5", chunks=(10, 8, 8))
    with h5py.File(path) as file:
        place = file["imgs"].id.get_chunk_info(3).byte_offset
    content = bytearray(path.read_bytes())
    content[place + 4 : place + 8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    refused(from_hdf5(path), path, "expected a whole HDF5 file, found: ")


@pytest.mark.parametrize("source", [from_npz, from_hdf5])
def test_a_missing_file_is_no_damaged_one(source: Any, tmp_path: Path, whole: Any) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        whole(source(tmp_path / "nothing"))
    assert missing.value.filename == str(tmp_path / "nothing")
