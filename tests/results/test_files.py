from __future__ import annotations

import errno
import os
import resource
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from results import files
from results.files import atomic_write, temporary_beside


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    atomic_write(path, b"old")
    atomic_write(path, b"new", durable=False)
    assert path.read_bytes() == b"new"
    assert [found.name for found in path.parent.iterdir()] == ["file"]


def test_temporary_names_start_with_a_dot_and_lie_beside(tmp_path: Path) -> None:
    with temporary_beside(tmp_path / "file") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A real short write: the process may not make files larger than 1,000 bytes."""
    path = tmp_path / "file"
    atomic_write(path, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            atomic_write(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_an_error_at_any_step_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(PermissionError):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_durable_files_are_synced_before_they_get_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    calls: list[str] = []

    def recorded(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(os, name)

        def call(*arguments: object) -> object:
            calls.append(name)
            return real(*arguments)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, recorded(name))
    atomic_write(tmp_path / "file", b"data", durable=durable)
    assert calls == (["fsync", "replace", "fsync"] if durable else ["replace"])


def test_a_reader_sees_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic_write(path, bytes(200_000))
    done = threading.Event()

    def write() -> None:
        for value in range(200):
            atomic_write(path, bytes([value % 256]) * 200_000, durable=False)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = 0
    while not done.is_set():
        data = path.read_bytes()
        assert len(data) == 200_000 and len(set(data[::1000])) == 1
        seen += 1
    writer.join()
    assert seen > 1


@pytest.mark.parametrize("write", ["replacing", "create"])
def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """Neither write(2) nor fsync(2) knows a name, nor does pyarrow."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "file"
    with pytest.raises(OSError, match="No space left") as error:
        if write == "create":
            files.create(path, b"text")
        else:
            files.atomic_write(path, b"text")
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(path))
    assert os.listdir(tmp_path) == []
