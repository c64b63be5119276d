from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from grids.datasets import DATASETS
from orchestrator import data_files
from orchestrator.data_files import ORIGINAL_FILES, OriginalFile, files_of, missing_files

EVERY_FILE = sorted(
    {file for alternatives in ORIGINAL_FILES.values() for files in alternatives for file in files},
    key=lambda file: (file.folder, file.name),
)


def place(file: OriginalFile, data_dir: Path) -> None:
    file.path(data_dir).parent.mkdir(parents=True, exist_ok=True)
    file.path(data_dir).touch()


def names(files: tuple[OriginalFile, ...]) -> list[str]:
    return [file.name for file in files]


def test_needs_the_standard_library_only() -> None:
    tree = ast.parse(Path(data_files.__file__).read_text())
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert imported <= sys.stdlib_module_names


def test_has_every_dataset_that_reads_stored_images() -> None:
    stored = {name for name, dataset in DATASETS.items() if dataset().stored}
    drawn = {name for name in stored if name.startswith("song")}  # stored because slow to draw
    assert set(ORIGINAL_FILES) == stored - drawn


@pytest.mark.parametrize("file", EVERY_FILE, ids=lambda file: file.name)
def test_a_file_says_where_it_is_and_how_a_good_copy_is_told(file: OriginalFile) -> None:
    assert file.urls
    assert all(re.fullmatch(r"https?://[^/ ]+/[^ ]+", url) for url in file.urls)
    assert Path(file.name).name == file.name and not file.name.startswith(".")
    assert file.size_bytes is None or file.size_bytes > 0
    if file.checksum is None:
        assert "fingerprint" in file.note
    else:
        digits = {"sha256": 64, "md5": 32, "git-sha1": 40}[file.checksum.algorithm]
        assert re.fullmatch(f"[0-9a-f]{{{digits}}}", file.checksum.digest)


def test_no_two_files_share_a_place_or_a_checksum_but_under_two_names() -> None:
    places = [(file.folder, file.name) for file in EVERY_FILE]
    assert len(set(places)) == len(places)
    digests = [file.checksum.digest for file in EVERY_FILE if file.checksum]
    assert len(digests) - len(set(digests)) == 1  # MPI3D's real.npz and its former name


def test_a_file_lies_in_its_folder_of_the_data_directory(tmp_path: Path) -> None:
    (car,) = files_of("cars3d", tmp_path)
    assert car.path(tmp_path) == tmp_path / "cars3d" / "nips2015-analogy-data.tar.gz"


def test_the_first_alternative_is_the_one_to_fetch(tmp_path: Path) -> None:
    (sprites,) = files_of("dsprites", tmp_path)
    assert sprites.name == "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
    assert missing_files("dsprites", tmp_path) == (sprites,)


def test_a_later_alternative_counts_once_all_of_it_is_there(tmp_path: Path) -> None:
    for dataset in ("dsprites", "scream_dsprites", "mpi3d_real"):
        first, second = ORIGINAL_FILES[dataset]
        for file in second:
            assert files_of(dataset, tmp_path) == first
            place(file, tmp_path)
        assert files_of(dataset, tmp_path) == second
        assert missing_files(dataset, tmp_path) == ()


def test_the_first_of_several_alternatives_that_are_there_is_taken(tmp_path: Path) -> None:
    for files in ORIGINAL_FILES["mpi3d_real"]:
        place(files[0], tmp_path)
    assert names(files_of("mpi3d_real", tmp_path)) == ["real.npz"]


def test_only_what_is_not_there_is_missing(tmp_path: Path) -> None:
    training = files_of("smallnorb_michlo", tmp_path)
    assert len(training) == 3
    for file in training:
        place(file, tmp_path)
    assert missing_files("smallnorb_michlo", tmp_path) == ()
    assert [file.name.split("-")[2] for file in missing_files("smallnorb", tmp_path)] == [
        "testing"
    ] * 3


def test_the_scream_is_needed_beside_the_sprites(tmp_path: Path) -> None:
    place(files_of("dsprites", tmp_path)[0], tmp_path)
    assert names(missing_files("scream_dsprites", tmp_path)) == ["scream.jpg"]


def test_a_drawn_dataset_needs_nothing(tmp_path: Path) -> None:
    assert files_of("xysquares", tmp_path) == missing_files("xysquares", tmp_path) == ()
