from __future__ import annotations

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metrics import npz
from metrics.npz import read_npz

Array = np.ndarray[Any, Any]

CODES = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
SIZES = np.array([2, 3])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codes.npz"


def refused(path: Path) -> str:
    """What the reader says of a file that it refuses, without the file's name."""
    with pytest.raises(ValueError) as caught:
        read_npz(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_writes(path: Path, save: Callable[..., None]) -> None:
    save(path, codes=CODES, factor_sizes=SIZES, logvar=-CODES)
    table = read_npz(path)
    np.testing.assert_array_equal(table.codes, CODES[None])
    assert table.logvar is not None
    np.testing.assert_array_equal(table.logvar, -CODES[None])
    assert table.factor_sizes == (2, 3)


def test_reads_replicates_other_widths_and_fortran_order(path: Path) -> None:
    codes = np.asfortranarray(np.stack([CODES, -CODES, 2 * CODES]).astype(">f8"))
    np.savez(path, codes=codes, factor_sizes=SIZES.astype(np.uint8))
    table = read_npz(path)
    np.testing.assert_array_equal(table.codes, codes)
    assert table.codes.dtype == np.float32 and table.codes.flags.c_contiguous
    assert table.logvar is None


def test_other_arrays_are_never_read(path: Path) -> None:
    np.savez(path, codes=CODES, factor_sizes=SIZES, note=np.array([{"a": 1}], dtype=object))
    assert read_npz(path).factor_sizes == (2, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"factor_sizes": SIZES}, "no array codes; needed: codes, factor_sizes; found: "),
        ({"codes": CODES}, "no array factor_sizes; needed: codes, factor_sizes; found: codes"),
        ({}, "no array codes; needed: codes, factor_sizes; found: none"),
        ({"codes": CODES.astype(object), "factor_sizes": SIZES}, "codes has dtype object"),
        ({"codes": CODES, "factor_sizes": SIZES.astype(object)}, "factor_sizes has dtype object"),
        ({"codes": CODES.astype(int), "factor_sizes": SIZES}, "codes has dtype int64; valid"),
        ({"codes": CODES.astype(str), "factor_sizes": SIZES}, "codes has dtype <U"),
        ({"codes": CODES, "factor_sizes": SIZES * 1.0}, "factor_sizes has dtype float64; valid"),
        ({"codes": CODES, "factor_sizes": SIZES + 1}, "codes has 6 rows; factor_sizes [3, 4] make"),
        ({"codes": CODES, "factor_sizes": SIZES[None]}, "factor_sizes has shape [1, 2]; valid"),
        ({"codes": CODES, "factor_sizes": np.array(6)}, "factor_sizes has shape []; valid"),
        ({"codes": CODES, "factor_sizes": np.ones(101, int)}, "factor_sizes has shape [101]"),
        ({"codes": CODES[:, 0], "factor_sizes": SIZES}, "codes has 1 dimensions"),
        ({"codes": CODES * np.nan, "factor_sizes": SIZES}, "codes holds NaN"),
        ({"codes": CODES.astype(float) * 1e300, "factor_sizes": SIZES}, "codes holds NaN, Inf or"),
        ({"codes": np.ones((6, 1_001)), "factor_sizes": SIZES}, "codes has 1001 latents; valid"),
        ({"codes": CODES, "factor_sizes": SIZES, "logvar": CODES.T}, "logvar has shape [2, 6]"),
        ({"codes": CODES, "factor_sizes": SIZES, "logvar": CODES > 0}, "logvar has dtype bool"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(
    path: Path, arrays: dict[str, Array], message: str
) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    assert refused(path).startswith(message)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"\x93NUMPY\x01\x00", b"PK\x03\x04" * 9])
def test_other_files_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert refused(path).startswith("not a whole .npz file (")


def test_a_file_that_is_not_there_is_an_os_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent.npz"):
        read_npz(tmp_path / "absent.npz")
    with pytest.raises(OSError, match=str(tmp_path)):
        read_npz(tmp_path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_cut_short_anywhere_is_refused(path: Path, save: Callable[..., None]) -> None:
    save(path, codes=CODES, factor_sizes=SIZES)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_byte_never_raises_anything_else(path: Path, save: Callable[..., None]) -> None:
    save(path, codes=CODES, factor_sizes=SIZES)
    whole = path.read_bytes()
    # Of most bytes a checksum takes care; some (dates, say) may be anything.
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            table = read_npz(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            np.testing.assert_array_equal(table.codes, CODES[None])


def npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_members(path: Path, codes: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("codes.npy", codes)
        archive.writestr("factor_sizes.npy", npy(SIZES))


def test_a_member_that_is_no_array_is_refused(path: Path) -> None:
    write_members(path, b"hello, this is text")
    assert refused(path).startswith("codes is not a NumPy array (")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"(6, 2)", b"(6, 2"),
        (b"(6, 2)", b"(6; 2)"),
        (b"'<f4'", b"'<q9'"),
        (b"NUMPY\x01", b"NUMPY\x09"),
    ],
)
def test_a_header_that_does_not_parse_is_refused(path: Path, old: bytes, new: bytes) -> None:
    codes = npy(CODES)
    assert old in codes
    write_members(path, codes.replace(old, new.ljust(len(old))))
    assert refused(path).startswith("codes is not a NumPy array (")


def test_a_header_that_promises_more_than_the_file_holds_is_refused(path: Path) -> None:
    write_members(path, npy(CODES).replace(b"(6, 2), }   ", b"(6, 200), } "))
    assert refused(path) == "codes declares 4,928 bytes and holds 176"


def test_a_compression_that_numpy_never_writes_is_refused(path: Path) -> None:
    write_members(path, npy(CODES), zipfile.ZIP_BZIP2)
    assert refused(path) == "codes is compressed by method 12; valid: deflate"


@pytest.mark.parametrize("limit_gib", [0.01, 16.0])
def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    path: Path, monkeypatch: pytest.MonkeyPatch, limit_gib: float
) -> None:
    # 64 MiB of zeros in 64 KiB: over the limit, or else with more rows than the factors make.
    zeros = np.zeros((2**22, 4), np.float32)
    np.savez_compressed(path, codes=zeros, factor_sizes=SIZES)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(npz, "MAX_GIB", limit_gib)
    tracemalloc.start()
    message = refused(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    expected = {0.01: "arrays of 0.1 GiB; valid: at most 0.01 GiB", 16.0: "codes has 4194304 rows"}
    assert message.startswith(expected[limit_gib])
