from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from grids.data_folder import DataFolder
from grids.datasets import DATASETS, ScreamDSprites, Song
from orchestrator import data_files
from orchestrator.data_files import ORIGINAL_FILES, OriginalFile, files_of
from orchestrator.data_sets import original_files

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


def test_everything_that_is_stored_comes_from_files_or_is_made_here(tmp_path: Path) -> None:
    for dataset in (kind() for kind in DATASETS.values()):
        files = original_files(dataset, DataFolder(tmp_path))
        assert bool(files) == (dataset.stored != () and not isinstance(dataset, Song))


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


def test_a_later_alternative_counts_once_all_of_it_is_there(tmp_path: Path) -> None:
    for dataset in ("dsprites", "mpi3d_real"):
        first, second = ORIGINAL_FILES[dataset]
        for file in second:
            assert files_of(dataset, tmp_path) == first
            place(file, tmp_path)
        assert files_of(dataset, tmp_path) == second


def test_the_first_of_several_alternatives_that_are_there_is_taken(tmp_path: Path) -> None:
    for files in ORIGINAL_FILES["mpi3d_real"]:
        place(files[0], tmp_path)
    assert names(files_of("mpi3d_real", tmp_path)) == ["real.npz"]


def test_the_two_smallnorbs_share_their_training_files(tmp_path: Path) -> None:
    training = files_of("smallnorb_michlo", tmp_path)
    assert files_of("smallnorb", tmp_path)[:3] == training
    assert ["testing" in file.name for file in files_of("smallnorb", tmp_path)[3:]] == [True] * 3


def test_the_scream_takes_the_sprites_in_either_form(tmp_path: Path) -> None:
    data = DataFolder(tmp_path)
    for sprites in ORIGINAL_FILES["dsprites"][1]:
        place(sprites, tmp_path)
    files = original_files(ScreamDSprites(), data)
    assert [file.name.rpartition(".")[2] for file in files] == ["npz", "jpg"]
    assert names(original_files(ScreamDSprites(), data, ["scream"])) == ["scream.jpg"]
    rendered = ScreamDSprites(sprites="dsprites_rendered")
    assert names(original_files(rendered, data)) == ["scream.jpg"]


def test_what_is_drawn_needs_nothing(tmp_path: Path) -> None:
    assert files_of("xysquares", tmp_path) == ()
