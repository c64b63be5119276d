from __future__ import annotations

import gzip
import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.originals.norb import SmallNORB

Array = npt.NDArray[Any]
Edit = Callable[[dict[str, Array]], None]
# Categories, instances of a split, elevations, azimuths, lightings.
SIZES = (3, 2, 3, 4, 2)
SIDE = 6
INSTANCES = {"training": (4, 8), "testing": (1, 5)}


def matrix(array: Array) -> bytes:
    """The binary matrix format, from its description at NYU."""
    magic = {"uint8": 0x1E3D4C55, "int32": 0x1E3D4C54, "float32": 0x1E3D4C51}[array.dtype.name]
    dimensions = list(array.shape) + [1] * (3 - array.ndim)
    header = struct.pack("<ii", magic, array.ndim)
    header += b"".join(struct.pack("<i", size) for size in dimensions)
    return header + array.astype(array.dtype.newbyteorder("<")).tobytes()


def image(category: int, instance: int, elevation: int, azimuth: int, lighting: int) -> Array:
    """An image that says what it is of, with bytes beyond 127."""
    pixels = np.arange(200, 200 + SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
    pixels[0, :5] = (category, instance, elevation, azimuth, lighting)
    return pixels


def arrays(split: str) -> dict[str, Array]:
    categories, _, elevations, azimuths, lightings = SIZES
    labels = list(
        itertools.product(
            range(categories),
            INSTANCES[split],
            range(elevations),
            range(azimuths),
            range(lightings),
        )
    )
    order = np.random.default_rng(len(split)).permutation(len(labels))
    rows = [labels[place] for place in order]
    return {
        "dat": np.stack([np.stack([image(*row), 255 - image(*row)]) for row in rows]),
        "cat": np.array([row[0] for row in rows], dtype=np.int32),
        "info": np.array([(i, e, 2 * a, li) for _, i, e, a, li in rows], dtype=np.int32),
    }


def write(folder: Path, split: str, edit: Edit = lambda arrays: None) -> tuple[Path, Path, Path]:
    files = arrays(split)
    edit(files)
    for kind, array in files.items():
        (folder / f"{split}-{kind}.mat.gz").write_bytes(gzip.compress(matrix(array), 1))
    dat, cat, info = (folder / f"{split}-{kind}.mat.gz" for kind in ("dat", "cat", "info"))
    return dat, cat, info


def michlo(*splits: tuple[Path, Path, Path]) -> SmallNORB:
    return SmallNORB(splits, sizes=SIZES, instance_is_nuisance=False, image_size=SIDE)


def test_both_sets_together_have_the_instance_as_nuisance(
    tmp_path: Path, whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainers.datasets.originals.batches.BATCH_BYTES", 7 * 2 * SIDE * SIDE)
    splits = (write(tmp_path, "training"), write(tmp_path, "testing"))
    categories, _, elevations, azimuths, lightings = SIZES
    sizes = (categories, 4, elevations, azimuths, lightings)
    source = SmallNORB(splits, sizes=sizes, instance_is_nuisance=True, image_size=SIDE)
    assert source.parts == 2
    expected = [
        image(c, instance, e, a, li)
        for c, e, a, li in itertools.product(
            range(categories), range(elevations), range(azimuths), range(lightings)
        )
        for instance in (1, 4, 5, 8)
    ]
    np.testing.assert_array_equal(whole(source), np.stack(expected)[..., None])


def test_the_training_set_alone_has_the_instance_as_factor_by_rank(
    tmp_path: Path, whole: Any
) -> None:
    categories, _, elevations, azimuths, lightings = SIZES
    expected = [
        image(*labels)
        for labels in itertools.product(
            range(categories), (4, 8), range(elevations), range(azimuths), range(lightings)
        )
    ]
    source = michlo(write(tmp_path, "training"))
    assert source.parts == 1
    np.testing.assert_array_equal(whole(source), np.stack(expected)[..., None])


def test_the_published_sizes_are_the_default() -> None:
    files = (Path("dat"), Path("cat"), Path("info"))
    assert SmallNORB((files, files)) == SmallNORB((files, files), (5, 10, 9, 18, 6), True, 96)


def set_label(name: str, row: int, column: int | None, value: int) -> Edit:
    def edit(arrays: dict[str, Array]) -> None:
        arrays[name][row if column is None else (row, column)] = value

    return edit


def repeat_a_row(arrays: dict[str, Array]) -> None:
    for array in (arrays["cat"], arrays["info"]):
        array[7] = array[3]


def replace(name: str, change: Callable[[Array], Array]) -> Edit:
    def edit(arrays: dict[str, Array]) -> None:
        arrays[name] = change(arrays[name])

    return edit


@pytest.mark.parametrize(
    ("edit", "kind", "message"),
    [
        (set_label("info", 5, 2, 3), "info", "expected azimuth one of 0, 2, 4, 6, found 3 in row"),
        (set_label("info", 5, 2, 8), "info", "azimuth one of 0, 2, 4, 6, found 8 in row 5"),
        (set_label("info", 5, 2, -2), "info", "found -2 in row 5"),
        (set_label("info", 2, 1, 3), "info", "expected elevation one of 0, 1, 2, found 3"),
        (set_label("info", 2, 3, 2), "info", "expected lighting one of 0, 1, found 2"),
        (set_label("info", 2, 0, 6), "info", "expected 2 instances, found 4, 6, 8"),
        (set_label("cat", 9, None, 3), "cat", "expected category one of 0, 1, 2, found 3 in row 9"),
        (repeat_a_row, "info", r"every combination of labels once, found category \d, .* row 7"),
        (replace("cat", lambda a: a[:-1]), "cat", r"expected shape \[144\], found \[143\]"),
        (replace("info", lambda a: a[:, :3]), "info", r"shape \[144, 4\], found \[144, 3\]"),
        (replace("dat", lambda a: a[:, :1]), "dat", r"\[144, 2, 6, 6\], found \[144, 1, 6, 6\]"),
        (replace("dat", lambda a: a[:, 0]), "dat", "expected 4 dimensions, found 3"),
        (replace("dat", lambda a: a.astype(np.int32)), "dat", "uint8 .*0x1e3d4c55.* 0x1e3d4c54"),
        (replace("info", lambda a: a.astype(np.float32)), "info", "int32 .* found 0x1e3d4c51"),
    ],
)
def test_other_labels_and_shapes_are_refused(
    edit: Edit, kind: str, message: str, tmp_path: Path, refused: Any
) -> None:
    files = write(tmp_path, "training", edit)
    refused(michlo(files), files[("dat", "cat", "info").index(kind)], message)


def test_a_row_twice_is_named_in_the_split_where_it_is(tmp_path: Path, refused: Any) -> None:
    splits = (write(tmp_path, "training"), write(tmp_path, "testing", repeat_a_row))
    source = SmallNORB(splits, sizes=(3, 4, 3, 4, 2), image_size=SIDE)
    row = arrays("testing")["info"][3]
    found = f"instance {row[0]}, elevation {row[1]}, azimuth {row[2]}, lighting {row[3]} again"
    refused(source, splits[1][2], found)


@pytest.mark.parametrize("kind", ["dat", "cat", "info"])
@pytest.mark.parametrize("kept", [0, 5, 12, 30, -9, -1])
def test_a_file_cut_short_is_refused(kind: str, kept: int, tmp_path: Path, refused: Any) -> None:
    files = write(tmp_path, "training")
    path = files[("dat", "cat", "info").index(kind)]
    path.write_bytes(path.read_bytes()[:kept])
    refused(michlo(files), path, "expected a whole gzip file, found: ")


def test_a_matrix_cut_short_in_a_whole_gzip_file_is_refused(tmp_path: Path, refused: Any) -> None:
    files = write(tmp_path, "training")
    files[0].write_bytes(gzip.compress(gzip.decompress(files[0].read_bytes())[:-10]))
    refused(michlo(files), files[0], "an end 10 bytes too early")


@pytest.mark.parametrize("position", [3, -6])
def test_a_flipped_byte_is_refused(position: int, tmp_path: Path, refused: Any) -> None:
    files = write(tmp_path, "training")
    content = bytearray(files[0].read_bytes())
    content[position if position < 0 else len(content) // position] ^= 0x10
    files[0].write_bytes(content)
    refused(michlo(files), files[0], "expected a whole gzip file, found: ")


def test_reading_stops_behind_the_declared_end(
    tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = write(tmp_path, "training")
    bomb = gzip.compress(gzip.decompress(files[1].read_bytes()) + bytes(2**24))
    files[1].write_bytes(bomb)
    pieces = []
    read = gzip.GzipFile.read

    def counted(stream: gzip.GzipFile, size: int | None = -1) -> bytes:
        pieces.append(read(stream, size))
        return pieces[-1]

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    refused(michlo(files), files[1], r"expected an end after \[144\], found more bytes")
    assert sum(map(len, pieces)) == 8 + 3 * 4 + 4 * 144 + 1


def test_a_missing_file_is_no_damaged_one(tmp_path: Path, whole: Any) -> None:
    files = write(tmp_path, "training")
    files[2].unlink()
    with pytest.raises(FileNotFoundError, match="training-info"):
        whole(michlo(files))
