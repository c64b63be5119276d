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
from metrics.sparse import SparseTable
from metrics.table import CodeTable
from metrics.votes import Votes

Array = np.ndarray[Any, Any]

CODES = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
SIZES = np.array([2, 3])
VOTES = np.random.default_rng(1).standard_normal((4, 3, 2)).astype(np.float32)
LABELS = np.array([0, 1, 1, 2])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "codes.npz"


def table_in(path: Path) -> CodeTable:
    table = read_npz(path)
    assert isinstance(table, CodeTable)
    return table


def votes_in(path: Path) -> Votes:
    votes = read_npz(path)
    assert isinstance(votes, Votes)
    return votes


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
    table = table_in(path)
    np.testing.assert_array_equal(table.codes, CODES[None])
    assert table.logvar is not None
    np.testing.assert_array_equal(table.logvar, -CODES[None])
    assert table.factor_sizes == (2, 3)


def test_reads_replicates_other_widths_and_fortran_order(path: Path) -> None:
    codes = np.asfortranarray(np.stack([CODES, -CODES, 2 * CODES]).astype(">f8"))
    np.savez(path, codes=codes, factor_sizes=SIZES.astype(np.uint8))
    table = table_in(path)
    np.testing.assert_array_equal(table.codes, codes)
    assert table.codes.dtype == np.float32 and table.codes.flags.c_contiguous
    assert table.logvar is None


def test_other_arrays_are_never_read(path: Path) -> None:
    np.savez(path, codes=CODES, factor_sizes=SIZES, note=np.array([{"a": 1}], dtype=object))
    assert table_in(path).factor_sizes == (2, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"factor_sizes": SIZES},
            "no array codes; needed: codes, factor_sizes (or votes, labels); found: ",
        ),
        (
            {"codes": CODES},
            "no array factor_sizes; needed: codes, factor_sizes (or votes, labels); found: codes",
        ),
        ({}, "no array codes; needed: codes, factor_sizes (or votes, labels); found: none"),
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


def sparse_arrays(**changes: Any) -> dict[str, Array]:
    right = {
        "codes": CODES,
        "encoded_rows": np.array([0, 2, 3, 7, 9, 11]),
        "factor_sizes": SIZES,
        "replicates": np.array(2),
    }
    return {**right, **changes}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_some_rows_of_a_table(path: Path, save: Callable[..., None]) -> None:
    save(path, logvar=-CODES, **sparse_arrays())
    table = read_npz(path)
    assert isinstance(table, SparseTable)
    assert (table.factor_sizes, table.replicates, table.num_rows) == ((2, 3), 2, 12)
    np.testing.assert_array_equal(table.codes, CODES)
    np.testing.assert_array_equal(table.encoded_rows, [0, 2, 3, 7, 9, 11])
    assert table.logvar is not None
    np.testing.assert_array_equal(table.logvar, -CODES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": CODES[None]}, "codes has shape [1, 6, 2]; valid: [M, Z]"),
        ({"codes": CODES[:5]}, "encoded_rows has shape [6]; valid: [5]"),
        ({"codes": CODES * np.nan}, "codes holds NaN"),
        ({"encoded_rows": np.arange(6) * 1.0}, "encoded_rows has dtype float64; valid: integers"),
        ({"encoded_rows": np.arange(7, 13)}, "encoded_rows holds 7 to 12"),
        ({"encoded_rows": np.array([2**64 - 1] * 6, np.uint64)}, "encoded_rows holds -1 to -1"),
        ({"encoded_rows": np.arange(6)[::-1]}, "encoded_rows is not ascending"),
        ({"replicates": np.array([2])}, "replicates has shape [1]; valid: 0 dimensions"),
        ({"replicates": np.array(2.0)}, "replicates has dtype float64"),
        ({"factor_sizes": np.array(6)}, "factor_sizes has shape []; valid: 1 dimensions"),
        ({"logvar": CODES[:1]}, "logvar has shape [1, 2]; valid: [6, 2]"),
    ],
)
def test_wrong_rows_of_a_table_are_refused_in_one_line(
    path: Path, changes: dict[str, Array], message: str
) -> None:
    np.savez(path, **sparse_arrays(**changes))
    assert refused(path).startswith(message)


