"""Reading a code table or votes from an .npz file: the one place where this package touches files.

The file may come from anywhere. What it declares is checked in the headers of its arrays before
any of them is read, so neither an array of pickled objects nor a few bytes that unpack to more than
the memory does harm.
"""

from __future__ import annotations

import contextlib
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from metrics.evidence import Evidence
from metrics.inception import Images, Moments
from metrics.sparse import SparseTable, check_sparse_shapes
from metrics.table import CodeTable, as_float32, check_logvar_shape, check_shapes, check_types
from metrics.votes import MAX_FACTORS, Votes, check_vote_shapes

MAX_GIB = 16
TABLE = ("codes", "factor_sizes")  # and optionally logvar
SPARSE = (*TABLE, "encoded_rows", "replicates")  # and optionally logvar
VOTES = ("votes", "labels")  # and optionally codes, votes_logvar, codes_logvar
OPTIONAL = {
    TABLE: ("logvar",),
    SPARSE: ("logvar",),
    VOTES: ("codes", "votes_logvar", "codes_logvar"),
}
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

# What zipfile and zlib raise for bytes that are not what they claim to be. OSError: a seek to a
# place before the file's start; RuntimeError: encrypted, or of a later version of the format.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, OverflowError, RuntimeError)
# The header of an array is a Python literal, and these are what parsing one can raise.
BAD_HEADER = (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def read_npz(path: Path) -> CodeTable | SparseTable | Votes:
    """What is in a file as `numpy.savez` and `numpy.savez_compressed` write it.

    A code table: codes: float [N, Z] or [R, N, Z], row i being factor index i, last factor fastest.
    factor_sizes: int [F], with product N. logvar: optional, as codes.

    Some rows of a code table, in a file with an array of this name: encoded_rows: int [M],
    ascending, the rows r*N + i of replicate r and factor index i. codes: float [M, Z], and logvar,
    of these. factor_sizes; replicates: int [], of the whole table.

    Votes, in a file with an array of this name: votes: float [V, I, Z]. labels: int [V], the factor
    that the images of a vote share, from 0. codes: optional, float [G, Z], of images of all kinds.
    votes_logvar, codes_logvar: optional, as votes and codes.

    Other arrays are not read. ValueError, in one line that names the file and what is wrong with
    it; OSError if it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read(archive)
        except DAMAGED as error:
            raise ValueError(f"{path}: not a whole .npz file ({_one_line(error)})") from error
        except ValueError as error:
            raise ValueError(f"{path}: {_one_line(error)}") from error


def _read(archive: zipfile.ZipFile) -> CodeTable | SparseTable | Votes:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    needed = VOTES if "votes" in members else SPARSE if "encoded_rows" in members else TABLE
    if "votes" in members and "factor_sizes" in members:
        raise ValueError("holds both votes and factor_sizes; valid: votes or a code table")
    for name in needed:
        if name not in members:
            found = ", ".join(sorted(members)[:10]) or "none"
            valid = f"{', '.join(needed)}{' (or votes, labels)' * (needed is TABLE)}"
            raise ValueError(f"no array {name}; needed: {valid}; found: {found}")
    members = {name: members[name] for name in (*needed, *OPTIONAL[needed]) if name in members}

    _check_size(members.values())
    headers = {name: _header(archive, name, info) for name, info in members.items()}
    check_types(**{name: header.dtype for name, header in headers.items()})
    return _READERS[needed](archive, members, headers)


def _check_size(members: Iterable[zipfile.ZipInfo]) -> None:
    gib = sum(info.file_size for info in members) / 2**30
    if gib > MAX_GIB:
        raise ValueError(f"arrays of {gib:,.1f} GiB; valid: at most {MAX_GIB} GiB")


def _code_table(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], headers: dict[str, _Header]
) -> CodeTable:
    shape = headers["factor_sizes"].shape
    if len(shape) != 1 or shape[0] > MAX_FACTORS:
        raise ValueError(f"factor_sizes has shape {list(shape)}; valid: [F], F to {MAX_FACTORS}")
    factor_sizes = _array(archive, members["factor_sizes"])
    check_shapes(headers["codes"].shape, factor_sizes.tolist())
    if "logvar" in headers:
        check_logvar_shape(headers["logvar"].shape, headers["codes"].shape)

    codes = _array(archive, members["codes"])
    logvar = _array(archive, members["logvar"]) if "logvar" in members else None
    return CodeTable.checked(codes, factor_sizes, logvar)


def _sparse_table(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], headers: dict[str, _Header]
) -> SparseTable:
    for name, dimensions in (("factor_sizes", 1), ("replicates", 0)):
        shape = headers[name].shape
        if len(shape) != dimensions or math.prod(shape) > MAX_FACTORS:
            raise ValueError(f"{name} has shape {list(shape)}; valid: {dimensions} dimensions")
    check_sparse_shapes(headers["codes"].shape, headers["encoded_rows"].shape)
    if "logvar" in headers:
        check_logvar_shape(headers["logvar"].shape, headers["codes"].shape)

    arrays = {name: _array(archive, info) for name, info in members.items()}
    return SparseTable(
        as_float32(arrays["codes"]),
        arrays["encoded_rows"].astype(np.int64),
        tuple(arrays["factor_sizes"].tolist()),
        int(arrays["replicates"]),
        as_float32(arrays["logvar"]) if "logvar" in arrays else None,
    )


def _votes(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], headers: dict[str, _Header]
) -> Votes:
    global_shape = headers["codes"].shape if "codes" in headers else None
    check_vote_shapes(headers["votes"].shape, headers["labels"].shape, global_shape)

    codes, labels = (_array(archive, members[name]) for name in VOTES)
    global_codes, logvar, global_logvar = (
        _array(archive, members[name]) if name in members else None for name in OPTIONAL[VOTES]
    )
    return Votes.checked(codes, labels, None, global_codes, logvar, global_logvar)


_READERS: Mapping[tuple[str, ...], Callable[..., CodeTable | SparseTable | Votes]] = {
    TABLE: _code_table,
    SPARSE: _sparse_table,
    VOTES: _votes,
}


def _header(archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> _Header:
    if info.compress_type not in COMPRESSIONS:
        raise ValueError(f"{name} is compressed by method {info.compress_type}; valid: deflate")
    with archive.open(info) as file:
        shape, dtype = _read_header(name, file)
        declared = file.tell() + math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and declared != info.file_size:
        raise ValueError(f"{name} declares {declared:,} bytes and holds {info.file_size:,}")
    return _Header(shape, dtype)


def _read_header(name: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        if version not in HEADER_READERS:
            raise ValueError(f"version {version[0]}.{version[1]} of the format")
        shape, _, dtype = HEADER_READERS[version](file)
    except BAD_HEADER as error:
        raise ValueError(f"{name} is not a NumPy array ({_one_line(error)})") from error
    return shape, dtype


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(info) as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def read_evidence(path: Path) -> Evidence:
    """The terms of the evidence in a trial's own file.

    ValueError, in one line, where it is damaged or has none; OSError if it cannot be opened.
    """
    with _own_file(path, "evidence_", "terms of the evidence") as arrays:
        return Evidence(
            int(arrays["evidence_images"]),
            float(arrays["evidence_reconstruction_per_image"]),
            arrays.get("evidence_kl_nats_by_latent"),
        )


def read_moments(path: Path) -> Images:
    """The moments of Inception features in a trial's own file; errors as of `read_evidence`."""

    def moments(kind: str) -> Moments:
        return Moments(
            int(arrays[f"inception_{kind}_images"]),
            arrays[f"inception_{kind}_mean"],
            arrays[f"inception_{kind}_covariance"],
        )

    with _own_file(path, "inception_", "moments of Inception features") as arrays:
        made = {kind for kind in ("reconstructed", "sampled") if f"inception_{kind}_mean" in arrays}
        return Images(moments("real"), **{kind: moments(kind) for kind in made})


@contextlib.contextmanager
def _own_file(path: Path, prefix: str, what: str) -> Iterator[Mapping[str, npt.NDArray[Any]]]:
    """The arrays whose names begin so, read as `read_npz` reads: headers first."""
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
                members = {name: members[name] for name in members if name.startswith(prefix)}
                _check_size(members.values())
                headers = {name: _header(archive, name, info) for name, info in members.items()}
                if any(header.dtype.hasobject for header in headers.values()):
                    raise ValueError("an array of objects")
                yield {name: _array(archive, info) for name, info in members.items()}
        except KeyError:
            raise ValueError(f"{path}: no {what}") from None
        except DAMAGED as error:
            raise ValueError(f"{path}: not a whole .npz file ({_one_line(error)})") from None
        except (ValueError, TypeError) as error:  # TypeError: an array where a number should be
            raise ValueError(f"{path}: {_one_line(error)}") from None
