"""Images in standard form: written once, part by part, into one array that all processes map.

Two passes. The first writes the images of each part of the source to their places; the second
reads the array block by block for its statistics and its fingerprint. Every place is written by
one part, and blocks are fixed, so the bytes do not depend on how many workers there are or who
comes first. The folder gets its name when all is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from grids.data_folder import DataFolder
from orchestrator import machine
from orchestrator.data_sets import incomplete
from orchestrator.errors import InputError
from orchestrator.image_sets import ImageSet
from results.files import sync
from trainers.datasets.prepared import FORMAT, Prepared
from trainers.datasets.resize import resized
from trainers.datasets.source import SourceError

BLOCK_IMAGES = 4096
LOOK_SECONDS = 0.5
STATISTICS_IMAGES = 256  # at a time: their squares take some memory

Row = dict[str, Any]
Run = Callable[[Callable[[int], Row], int], Iterator[Row]]
"""run(task, n) gives the rows of task(0) ... task(n - 1), in any order."""


def prepare(
    image_set: ImageSet,
    data: DataFolder,
    *,
    run: Run,
    report: Callable[[int, int], None],
    verified: bool = True,
) -> None:
    """Prepares a set of images, unless it is there; `report(images done, images in all)`.

    Whether its original files were `verified` is kept with it.

    Raises InputError, in one line, where a source is not what it should be, the disk is full, or
    another process prepares the same set. Whatever ends it early leaves nothing behind.
    """
    final = data.info(image_set.name).parent
    with only_preparer(final):
        if data.is_prepared(image_set.name):
            return
        if final.exists():
            raise InputError(incomplete(data, image_set.name))
        folder = final.with_name(f".{final.name}.{os.getpid()}")
        folder.mkdir()
        try:
            images = folder / data.images(image_set.name).name
            info = _fill(image_set, images, run, report) | {"verified": verified}
            sync(images)  # its pages were written by other processes
            with open(folder / data.info(image_set.name).name, "x") as file:
                json.dump(info, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            sync(folder)
            os.replace(folder, final)
            sync(final.parent)
        except OSError as error:
            raise InputError(f"{final}: cannot be written ({error.strerror})") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(image_set: ImageSet, path: Path, run: Run, report: Callable[[int, int], None]) -> Row:
    offset = _allocate(path, image_set.shape)
    count = image_set.shape[0]
    notes = path.with_name("written")
    notes.touch()
    fill = Fill(image_set, path, offset, notes)
    with _watched(notes, lambda images: report(images, 2 * count)):
        written = sum(row["images"] for row in _checked(run(fill, image_set.source.parts)))
    notes.unlink()
    if written != count:
        raise InputError(f"{image_set.name}: the source has {written:,} images, expected {count:,}")
    blocks: list[Row] = []
    summary = Summary(path, offset, image_set.shape)
    for row in _checked(run(summary, math.ceil(count / BLOCK_IMAGES))):
        blocks.append(row)
        report(count + min(count, len(blocks) * BLOCK_IMAGES), 2 * count)
    blocks.sort(key=lambda row: int(row["block"]))
    return {
        "format": FORMAT,
        "name": image_set.name,
        "shape": image_set.shape,
        **statistics(blocks, image_set.shape),
        "fingerprint": fingerprint(blocks, image_set.shape),
        "labels": image_set.labels,
        "originals": [[path.name, path.stat().st_size] for path in image_set.originals],
        "versions": machine.versions(),
    }


@contextlib.contextmanager
def _watched(notes: Path, each: Callable[[int], None]) -> Iterator[None]:
    """Tells twice a second how many images the tasks have noted: a part may take minutes."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(LOOK_SECONDS):
            each(int(np.fromfile(notes, dtype="<i8").sum()))

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _checked(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        if row.get("error"):
            raise InputError(row["error"])
        yield row


@contextlib.contextmanager
def only_preparer(final: Path) -> Iterator[None]:
    """Held by one process at a time, and until it ends; clears what a killed one has left."""
    final.parent.mkdir(parents=True, exist_ok=True)
    with open(final.with_name(f".{final.name}.lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{final}: another process is preparing it; wait for it") from None
        except OSError:
            pass  # a file system without locks: two would write two copies, and one be kept
        for left in final.parent.glob(f".{final.name}.[0-9]*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def check_space(image_sets: Iterable[ImageSet], data: DataFolder) -> None:
    """Raises InputError where the disk cannot take them all: before the first, not after it."""
    needed = sum(math.prod(image_set.shape) for image_set in image_sets)
    data.root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(data.root).free
    if free < needed:
        raise InputError(f"{data.root}: {needed:,} bytes are needed, {free:,} are free")


def _allocate(path: Path, shape: tuple[int, ...]) -> int:
    """Makes the file at its full size, so that a full disk is found at once; where pixels start."""
    size = math.prod(shape)
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise InputError(f"{path.parent.parent}: {size:,} bytes are needed, {free:,} are free")
    with open(path, "xb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        offset = file.tell()
        os.posix_fallocate(file.fileno(), 0, offset + size)
    return offset


@dataclass(frozen=True)
class Fill:
    """Writes the images of a part of the source to their places."""

    image_set: ImageSet
    path: Path
    offset: int
    notes: Path

    def __call__(self, part: int) -> Row:
        images = 0
        _, height, width, channels = self.image_set.shape
        try:
            with (
                open(self.path, "r+b", buffering=0) as file,
                open(self.notes, "ab", buffering=0) as notes,
            ):
                for batch in self.image_set.source.read(part):
                    pixels = batch.images
                    if self.image_set.resize is not None:
                        pixels = resized(pixels, (height, width), self.image_set.resize)
                    assert pixels.shape[1:] == (height, width, channels), pixels.shape
                    _write(file.fileno(), self.offset, batch.indices, pixels)
                    images += len(pixels)
                    notes.write(len(pixels).to_bytes(8, "little"))
        except SourceError as error:
            return {"images": images, "error": str(error)}
        except OSError as error:
            return {"images": images, "error": f"{error.filename or self.path}: {error.strerror}"}
        return {"images": images, "error": ""}


def _write(
    file: int, offset: int, indices: npt.NDArray[np.int64], images: npt.NDArray[np.uint8]
) -> None:
    """Images at their indices, neighbours in one write."""
    size = math.prod(images.shape[1:])
    starts = np.flatnonzero(np.diff(indices, prepend=indices[:1] - 2) != 1)
    for start, stop in zip(starts, [*starts[1:], len(indices)], strict=True):
        rest = np.ascontiguousarray(images[start:stop]).data.cast("B")
        position = offset + int(indices[start]) * size
        while rest:
            written = os.pwrite(file, rest, position)
            position += written
            rest = rest[written:]


@dataclass(frozen=True)
class Summary:
    """The digest and the sums of a block of images."""

    path: Path
    offset: int
    shape: tuple[int, int, int, int]

    def __call__(self, block: int) -> Row:
        count, *image = self.shape
        images = min(BLOCK_IMAGES, count - block * BLOCK_IMAGES)
        size = math.prod(image)
        pixels = np.fromfile(
            self.path,
            dtype=np.uint8,
            count=images * size,
            offset=self.offset + block * BLOCK_IMAGES * size,
        )
        images_NPC = pixels.reshape(images, -1, image[-1])
        parts = [
            image_statistics(images_NPC[start : start + STATISTICS_IMAGES])
            for start in range(0, images, STATISTICS_IMAGES)
        ]
        return {
            "block": block,
            "digest": hashlib.sha256(pixels.data).digest(),
            "sums": sum(sums.sum(axis=0) for sums, _ in parts).tolist(),
            "stds": [math.fsum(std) for std in np.concatenate([std for _, std in parts]).T],
        }


def image_statistics(
    images_NPC: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """By image and channel, [N, C]: the sum of the pixels, and their standard deviation.

    The deviation has divisor P - 1 and is on the scale [0, 1]. Sums are whole numbers, hence exact.
    """
    pixels = images_NPC.shape[1]
    sums_NC = images_NPC.sum(axis=1, dtype=np.int64)
    squares_NC = np.square(images_NPC, dtype=np.uint16).sum(axis=1, dtype=np.int64)
    variances_NC = (pixels * squares_NC - sums_NC**2) / (pixels * (pixels - 1))
    return sums_NC, np.sqrt(variances_NC) / 255


def statistics(blocks: list[Row], shape: tuple[int, int, int, int]) -> dict[str, list[float]]:
    """mean and std by channel, by the rule of `trainers.datasets.dataset.Dataset`."""
    count, height, width, channels = shape
    sums = [sum(int(row["sums"][c]) for row in blocks) for c in range(channels)]
    stds = [math.fsum(row["stds"][c] for row in blocks) for c in range(channels)]
    return {
        "mean": [total / (255 * count * height * width) for total in sums],
        "std": [total / count for total in stds],
    }


def fingerprint(blocks: list[Row], shape: tuple[int, ...]) -> str:
    """SHA-256 of the shape and of the digests of all blocks of 4,096 images, in order."""
    digest = hashlib.sha256(json.dumps(shape).encode())
    for row in blocks:
        digest.update(row["digest"])
    return digest.hexdigest()


def verify(prepared: Prepared, report: Callable[[int, int], None]) -> None:
    """Raises InputError where the images are not those that were prepared, by their fingerprint."""
    images_NHWC = prepared.tensor(torch.device("cpu")).numpy()
    blocks = []
    for start in range(0, len(images_NHWC), BLOCK_IMAGES):
        block = images_NHWC[start : start + BLOCK_IMAGES]
        blocks.append({"digest": hashlib.sha256(block.data).digest()})
        report(start + len(block), len(images_NHWC))
    found = fingerprint(blocks, prepared.shape)
    if found != prepared.fingerprint:
        raise InputError(
            f"{prepared.path}: its bytes are not those that were prepared (fingerprint "
            f"{prepared.fingerprint[:12]}, now {found[:12]}); delete the folder and prepare again"
        )


def here(task: Callable[[int], Row], count: int) -> Iterator[Row]:
    """One after another in this process: the twin of the pipeline on Ray."""
    return map(task, range(count))