def test_rows_of_a_table_of_unknown_size_are_refused(path: Path) -> None:
    np.savez(path, codes=CODES, factor_sizes=SIZES, encoded_rows=np.arange(6))
    assert refused(path).startswith(
        "no array replicates; needed: codes, factor_sizes, encoded_rows"
    )


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_votes(path: Path, save: Callable[..., None]) -> None:
    save(path, votes=VOTES, labels=LABELS)
    votes = votes_in(path)
    np.testing.assert_array_equal(votes.codes, VOTES)
    np.testing.assert_array_equal(votes.labels, LABELS)
    assert votes.factors == 3 and votes.global_codes is None
    note = np.array([{"a": 1}], dtype=object)
    save(path, votes=VOTES.astype(">f8"), labels=LABELS.astype("i1"), codes=CODES, note=note)
    votes = votes_in(path)
    np.testing.assert_array_equal(votes.codes, VOTES)
    assert votes.global_codes is not None
    np.testing.assert_array_equal(votes.global_codes, CODES)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"votes": VOTES}, "no array labels; needed: votes, labels; found: votes"),
        (
            {"votes": VOTES, "labels": LABELS, "codes": CODES, "factor_sizes": SIZES},
            "holds both votes and factor_sizes; valid: votes or a code table",
        ),
        ({"votes": VOTES.astype(object), "labels": LABELS}, "votes has dtype object"),
        ({"votes": VOTES, "labels": LABELS.astype(object)}, "labels has dtype object"),
        ({"votes": VOTES, "labels": LABELS * 1.0}, "labels has dtype float64; valid"),
        ({"votes": VOTES, "labels": LABELS, "codes": CODES > 0}, "codes has dtype bool; valid"),
        ({"votes": VOTES[0], "labels": LABELS}, "votes has 2 dimensions; valid"),
        ({"votes": VOTES[:, :1], "labels": LABELS}, "votes has 4 votes of 1 images; valid"),
        ({"votes": VOTES, "labels": LABELS[:3]}, "labels has shape [3]; valid: [4], a label"),
        ({"votes": VOTES, "labels": np.array(1)}, "labels has shape []; valid"),
        ({"votes": VOTES, "labels": LABELS - 1}, "labels holds -1 to 1; valid"),
        ({"votes": VOTES, "labels": LABELS * 2**61}, "labels holds 4611686018427387904; valid"),
        ({"votes": VOTES, "labels": LABELS, "codes": CODES.T}, "codes has shape [2, 6]; valid"),
        ({"votes": VOTES, "labels": LABELS, "codes": VOTES}, "codes has shape [4, 3, 2]; valid"),
        ({"votes": VOTES * np.inf, "labels": LABELS}, "votes holds NaN"),
        ({"votes": VOTES, "labels": LABELS, "codes": CODES * np.nan}, "codes holds NaN"),
        ({"votes": np.zeros((4, 3, 1_001)), "labels": LABELS}, "votes has 1001 latents; valid"),
    ],
)
def test_wrong_votes_are_refused_in_one_line(
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
            table = table_in(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            np.testing.assert_array_equal(table.codes, CODES[None])


def test_damaged_votes_never_raise_anything_else(path: Path) -> None:
    np.savez(path, votes=VOTES, labels=LABELS, codes=CODES)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place])
        refused(path)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            votes = read_npz(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
        else:
            # The name of an optional array may be the place.
            assert isinstance(votes, Votes)
            np.testing.assert_array_equal(votes.codes, VOTES)


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


def test_a_zip_bomb_of_votes_is_refused_before_it_is_unpacked(path: Path) -> None:
    zeros = np.zeros((2**20, 4, 4), np.float32)
    np.savez_compressed(path, votes=zeros, labels=LABELS)
    tracemalloc.start()
    message = refused(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**20
    assert message == "labels has shape [4]; valid: [1048576], a label a vote"
