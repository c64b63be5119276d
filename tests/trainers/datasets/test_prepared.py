from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from grids import datasets as sets
from grids.data_folder import DataError, DataFolder
from trainers import make_dataset
from trainers.datasets.prepared import FORMAT, copied, read_prepared
from trainers.datasets.stored import Stored
from trainers.datasets.votes import read_votes


def put(data: DataFolder, name: str, images: npt.NDArray[np.uint8], **info: Any) -> None:
    """Images in standard form, written without the code that prepares them."""
    data.images(name).parent.mkdir(parents=True)
    np.save(data.images(name), images)
    channels = images.shape[-1]
    content = {
        "format": FORMAT,
        "shape": images.shape,
        "mean": [0.25] * channels,
        "std": [0.5] * channels,
        "fingerprint": "f" * 64,
    }
    data.info(name).write_text(json.dumps(content | info))


def toys(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    return rng.integers(0, 256, (48_600, 64, 64, 1), dtype=np.uint8)


def test_an_image_is_the_row_of_its_cell_and_nuisance(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    images = toys(np.random.default_rng(0))
    put(data, "smallnorb-antialias", images)
    dataset = make_dataset(sets.SmallNORB(standardise=True), data)
    factors = torch.tensor([[0, 0, 0, 0], [4, 8, 17, 5], [1, 2, 3, 4], [1, 2, 3, 4]])
    drawn = dataset.images(factors, torch.tensor([0, 9, 0, 7]))
    cells = np.ravel_multi_index(factors.numpy().T, (5, 9, 18, 6))
    expected = images[cells * 10 + [0, 9, 0, 7]].transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(drawn.numpy(), expected)
    assert dataset.evaluation_draws == dataset.nuisances == 10
    assert (dataset.mean, dataset.std, dataset.standardise) == ((0.25,), (0.5,), True)
    assert dataset.fingerprint == "f" * 64


def test_a_set_without_factors_is_one_cell_of_many_draws(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    images = np.arange(300, dtype=np.uint8).repeat(64 * 64).reshape(300, 64, 64, 1)
    put(data, "song3-300-half", images)
    dataset = make_dataset(sets.Song3(images=300), data)
    drawn = dataset.images(torch.zeros(3, 0, dtype=torch.int64), torch.tensor([5, 299, 0]))
    assert drawn[:, 0, 0, 0].tolist() == [5, 299 - 256, 0]


def test_colour_images_come_in_channels_last_order(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    put(data, "song6-40-half-hue", images)
    dataset = make_dataset(sets.Song6(images=40), data)
    drawn = dataset.images(torch.zeros(40, 0, dtype=torch.int64), torch.arange(40))
    assert drawn.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(drawn.numpy(), images.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda folder: (folder / "info.json").unlink(), "not prepared"),
        (lambda folder: (folder / "info.json").write_text("{"), "info.json: damaged"),
        (lambda folder: (folder / "info.json").write_text('{"format": 99}'), "format 99"),
        (lambda folder: (folder / "images.npy").write_bytes(b"x" * 9), "images.npy"),
        (
            lambda folder: (folder / "images.npy").write_bytes(
                (folder / "images.npy").read_bytes()[:-1]
            ),
            "1,228,927 bytes, expected 1,228,928",
        ),
        (
            lambda folder: np.save(folder / "images.npy", np.zeros((300, 64, 64, 1))),
            "holds float64",
        ),
        (
            lambda folder: np.save(
                folder / "images.npy", np.array([{}], dtype=object), allow_pickle=True
            ),
            "holds object",
        ),
    ],
)
def test_damaged_images_are_named_in_one_line(tmp_path: Path, spoil: Any, complaint: str) -> None:
    data = DataFolder(tmp_path)
    put(data, "song3-300-half", np.zeros((300, 64, 64, 1), dtype=np.uint8))
    spoil(data.info("song3-300-half").parent)
    with pytest.raises(DataError) as caught:
        read_prepared(data, "song3-300-half")
    assert complaint in str(caught.value) and "song3-300-half" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_of_another_dataset_are_refused(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    put(data, "shapes3d", np.zeros((10, 64, 64, 3), dtype=np.uint8))
    with pytest.raises(DataError, match=r"holds \[10, 64, 64, 3\], shapes3d has \[480000, 64"):
        Stored(sets.Shapes3D(), read_prepared(data, "shapes3d"), torch.device("cpu"))


def test_a_copy_in_blocks_is_the_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).integers(0, 256, (33, 7, 5, 3), dtype=np.uint8)
    path = tmp_path / "a.npy"
    np.save(path, array)
    monkeypatch.setattr("trainers.datasets.prepared.COPIED_BYTES", 1000)
    copy = copied(path, path.stat().st_size - array.size, array.shape, torch.device("cpu"))
    np.testing.assert_array_equal(copy.numpy(), array)


READER = """
import sys, torch
from pathlib import Path
from grids import datasets as sets
from grids.data_folder import DataFolder
from trainers import make_dataset

dataset = make_dataset(sets.Song6(images=20_000), DataFolder(Path(sys.argv[1])))
for start in range(0, 20_000, 500):
    nuisance = torch.arange(start, start + 500)
    dataset.images(torch.zeros(500, 0, dtype=torch.int64), nuisance)
print("ready", flush=True)
sys.stdin.readline()
"""


def shared_kib(pid: int, name: str) -> int:
    """The proportional share of a process in the pages of a file, KiB."""
    total, ours = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0]:
            ours = line.endswith(name)
        elif ours and line.startswith("Pss:"):
            total += int(line.split()[1])
    return total


def test_processes_share_one_copy(tmp_path: Path) -> None:
    """Four processes that have read all of 246 MB hold about 246 MB of it together."""
    data = DataFolder(tmp_path)
    put(data, "song6-20000-half-hue", np.zeros((20_000, 64, 64, 3), dtype=np.uint8))
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(4)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None and reader.stdout.readline() == "ready\n"
        held = sum(shared_kib(reader.pid, "images.npy") for reader in readers) * 1024
    finally:
        for reader in readers:
            reader.communicate("\n")
    size = 20_000 * 64 * 64 * 3
    assert 0.9 * size < held < 1.2 * size


def test_votes_come_with_the_factor_that_each_holds(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    images = np.arange(6, dtype=np.uint8).repeat(64 * 64).reshape(6, 64, 64, 1)
    put(data, "song2-9-votes", images, labels=[0, 1, 0])
    votes = read_votes(sets.Song2(images=9), data)
    assert votes.images.shape == (3, 2, 1, 64, 64)
    assert votes.images[:, :, 0, 0, 0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert votes.factors.tolist() == [0, 1, 0]
    info = data.info("song2-9-votes")
    info.write_text(info.read_text().replace("labels", "x"))
    with pytest.raises(DataError, match="labels"):
        read_votes(sets.Song2(images=9), data)
