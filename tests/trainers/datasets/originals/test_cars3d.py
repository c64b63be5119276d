from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import savemat

from trainers.datasets.originals import archive, cars3d
from trainers.datasets.originals.cars3d import Cars3D

Array = npt.NDArray[Any]
Members = list[tuple[str, bytes]]

ELEVATIONS, AZIMUTHS, SIDE = 2, 3, 4
NAMES = ["car_010_mesh", "car_003_mesh", "car_200_mesh"]  # as listed: neither by name nor by place
LIST = ("data/cars/list.txt", "\n".join(NAMES).encode() + b"\n")


def im(car: int) -> Array:
    """uint8 [row, column, channel, azimuth, elevation]; no two pixels of a car's views alike."""
    shape = (SIDE, SIDE, 3, AZIMUTHS, ELEVATIONS)
    return ((np.arange(np.prod(shape)) * 7 + 50 * car) % 256).astype(np.uint8).reshape(shape)


def mat(variables: dict[str, Any], compressed: bool = True) -> bytes:
    file = io.BytesIO()
    savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def car(number: int, compressed: bool = True) -> tuple[str, bytes]:
    mask = np.ones((SIDE, SIDE, AZIMUTHS, ELEVATIONS), dtype=np.float64)
    content = mat({"mask": mask, "im": im(number)}, compressed)
    return f"data/cars/{NAMES[number]}.mat", content


def members(**changed: bytes) -> Members:
    """The archive's, the list behind the cars and other datasets around them."""
    parts: Members = [
        ("data/shapes48.mat", bytes(100_000)),
        car(1),
        car(0, compressed=False),
        LIST,
        ("data/cars/README", b"-"),
        car(2),
        ("data/sprites/sprites_1.mat", b"not of this dataset"),
    ]
    return [(name, changed.get(name, content)) for name, content in parts]


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def write(path: Path, parts: Members, *more: tarfile.TarInfo) -> Cars3D:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        folder = tarfile.TarInfo("data/")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, content in parts:
            add(tar, name, content)
        for info in more:
            tar.addfile(info)
    return Cars3D(path, sizes=(ELEVATIONS, AZIMUTHS, len(NAMES)), image_size=SIDE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nips2015-analogy-data.tar.gz"


@pytest.mark.parametrize("prefix", ["", "./"])
def test_every_view_of_every_car_lands_at_its_index(prefix: str, path: Path, whole: Any) -> None:
    source = write(path, [(prefix + name, content) for name, content in members()])
    assert source.parts == 1
    expected = [
        im(number)[:, :, :, azimuth, elevation]
        for elevation in range(ELEVATIONS)
        for azimuth in range(AZIMUTHS)
        for number in range(len(NAMES))
    ]
    np.testing.assert_array_equal(whole(source), np.stack(expected))


def test_the_published_sizes_are_the_default(path: Path) -> None:
    assert Cars3D(path) == Cars3D(path, (4, 24, 183), 128)


def test_a_car_too_few_and_a_list_of_others_are_refused(path: Path, refused: Any) -> None:
    without = [(name, content) for name, content in members() if "003" not in name]
    refused(write(path, without), path, "expected data/cars/car_003_mesh.mat, found no such file")
    without = [(name, content) for name, content in members() if "list" not in name]
    refused(write(path, without), path, "expected data/cars/list.txt, found no such file")
    listed = {"data/cars/list.txt": LIST[1] + b"car_201_mesh\n"}
    refused(write(path, members(**listed)), path, "expected 3 different names, found 4 names")
    listed = {"data/cars/list.txt": b"\n".join([NAMES[0].encode()] * 3)}
    refused(write(path, members(**listed)), path, "found 3 names, 1 different")
    listed = {"data/cars/list.txt": b"\xff\xfe"}
    refused(write(path, members(**listed)), path, "list.txt: expected a list of names")


def test_a_car_twice_is_refused(path: Path, refused: Any) -> None:
    refused(write(path, [*members(), car(0)]), path, "car_010_mesh.mat once, found it again")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (mat({"mask": np.ones(3)}), "car_200_mesh.mat: expected .*: no array im among mask"),
        (mat({"im": im(0)[:3]}), r"im is uint8 \[3, 4, 3, 3, 2\], not uint8 \[4, 4, 3, 3, 2\]"),
        (mat({"im": im(0).astype(np.int16)}), r"im is int16 \[4, 4, 3, 3, 2\], not uint8"),
        (mat({"im": im(0) > 9}), "im is logical"),
        (mat({"im": im(0)})[:-20], "an end within a variable"),
        (mat({"im": im(0)})[:200], "an end within a variable"),
        (mat({"im": im(0)}, compressed=False)[:400], "an end within a variable"),
        (mat({"im": im(0)}) + b"\0\0\0", "car_200_mesh.mat: expected a MATLAB file of a car"),
        (
            mat({"im": im(0)[:3]}) + mat({"im": im(0)})[128:],
            r"im is read as uint8 \[3, 4, 3, 3, 2\]",
        ),
        (b"", "no MATLAB file of version 5"),
        (b"MATLAB 7.3" + bytes(600), "no MATLAB file of version 5"),
    ],
    ids=[  # the contents hold the time of their making
        *("no array", "another shape", "another type", "truths", "cut short", "cut early"),
        *("cut and plain", "more behind it", "two headers", "empty", "version 7.3"),
    ],
)
def test_another_matlab_file_is_refused(
    content: bytes, message: str, path: Path, refused: Any
) -> None:
    refused(write(path, members(**{"data/cars/car_200_mesh.mat": content})), path, message)


