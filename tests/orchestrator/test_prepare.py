from __future__ import annotations

import errno
import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from grids.data_folder import DataFolder
from orchestrator import prepare as preparing
from orchestrator.data_pipeline import on_ray_data
from orchestrator.errors import InputError
from orchestrator.image_sets import ImageSet
from orchestrator.prepare import here, prepare
from trainers.datasets.source import Batch, SourceError

COUNT = 10_000  # three blocks, the last one not full


def pixels(indices: npt.NDArray[np.int64], channels: int = 3) -> npt.NDArray[np.uint8]:
    """Images [N, 4, 5, C] that tell their index, each channel in its own way."""
    place = np.arange(4 * 5 * channels)
    values = indices[:, None] * (place + 3) % 251 + place % 5
    return values.astype(np.uint8).reshape(len(indices), 4, 5, channels)


@dataclass(frozen=True)
class Scattered:
    """Parts whose images lie all over the standard order, as in files with rows in any order."""

    count: int = COUNT
    parts: int = 7
    fails: str = ""

    def read(self, part: int) -> Iterator[Batch]:
        own = np.random.default_rng(0).permutation(self.count)[part :: self.parts]
        for indices in np.array_split(np.concatenate([np.sort(own[:100]), own[100:]]), 3):
            yield Batch(indices, pixels(indices))
            if self.fails and part == 3:
                raise SourceError(self.fails)


def image_set(source: Scattered, name: str = "made", **more: Any) -> ImageSet:
    return ImageSet(name=name, source=source, shape=(COUNT, 4, 5, 3), **more)


def prepared(data: DataFolder, made: ImageSet, run: preparing.Run = here) -> dict[str, Any]:
    prepare(made, data, run=run, report=lambda done, total: None)
    info: dict[str, Any] = json.loads(data.info(made.name).read_text())
    return info


def left(data: DataFolder) -> list[str]:
    return sorted(path.name for path in data.prepared.iterdir() if not path.name.endswith(".lock"))


def test_every_image_is_at_its_place_and_the_constants_follow_the_rule(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    info = prepared(data, image_set(Scattered()))
    images = np.load(data.images("made"))
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, pixels(np.arange(COUNT)))
    scaled = images.reshape(COUNT, -1, 3) / 255
    # Michlo et al. 2023, supplement, table 2: means over the images of what each image has.
    np.testing.assert_allclose(info["mean"], scaled.mean(axis=1).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(info["std"], scaled.std(axis=1, ddof=1).mean(axis=0), rtol=1e-12)
    overall = scaled.reshape(-1, 3).std(axis=0)
    assert np.all(np.abs(overall / info["std"] - 1) > 1e-3)


def test_progress_is_told_while_a_part_is_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparing, "LOOK_SECONDS", 0.01)
    told: list[int] = []

    @dataclass(frozen=True)
    class Slow(Scattered):
        parts: int = 1

        def read(self, part: int) -> Iterator[Batch]:
            for batch in super().read(part):
                yield batch
                time.sleep(0.1)

    prepare(
        image_set(Slow()),
        DataFolder(tmp_path),
        run=here,
        report=lambda done, total: told.append(done),
    )
    assert told == sorted(told) and told[-1] == 2 * COUNT
    assert any(0 < done < COUNT for done in told)


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    info = prepared(data, image_set(Scattered()))
    digest = hashlib.sha256(json.dumps([COUNT, 4, 5, 3]).encode())
    images = pixels(np.arange(COUNT))
    for start in range(0, COUNT, 4096):
        digest.update(hashlib.sha256(images[start : start + 4096].tobytes()).digest())
    assert info["fingerprint"] == digest.hexdigest()


def backwards(task: Any, count: int) -> Any:
    return map(task, reversed(range(count)))


def test_the_result_does_not_depend_on_the_order_or_the_number_of_parts(tmp_path: Path) -> None:
    one, other = DataFolder(tmp_path / "one"), DataFolder(tmp_path / "other")
    first = prepared(one, image_set(Scattered(parts=7)))
    second = prepared(other, image_set(Scattered(parts=2)), backwards)
    assert first == second
    assert one.images("made").read_bytes() == other.images("made").read_bytes()


@pytest.mark.ray
def test_ray_data_gives_the_same_bytes(ray_cluster: str, tmp_path: Path) -> None:
    one, other = DataFolder(tmp_path / "one"), DataFolder(tmp_path / "other")
    assert prepared(one, image_set(Scattered())) == prepared(
        other, image_set(Scattered()), on_ray_data
    )
    assert one.images("made").read_bytes() == other.images("made").read_bytes()


@pytest.mark.ray
def test_a_bad_source_is_one_line_on_ray_data_too(ray_cluster: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^file\.mat: cut short$"):
        prepared(
            DataFolder(tmp_path), image_set(Scattered(fails="file.mat: cut short")), on_ray_data
        )
    assert left(DataFolder(tmp_path)) == []


def test_a_bad_source_leaves_nothing_behind(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    with pytest.raises(InputError, match=r"^file\.mat: cut short$"):
        prepared(data, image_set(Scattered(fails="file.mat: cut short")))
    assert left(data) == []
    assert not data.is_prepared("made")
    prepared(data, image_set(Scattered()))
    assert data.is_prepared("made")


def test_a_source_with_too_few_images_is_refused(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    with pytest.raises(InputError, match=r"9,999 images, expected 10,000"):
        prepared(data, image_set(Scattered(count=9_999)))
    assert left(data) == []


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)

    def interrupted(task: Any, count: int) -> Any:
        yield task(0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(data, image_set(Scattered()), interrupted)
    assert left(data) == []


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    half_made = data.prepared / ".made.12345"
    half_made.mkdir(parents=True)
    (half_made / "images.npy").write_bytes(b"half")
    neighbour = data.prepared / ".made-of-other.12345"
    neighbour.mkdir()
    prepared(data, image_set(Scattered()))
    assert left(data) == [".made-of-other.12345", "made"]


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataFolder(tmp_path)

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(preparing.os, "pwrite", full)
    with pytest.raises(InputError, match="No space left on device"):
        prepared(data, image_set(Scattered()))
    monkeypatch.undo()
    monkeypatch.setattr(preparing.os, "posix_fallocate", full)
    with pytest.raises(InputError, match="No space left on device"):
        prepared(data, image_set(Scattered()))
    assert left(data) == []


def test_too_little_room_is_found_before_anything_is_read(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    huge = ImageSet("made", Scattered(fails="read"), shape=(2**40, 64, 64, 3))
    with pytest.raises(InputError, match="bytes are needed"):
        prepared(data, huge)
    assert left(data) == []


def test_two_processes_do_not_prepare_the_same(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    with preparing.only_preparer(data.info("made").parent):
        with pytest.raises(InputError, match="another process is preparing it"):
            prepared(data, image_set(Scattered()))


def test_prepared_images_are_left_alone(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    prepared(data, image_set(Scattered()))
    before = data.images("made").stat().st_mtime_ns
    prepared(data, image_set(Scattered(fails="not read")))
    assert data.images("made").stat().st_mtime_ns == before
