from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.originals.cifar import CIFAR10, CIFAR100

Array = npt.NDArray[Any]
SIDE = 4
EACH = 6
FOLDER = "cifar-10-batches-py"


def images(batch: int) -> Array:
    """uint8 [n, H, W, C] that differ from place to place and from batch to batch."""
    count = EACH * SIDE * SIDE * 3
    pixels = np.arange(count) * 5 + batch * 17 + np.arange(count) // 256
    return pixels.astype(np.uint8).reshape(EACH, SIDE, SIDE, 3)


def planes(batch: int) -> Array:
    return np.ascontiguousarray(images(batch).transpose(0, 3, 1, 2)).reshape(EACH, -1)


def python_2(value: Any) -> bytes:
    """Protocol 2 as cPickle of Python 2 writes it: str in BINSTRING, arrays by NumPy 1."""
    if isinstance(value, bytes):
        short = len(value) < 256
        return (b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<i", len(value))) + (
            value + b"q\x01"
        )
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    if isinstance(value, list):
        return b"]q\x02(" + b"".join(map(python_2, value)) + b"e"
    if isinstance(value, dict):
        items = b"".join(python_2(key) + python_2(item) for key, item in value.items())
        return b"}q\x03(" + items + b"u"
    assert value.dtype == np.uint8
    shape = b"".join(map(python_2, value.shape))
    dtype = b"cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + 2 * b"J\xff\xff\xff\xff"
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        + (b"(K\x01" + shape + b"\x86" + dtype + b"K\x00tb\x89")
        + (python_2(value.tobytes()) + b"tb")
    )


def dumped(value: Any) -> bytes:
    return b"\x80\x02" + python_2(value) + b"."


