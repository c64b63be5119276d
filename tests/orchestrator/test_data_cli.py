from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests

from grids.datasets import DATASETS
from orchestrator.data_picture import dataset_rows
from orchestrator.prepare import here
from orchestrator.signals import interruptible, terminable
from trainers import make_dataset
from trainers.datasets.song.source import SongSource, SongVotes

ROOT = Path(__file__).parents[2]


Command = Callable[..., subprocess.CompletedProcess[str]]


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.strip().splitlines()
    return line


@pytest.fixture(scope="module")
def song2(latentgrid: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with 300 images of song2, prepared."""
    folder = tmp_path_factory.mktemp("data")
    latentgrid("data", "prepare", "song2", "--set", "images=300", "--data-dir", folder, "--local")
    return folder


def test_list_shows_every_dataset_and_what_there_is_to_do(
    latentgrid: Command, tmp_path: Path
) -> None:
    done = latentgrid("data", "list", "--data-dir", tmp_path, "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["datasets"]}
    assert set(rows) == set(DATASETS)
    assert rows["xysquares"]["state"] == "drawn"
    assert rows["song1"]["state"] == "to prepare"
    assert rows["cars3d"]["state"] == "to fetch into cars3d/"
    [file] = rows["cars3d"]["files"]
    assert file["path"] == str(tmp_path / "cars3d" / "nips2015-analogy-data.tar.gz")
    assert file["urls"][0].endswith("/nips2015-analogy-data.tar.gz") and file["size_bytes"] is None
    assert rows["cars3d"]["cyclic_factors"] == ["azimuth"]
    assert rows["scream_dsprites"]["state"] == "to fetch into dsprites/, scream/"
    (tmp_path / "cars3d").mkdir()
    (tmp_path / "cars3d" / "nips2015-analogy-data.tar.gz").touch()
    done = latentgrid("data", "list", "--data-dir", tmp_path, "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["datasets"]}
    assert rows["cars3d"]["state"] == "fetched, to prepare"


def test_list_names_what_is_of_a_wrong_size(
    latentgrid: Command, song2: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(song2, tmp_path, dirs_exist_ok=True)
    original = tmp_path / "shapes3d" / "3dshapes.h5"
    original.parent.mkdir()
    original.write_bytes(b"short")
    images = tmp_path / "prepared" / "song2-300" / "images.npy"
    with open(images, "r+b") as file:
        file.truncate(1000)
    shown = latentgrid("data", "list", "--data-dir", tmp_path).stdout.splitlines()
    assert f"damaged: {original}: is 5 bytes, expected 267,573,662" in "\n".join(shown)
    assert any(line.startswith(f"damaged: {images}: 1,000 bytes") for line in shown)
    assert "prepared: song2-300-votes" in shown
    assert [line.split()[-1] for line in shown if line.startswith("shapes3d ")] == ["damaged"]
    assert all(len(line) <= 80 for line in shown if str(tmp_path) not in line)


def test_verify_finds_a_byte_that_changed(latentgrid: Command, song2: Path, tmp_path: Path) -> None:
    shutil.copytree(song2, tmp_path, dirs_exist_ok=True)
    command = ("data", "prepare", "song2", "--set", "images=300", "--data-dir", tmp_path)
    images = tmp_path / "prepared" / "song2-300" / "images.npy"
    done = latentgrid(*command, "--verify")
    assert done.returncode == 0 and f"{images.parent}: verified" in done.stderr
    with open(images, "r+b") as file:
        file.seek(200_000)
        byte = file.read(1)
        file.seek(200_000)
        file.write(bytes([byte[0] ^ 1]))
    assert "prepared already" in latentgrid(*command).stderr
    assert f"{images}: its bytes are not those" in refusal(latentgrid(*command, "--verify"))


def test_what_was_prepared_of_unverified_files_says_so(
    latentgrid: Command, song2: Path, tmp_path: Path
) -> None:
    shutil.copytree(song2, tmp_path, dirs_exist_ok=True)
    info = tmp_path / "prepared" / "song2-300" / "info.json"
    assert json.loads(info.read_text())["verified"] is True
    info.write_text(json.dumps(json.loads(info.read_text()) | {"verified": False}))
    shown = latentgrid("data", "list", "--data-dir", tmp_path).stdout.splitlines()
    assert "of files that were not verified: song2-300" in shown
    command = ("data", "prepare", "song2", "--set", "images=300", "--data-dir", tmp_path)
    assert f"{info.parent}: was prepared of files that were not" in latentgrid(*command).stderr


def test_plan_refuses_the_data_that_run_refuses(latentgrid: Command, trained: Any) -> None:
    prepared, _, command = trained
    plan = ("plan", command[1], *command[3:])
    assert latentgrid(*plan).returncode == 0
    info = json.loads((prepared / "info.json").read_text())
    (prepared / "info.json").write_text(json.dumps(info | {"fingerprint": "0" * 64}))
    (Path(command[1])).write_text(Path(command[1]).read_text().replace("steps: 3", "steps: 4"))
    assert latentgrid(*plan).returncode == 0  # of the new trial; nothing was run on those images
    with open(prepared / "images.npy", "r+b") as file:
        file.truncate(1000)
    assert str(prepared / "images.npy") in refusal(latentgrid(*plan))


def test_what_is_prepared_with_other_parameters_is_said(
    latentgrid: Command, song2: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    line = refusal(latentgrid("data", "show", "song2", "--out", out, "--data-dir", song2))
    assert "song2; get ready with: latentgrid data prepare song2 --data-dir" in line
    assert line.endswith("(with other parameters there are: song2-300)")
    images = ("--set", "images=300")
    shutil.copytree(song2, tmp_path / "data")
    shutil.rmtree(tmp_path / "data" / "prepared" / "song2-300-votes")
    command = ("data", "show", "song2", *images, "--out", out, "--data-dir", tmp_path / "data")
    assert refusal(latentgrid(*command)).endswith("(of it there is: song2-300)")
    (tmp_path / "data" / "prepared" / "song2-300" / "info.json").unlink()
    left = f"{tmp_path / 'data' / 'prepared' / 'song2-300'}: incomplete"
    assert left in refusal(latentgrid(*command))
    assert f"damaged: {left}" in latentgrid("data", "list", *command[-2:]).stdout


def test_a_file_that_nobody_sends_is_named_with_the_place_for_it(
    latentgrid: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError("nobody there")

    monkeypatch.setattr("orchestrator.fetch.requests.get", nobody)
    monkeypatch.setattr("orchestrator.fetch.time.sleep", lambda seconds: None)
    done = latentgrid("data", "fetch", "scream_dsprites", "--data-dir", tmp_path)
    *waited, line = done.stderr.splitlines()
    assert done.returncode == 2
    assert [line.rpartition("; ")[2] for line in waited] == [
        "again in 1 s",
        "again in 3 s",
        "again in 9 s",
    ]
    name = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.hdf5"
    assert f"or place the file by hand: {tmp_path / 'dsprites' / name}; " in line
    assert line.endswith(f"scream_dsprites needs {tmp_path / 'scream' / 'scream.jpg'} too")


def test_prepare_makes_a_set_and_its_votes_and_a_second_call_does_nothing(
    latentgrid: Command, tmp_path: Path
) -> None:
    command = ("data", "prepare", "song1", "--set", "images=500", "--data-dir", tmp_path, "--local")
    done = latentgrid(*command)
    assert done.returncode == 0, done.stderr
    images = np.load(tmp_path / "prepared" / "song1-500" / "images.npy", mmap_mode="r")
    [batch] = SongSource(1, 500).read(0)
    np.testing.assert_array_equal(images, batch.images)
    votes = tmp_path / "prepared" / "song1-500-votes"
    assert np.load(votes / "images.npy", mmap_mode="r").shape == (80 * 400, 64, 64, 1)
    labels = json.loads((votes / "info.json").read_text())["labels"]
    assert labels == SongVotes(1).labels().tolist()
    assert "prepared already" in latentgrid(*command).stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("prepare", "dsprits"), "did you mean dsprites?"),
        (("prepare", "cars3d", "--set", "resize=lanczos"), "valid: bilinear, antialias"),
        (("prepare", "cars3d", "--set", "resize"), "valid: parameter=value"),
        (("prepare", "cars3d", "--set", "=3"), "valid: parameter=value"),
        (
            ("prepare", "song1", "--set", "images=200", "--set", "images=300"),
            "--set images=300: images stands twice; valid: each parameter once",
        ),
        (("fetch", "cars3d", "--mirror", "ftp://x"), "valid: an address that starts with http"),
        (("show", "xysquares"), "Missing option '--out'; `latentgrid data show --help` says"),
        (("prepare", "song1", "--set", "images=-1"), "at least 1 and at most 2147483648"),
    ],
)
def test_bad_input_is_one_line(
    latentgrid: Command, tmp_path: Path, arguments: Any, complaint: str
) -> None:
    assert complaint in refusal(latentgrid("data", *arguments, "--data-dir", tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_the_published_one_is_refused_and_left(
    latentgrid: Command, tmp_path: Path
) -> None:
    path = tmp_path / "cars3d" / "nips2015-analogy-data.tar.gz"
    path.parent.mkdir()
    path.write_bytes(b"not a car")
    line = refusal(latentgrid("data", "prepare", "cars3d", "--data-dir", tmp_path, "--local"))
    assert str(path) in line and "4e866a7919c1beedf53964e6f7a23686" in line
    taken = ("data", "prepare", "cars3d", "--data-dir", tmp_path, "--local", "--unverified")
    assert str(path) in latentgrid(*taken).stderr.splitlines()[-1]
    assert path.read_bytes() == b"not a car"
    assert not (tmp_path / "prepared" / "cars3d-bilinear").exists()


def test_run_and_plan_name_the_command_that_gets_a_dataset(
    latentgrid: Command, tmp_path: Path
) -> None:
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "study: s\n"
        "trial: {dataset: {name: cars3d, resize: antialias}, framework: beta_vae, beta: 1,\n"
        "  model: conv64, latents: 2, steps: 1}\n"
    )
    command = "latentgrid data prepare cars3d --set resize=antialias"
    command += f" --data-dir {tmp_path / 'data'}"
    options = ("--out", tmp_path / "out", "--data-dir", tmp_path / "data")
    assert command in refusal(latentgrid("run", grid, "--local", *options))
    assert not (tmp_path / "out").exists()
    plan = json.loads(latentgrid("plan", grid, "--json", *options).stdout)
    assert plan["missing_datasets"] == [command]


def test_show_draws_a_row_a_factor_and_one_of_nuisances(
    latentgrid: Command, tmp_path: Path
) -> None:
    out = tmp_path / "factors.png"
    sprites = ("--set", "sprites=dsprites_rendered")
    done = latentgrid("data", "show", "color_dsprites", *sprites, "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().startswith(b"\x89PNG")
    rows = dataset_rows(make_dataset(DATASETS["color_dsprites"](sprites="dsprites_rendered")))  # type: ignore[call-arg]
    assert [name for name, _, _ in rows] == [*DATASETS["dsprites"]().factor_names, "nuisance"]
    for _, positions, images in rows:
        assert images.shape == (len(positions), 64, 64, 3) and images.dtype == np.uint8
        assert len(np.unique(images.reshape(len(images), -1), axis=0)) >= len(positions) - 1
    missing = latentgrid("data", "show", "shapes3d", "--out", out, "--data-dir", tmp_path)
    assert "latentgrid data prepare shapes3d" in refusal(missing)


def test_an_incomplete_folder_is_not_taken_for_prepared(
    latentgrid: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "prepared" / "song1-500"
    folder.mkdir(parents=True)
    command = ("data", "prepare", "song1", "--set", "images=500", "--data-dir", tmp_path, "--local")
    line = refusal(latentgrid(*command))
    assert str(folder) in line and "incomplete" in line
    assert list(folder.iterdir()) == []


@pytest.fixture
def trained(latentgrid: Command, song2: Path, tmp_path: Path) -> tuple[Path, Path, tuple[Any, ...]]:
    """A finished study of those images: its prepared folder, its own, and the command."""
    shutil.copytree(song2, tmp_path, dirs_exist_ok=True)
    grid = tmp_path / "grid.yaml"
    grid.write_text(
        "study: s\n"
        "trial: {dataset: {name: song2, images: 300}, framework: beta_vae, beta: 1,\n"
        "  model: conv64, latents: 2, steps: 3, batch_size: 4}\n"
    )
    command = ("run", grid, "--local", "--out", tmp_path / "out", "--data-dir", tmp_path)
    done = latentgrid(*command)
    assert done.returncode == 0, done.stderr
    return tmp_path / "prepared" / "song2-300", tmp_path / "out" / "s", command


def test_a_prepared_set_is_trained_on_and_named_by_its_fingerprint(trained: Any) -> None:
    prepared, study, _ = trained
    manifest = json.loads((study / "manifest.json").read_text())
    info = json.loads((prepared / "info.json").read_text())
    assert list(manifest["dataset_fingerprints"].values()) == [info["fingerprint"]]


def test_a_finished_study_says_so_without_its_data(latentgrid: Command, trained: Any) -> None:
    prepared, _, command = trained
    shutil.rmtree(prepared)
    done = latentgrid(*command)
    assert done.returncode == 0, done.stderr
    assert "finished: 1 of 1" in done.stderr


def test_other_images_under_the_same_name_are_refused(
    latentgrid: Command, trained: Any, tmp_path: Path
) -> None:
    prepared, study, command = trained
    info = json.loads((prepared / "info.json").read_text())
    (prepared / "info.json").write_text(json.dumps(info | {"fingerprint": "0" * 64}))
    line = refusal(latentgrid(*command))
    assert str(study) in line and "other images of song2 --set images=300" in line
    # Nor does another study take the trial over.
    (tmp_path / "grid.yaml").write_text(
        (tmp_path / "grid.yaml").read_text().replace("s\n", "t\n", 1)
    )
    assert latentgrid(*command).returncode == 0
    trials = pd.read_parquet(tmp_path / "out" / "t" / "trials.parquet")
    assert trials["adopted_from"].isna().all()
    assert set(trials["dataset_fingerprint"]) == {"0" * 64}


def test_damaged_images_are_one_line_before_anything_starts(
    latentgrid: Command, trained: Any, tmp_path: Path
) -> None:
    prepared, _, command = trained
    (prepared / "images.npy").unlink()
    grid = tmp_path / "grid.yaml"
    grid.write_text(grid.read_text().replace("study: s", "study: u"))
    assert str(prepared / "images.npy") in refusal(latentgrid(*command))
    assert not (tmp_path / "out" / "u").exists()
    importance = ("importance", "song2", "--set", "images=300", "--data-dir", tmp_path)
    line = refusal(latentgrid(*importance, "--out", tmp_path / "other"))
    assert str(prepared / "images.npy") in line
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_preparation_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-m", "orchestrator", "data", "prepare", "song7", "--local"]
    command += ["--set", "images=60000", "--data-dir", str(tmp_path)]  # the published take 12 GB
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "prepared"
    deadline = time.monotonic() + 60
    while not list(folder.glob(".song7*.[0-9]*/images.npy")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; nothing half made was kept" in said
    assert [path.name for path in folder.iterdir()] == [".song7-60000-hue.lock"]


def test_a_signal_that_a_callback_swallowed_ends_the_work_after_its_part() -> None:
    with terminable() as check:
        rows = interruptible(here, check)(lambda part: {"part": part}, 3)
        assert next(rows) == {"part": 0}
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            next(rows)


def test_a_data_directory_may_be_named_from_home(
    latentgrid: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LATENTGRID_DATA", "~/pixels")
    done = latentgrid("data", "list", "--json")
    assert json.loads(done.stdout)["data_dir"] == str(tmp_path / "pixels")


@pytest.mark.parametrize("out", ["x.foo", "nowhere/x.png"])
def test_a_picture_that_cannot_be_written_is_refused_first(
    latentgrid: Command, tmp_path: Path, out: str
) -> None:
    line = refusal(latentgrid("data", "show", "xysquares", "--out", tmp_path / out))
    assert str(tmp_path / out) in line