def test_a_damaged_compressed_variable_is_refused(path: Path, refused: Any) -> None:
    content = bytearray(car(2)[1])
    content[-2] ^= 1
    refused(write(path, members(**{"data/cars/car_200_mesh.mat": bytes(content)})), path, "check")


def test_a_variable_that_unpacks_to_more_than_a_car_is_refused(path: Path, refused: Any) -> None:
    packed = zlib.compress(bytes(2**24))
    bomb = mat({})[:128] + struct.pack("<II", 15, len(packed)) + packed
    source = write(path, members(**{"data/cars/car_200_mesh.mat": bomb}))
    refused(source, path, "variables of more than 66,592 bytes")


def test_a_larger_car_is_refused_unread(path: Path, refused: Any) -> None:
    source = write(path, members(**{"data/cars/car_200_mesh.mat": bytes(200_000)}))
    refused(source, path, "car_200_mesh.mat of at most 66,592 bytes, found 200,000")


def test_an_archive_that_unpacks_to_too_much_is_refused(
    path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cars3d, "ARCHIVE_BYTES", 2**22)
    source = write(path, [*members(), ("data/other.mat", bytes(2**23))])
    refused(source, path, "expected at most 4,194,304 bytes unpacked, found more")


def test_an_archive_of_too_many_members_is_refused(
    path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 7)
    refused(write(path, members()), path, "expected at most 7 members, found more")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "data/cars/../../../evil", ".."])
def test_a_name_that_leads_out_of_the_archive_is_refused(
    name: str, path: Path, refused: Any
) -> None:
    source = write(path, members(), tarfile.TarInfo(name))
    refused(source, path, f"expected names below its root, found '{name}'")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_a_link_is_refused(kind: bytes, path: Path, refused: Any) -> None:
    link = tarfile.TarInfo("data/cars/car_999_mesh.mat")
    link.type, link.linkname = kind, "/etc/passwd"
    refused(write(path, members(), link), path, "expected files and folders, found a link")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_announces_gigabytes_is_refused(
    kind: bytes, path: Path, refused: Any
) -> None:
    header = tarfile.TarInfo("long")
    header.type, header.size = kind, 2**32
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members():
            add(tar, name, content)
        assert tar.fileobj is not None
        tar.fileobj.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    refused(Cars3D(path, (2, 3, 3), 4), path, "a header of 4,294,967,296 bytes")


@pytest.mark.parametrize("change", [lambda c: c[:0], lambda c: c[:-1], lambda c: c[: len(c) // 2]])
def test_a_file_cut_short_is_refused(
    change: Callable[[bytes], bytes], path: Path, refused: Any
) -> None:
    source = write(path, members())
    path.write_bytes(change(path.read_bytes()))
    refused(source, path, "expected (a whole .tar.gz file|data/cars)")


def test_a_flipped_byte_is_refused(path: Path, refused: Any) -> None:
    source = write(path, members())
    content = bytearray(path.read_bytes())
    content[-6] ^= 1  # of the checksum, after the last member
    path.write_bytes(content)
    refused(source, path, "expected a whole .tar.gz file, found: CRC check failed")