def content(batch: int) -> dict[bytes, Any]:
    return {
        b"batch_label": b"training batch %d of 5" % batch,
        b"labels": list(range(EACH)),
        b"data": planes(batch),
        b"filenames": [b"leptodactylus_pentadactylus_s_%06d.png" % n for n in range(EACH)],
    }


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def write(path: Path, **changed: bytes) -> CIFAR10:
    """Batches in the order of the published archive, which is not theirs, and what else it has."""
    order = ("batches.meta", "data_batch_4", "readme.html", "test_batch", "data_batch_3")
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name in (*order, "data_batch_2", "data_batch_5", "data_batch_1"):
            batch = int(name[-1]) if name[-1].isdigit() else 9
            add(tar, f"{FOLDER}/{name}", changed.get(name, dumped(content(batch))))
    return CIFAR10(path, 5 * EACH, SIDE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cifar-python.tar.gz"


def test_the_five_batches_follow_each_other(
    path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.datasets.originals.batches.BATCH_BYTES", 4 * SIDE * SIDE * 3)
    source = write(path)
    assert source.parts == 1
    expected = np.concatenate([images(batch) for batch in range(1, 6)])
    np.testing.assert_array_equal(whole(source), expected)


def test_of_cifar_100_the_training_file_is_read(path: Path, whole: Any) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for batch, name in enumerate(("file.txt~", "train", "test", "meta")):
            pickled = content(batch) | {b"fine_labels": [1] * EACH, b"coarse_labels": [2] * EACH}
            add(tar, f"cifar-100-python/{name}", dumped(pickled))
    np.testing.assert_array_equal(whole(CIFAR100(path, EACH, SIDE)), images(1))


def test_the_published_sizes_are_the_default(path: Path) -> None:
    assert CIFAR10(path) == CIFAR10(path, 50_000, 32)
    assert CIFAR100(path) == CIFAR100(path, 50_000, 32)


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_pickles_of_python_3_and_of_both_numpys_are_read(
    protocol: int, module: bytes, path: Path, whole: Any
) -> None:
    pickled = pickle.dumps(content(2), protocol=protocol)
    assert pickled.count(b"numpy._core.multiarray\n") == 1
    pickled = pickled.replace(b"numpy._core.multiarray\n", module + b"\n")
    np.testing.assert_array_equal(
        whole(write(path, data_batch_2=pickled))[EACH : 2 * EACH], images(2)
    )


def test_an_array_in_fortran_order_is_read_as_what_it_is(path: Path, whole: Any) -> None:
    pickled = pickle.dumps({b"data": np.asfortranarray(planes(3))}, protocol=2)
    np.testing.assert_array_equal(
        whole(write(path, data_batch_3=pickled))[2 * EACH : 3 * EACH], images(3)
    )


class Calls:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self.called = call, arguments

    def __reduce__(self) -> Any:
        return self.called


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_something_is_refused_and_does_not_run(
    protocol: int, path: Path, refused: Any, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    for calls in (
        Calls(os.system, f"touch {marker}"),
        Calls(subprocess.getoutput, f"touch {marker}"),
        Calls(eval, f"open({str(marker)!r}, 'w')"),
        Calls(np.save, str(marker), np.zeros(1)),
    ):
        pickled = pickle.dumps(content(1) | {b"labels": calls}, protocol=protocol)
        refused(
            write(path, data_batch_1=pickled),
            path,
            "data_batch_1: expected a pickle of images, found: the (name|instruction) ",
        )
    assert not list(tmp_path.glob("ran*"))
    pickle.loads(pickle.dumps(Calls(os.system, f"touch {marker}")))
    assert marker.exists()


@pytest.mark.parametrize(
    ("pickled", "found"),
    [
        (dumped(content(1) | {b"data": planes(1)[1:]}), r"shape \[5, 48\] of 240 bytes, not \[6"),
        (dumped(content(1) | {b"data": planes(1).T}), r"shape \[48, 6\] of 288 bytes, not \[6, 48"),
        (dumped(content(1)).replace(b"U\x02u1", b"U\x02i1"), "an array of type i1, not u1"),
        (
            pickle.dumps({b"data": planes(1).astype(np.float32)}, protocol=2),
            "an array of type f4, not u1",
        ),
        (pickle.dumps({b"data": planes(1).astype(object)}, protocol=2), "of type O8, not u1"),
        (dumped({b"labels": [1]}), "no dict with the key b'data'"),
        (dumped([1, 2]), "no dict with the key b'data'"),
        (dumped({b"data": b"bytes"}), "b'data' is no array"),
        (dumped(content(1))[:-1], "pickle exhausted before seeing STOP"),
        (dumped(content(1))[:200], "expected a pickle of images"),
        (b"", "pickle exhausted"),
        # Remembers a value in place 2^31 - 1, which would take 16 GiB.
        (b"\x80\x02}r\xff\xff\xff\x7f.", "the instruction LONG_BINPUT"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".", "expected a pickle of images"),
    ],
)
def test_another_pickle_is_refused(pickled: bytes, found: str, path: Path, refused: Any) -> None:
    refused(write(path, data_batch_1=pickled), path, found)


def test_a_missing_batch_is_refused(path: Path, refused: Any) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for batch in (1, 2, 4, 5):
            add(tar, f"{FOLDER}/data_batch_{batch}", dumped(content(batch)))
    refused(CIFAR10(path, 5 * EACH, SIDE), path, f"expected {FOLDER}/data_batch_3, found no such")


def test_an_archive_that_unpacks_to_too_much_is_refused(path: Path, refused: Any) -> None:
    refused(write(path, data_batch_2=bytes(2**21)), path, "data_batch_2 of at most 1,050,400 bytes")
    source = write(path, **{"readme.html": bytes(2**24)})
    refused(source, path, "expected at most 10,504,000 bytes unpacked, found more")


@pytest.mark.parametrize("name", ["../data_batch_1", "/data_batch_1"])
def test_a_name_that_leads_out_of_the_archive_is_refused(
    name: str, path: Path, refused: Any
) -> None:
    with tarfile.open(path, "w:gz") as tar:
        add(tar, name, b"")
    refused(CIFAR10(path, 5 * EACH, SIDE), path, "expected names below its root")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_file_cut_short_is_refused(kept: float, path: Path, refused: Any) -> None:
    source = write(path)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    refused(source, path, "expected (a whole .tar.gz file|cifar-10-batches-py/)")
