"""What fuzzing and reading have found, each as the smallest file that did harm."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from grids.load import load_grid
from grids.trial import GridError
from metrics.npz import read_evidence
from orchestrator import checkpoints, manifest
from orchestrator.adopt import adopt
from orchestrator.dashboard.trial import log_tail
from orchestrator.terminal import Terminal
from orchestrator.trial_log import TrialLog
from results import curves, lease, parquet
from results.arrays import read_arrays
from results.export import export_tensorboard
from results.lease import LeaseHeld
from results.records import encode
from results.schema import SCHEMAS, SchemaError
from results.store import StudyFolder
from results.tables import Tables, load
from tests.fuzz.study import GRID, RECORDED, make_study
from tests.orchestrator.conftest import command
from trainers.datasets.originals.dsprites import DSpritesNpz
from trainers.datasets.source import SourceError
from trainers.inception import InceptionError, read_inception

DEEP = b"[" * 100_000
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return make_study(tmp_path_factory.mktemp("made"))


@pytest.fixture
def study(made: StudyFolder, tmp_path: Path) -> StudyFolder:
    shutil.copytree(made.root, tmp_path / "out" / "small")
    return StudyFolder(tmp_path / "out" / "small")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file that nobody may touch or read."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "precious.json").write_text("secret")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["precious.json"]
    assert (folder / "precious.json").read_text() == "secret"


def one_line_of(error: pytest.ExceptionInfo[Exception]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def place(study: StudyFolder, pattern: str) -> Path:
    if pattern.startswith(RECORDED):
        for table in study.root.glob("*.parquet"):
            table.unlink()
    return next(study.root.glob(pattern))


# --- JSON


@pytest.mark.parametrize(
    "pattern", ["_rows/*/*.json", "attempts/*.json", "manifest.json", "lease/*.json"]
)
def test_json_that_is_nested_deeply(study: StudyFolder, pattern: str) -> None:
    place(study, pattern).write_bytes(DEEP)
    with pytest.raises((SchemaError, LeaseHeld)) as refusal:
        study.check()
        load(study.root)
    one_line_of(refusal)


@pytest.mark.parametrize(
    "change",
    [
        {"trial_ids": []},
        {"seconds": [1]},
        {"trial_ids": ["a", "b"], "wall_seconds": 10**400},
        {"gpu_share": 10**400},
    ],
)
def test_an_attempt_that_holds_something_else(study: StudyFolder, change: dict[str, Any]) -> None:
    path = place(study, "attempts/*.close.json")
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    with pytest.raises(SchemaError, match="close.json: not an attempt of ours") as refusal:
        load(study.root)
    one_line_of(refusal)


@pytest.mark.parametrize("runs", [[1], "x", {"a": 1}, None])
def test_a_manifest_whose_runs_are_something_else(study: StudyFolder, runs: Any) -> None:
    study.manifest.write_text(json.dumps({"schema_version": 1, "runs": runs}))
    with pytest.raises(SchemaError, match="runs are damaged"):
        manifest.write(study, load_grid(study.study_yaml), {}, "made up")


@pytest.mark.parametrize(
    "change",
    [
        {"interval_seconds": 1e300},
        {"interval_seconds": float("nan")},
        {"interval_seconds": "x"},
        {"interval_seconds": -1},
        {"pid": "../../etc/passwd"},
        {"beat": None},
        {"host": 3},
        {"epoch": True},
        {"released": "no"},
    ],
)
def test_a_lease_of_other_types_is_not_waited_for(
    study: StudyFolder, change: dict[str, Any]
) -> None:
    path = place(study, "lease/*.json")
    holder = json.loads(path.read_bytes()) | {"released": False, "host": "another"} | change
    path.write_text(json.dumps(holder))

    def asleep(seconds: float) -> None:
        raise AssertionError("it waits")

    with pytest.raises(LeaseHeld, match="damaged, or not a lease file") as refusal:
        lease.acquire(study, sleep=asleep)
    one_line_of(refusal)


# --- names that rows hold


def rows_with(study: StudyFolder, table: str, name: str, **change: Any) -> None:
    rows = [row | change for row in study.read_record(table, name)]
    study.record(table, name).write_bytes(encode(table, rows))


@pytest.mark.parametrize(
    "name", ["../../../elsewhere/x", "/tmp/x", "..", ".", "", "a\nb", "x" * 300]
)
def test_an_id_leads_nowhere(study: StudyFolder, name: str) -> None:
    for path_of in (
        study.weights,
        study.checkpoint_dir,
        study.artifacts,
        study.fixed_codes,
        study.distances,
        study.log,
        lambda found: study.codes(found, 1),
        lambda found: study.record("trials", found),
        lambda found: study.attempt(found, "open"),
    ):
        with pytest.raises(SchemaError, match="not a name of ours") as refusal:
            path_of(name)
        one_line_of(refusal)


def test_export_writes_below_its_folder_alone(
    study: StudyFolder, elsewhere: Path, tmp_path: Path
) -> None:
    events = elsewhere / "events.out.tfevents.1"
    events.write_text("somebody else's")
    [name] = study.record_names("scores")
    rows_with(study, "scores", name, trial_id="../elsewhere")
    study.table("scores").unlink()
    with pytest.raises(SchemaError, match="not a name of ours"):
        export_tensorboard(load(study.root), tmp_path / "events")
    assert not (tmp_path / "events").exists()
    events.unlink()  # it was still there


def test_adopting_writes_below_its_study_alone(
    study: StudyFolder, elsewhere: Path, tmp_path: Path
) -> None:
    [name] = study.record_names("trials")
    rows_with(study, "trials", name, attempt_id="/../../../../elsewhere/x")
    study.table("trials").unlink()
    grid = load_grid(study.study_yaml)
    ours = lease.acquire(StudyFolder(study.out / "ours")).folder
    assert adopt(ours, grid, {}) == []
    assert not list(ours.root.glob("_rows/trials/*"))


def test_adopting_copies_no_link(study: StudyFolder, elsewhere: Path) -> None:
    grid = load_grid(study.study_yaml)
    first = grid.trials[0].trial_id
    link = study.artifacts(first) / "notes.json"
    link.symlink_to(elsewhere / "precious.json")
    os.mkfifo(study.artifacts(first) / "pipe")
    ours = lease.acquire(StudyFolder(study.out / "ours")).folder
    assert adopt(ours, grid, {}) == [first]
    assert [path.name for path in ours.artifacts(first).iterdir()] == ["pictures.npz"]


def test_compacting_deletes_below_its_study_alone(study: StudyFolder, elsewhere: Path) -> None:
    rows = parquet.read_table(study, "curves")
    assert rows is not None
    ids = pa.array(["../../../../elsewhere/precious"] * len(rows))
    place_of = rows.column_names.index("trial_id")
    pq.write_table(rows.set_column(place_of, "trial_id", ids), study.table("curves"))
    Tables(study).compact()


def test_a_log_is_written_through_no_link(study: StudyFolder, elsewhere: Path) -> None:
    trial_id = load_grid(study.study_yaml).trials[0].trial_id
    for place in (lambda path: path.symlink_to(elsewhere / "precious.json"), os.mkfifo):
        study.log(trial_id).unlink()
        place(study.log(trial_id))
        TrialLog(study.log(trial_id)).write("ours")
        assert study.log(trial_id).read_text().endswith("ours\n")


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "..", ".", ".x", "/tmp/x", "a/b", "a/../../b", "x" * 101, "", " ", "a b", "-/x"),
        *(
            "a\\0b",
            "a\\nb",
            "x\\n",
            "\u2024\u2024/x",
            "\uff0e\uff0e",
            "\u202egnp",
            "\u0430",
            "~",
            "$HOME",
            "%2e",
        ),
    ],
)
def test_a_study_has_no_name_that_leads_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace("study: small", f'study: "{name}"'), encoding="utf-8")
    with pytest.raises(GridError, match="study is") as refusal:
        load_grid(path)
    one_line_of(refusal)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: xysquares", 'name: "../../x"'),
        ("metrics: [mig]", 'metrics: ["../../x"]'),
        ("beta_vae", '"/tmp/x"'),
        ("conv64", '"conv64\\0"'),
    ],
)
def test_nothing_else_of_a_grid_is_a_path(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(GRID.replace(old, new))
    with pytest.raises(GridError, match="; .*valid: ") as refusal:
        load_grid(path)
    one_line_of(refusal)


@pytest.mark.parametrize("given", ["../../x", "/tmp/x", "", "a\0b", "x" * 5000, "%2e%2e", "."])
def test_a_trial_that_is_asked_for_leads_nowhere(
    study: StudyFolder, elsewhere: Path, given: str
) -> None:
    before = sorted(study.out.rglob("*"))
    done = command("traversals", study.root, given)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert sorted(study.out.rglob("*")) == before


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "x\0", "x" * 5000])
def test_a_dataset_that_is_asked_for_leads_nowhere(tmp_path: Path, name: str) -> None:
    for verb in ("fetch", "prepare"):
        done = command("data", verb, name, "--data-dir", tmp_path / "data")
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert not (tmp_path / "data").exists()


# --- what is no file, and what is too much of one


@pytest.mark.parametrize("pattern", ["_rows/trials/*.json", "attempts/*.close.json", "lease/*"])
@pytest.mark.parametrize("kind", ["link", "pipe", "large"])
def test_a_link_a_pipe_and_a_large_file_are_not_read(
    study: StudyFolder,
    elsewhere: Path,
    pattern: str,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("results.records.MOST_BYTES", 2**20)
    path = place(study, pattern)
    path.unlink()
    if kind == "link":
        path.symlink_to(elsewhere / "precious.json")
    elif kind == "pipe":
        os.mkfifo(path)  # opened as a file is, it waits for ever
    else:
        with path.open("wb") as file:
            file.truncate(2**40)  # a hole: it takes no space
    with pytest.raises((SchemaError, LeaseHeld)) as refusal:
        load(study.root)
    assert path.name in one_line_of(refusal) and "secret" not in str(refusal.value)


def test_a_log_that_is_a_link_is_not_shown(study: StudyFolder, elsewhere: Path) -> None:
    trial_id = load_grid(study.study_yaml).trials[0].trial_id
    assert log_tail(study, trial_id) == "it began\n"
    study.log(trial_id).unlink()
    study.log(trial_id).symlink_to(elsewhere / "precious.json")
    assert log_tail(study, trial_id) is None


# --- arrays


def bomb(path: Path, name: str, size: int) -> None:
    """Zeros of many bytes in a file of few: a thousandth."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (size,)}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(size // 2**24):
                file.write(bytes(2**24))


def test_an_archive_that_unpacks_to_more_than_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results.arrays.MOST_BYTES", 2**26)
    monkeypatch.setattr("metrics.npz.MAX_GIB", 2**-4)
    path = tmp_path / "x.npz"
    bomb(path, "evidence_images", 2**27)
    assert path.stat().st_size < 2**18
    with pytest.raises(SchemaError, match="arrays of 134,217"):
        read_arrays(path)
    with pytest.raises(ValueError, match="arrays of 0.1 GiB"):
        read_evidence(path)


def header_claims(shape: tuple[int, ...]) -> bytes:
    content = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, header)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evidence_images.npy", content.getvalue() + bytes(8))
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(2**36,), (2**62, 2**62), (3,), ()])
def test_a_header_that_claims_another_array(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(header_claims(shape))
    if shape == ():  # as it is
        assert read_arrays(path, "evidence_images")["evidence_images"] == 0
        with pytest.raises(ValueError, match="no terms of the evidence"):
            read_evidence(path)
        return
    with pytest.raises(SchemaError, match="declares") as refusal:
        read_arrays(path)
    one_line_of(refusal)
    with pytest.raises(ValueError, match="declares"):
        read_evidence(path)


def test_a_checkpoint_that_is_damaged_in_its_middle_falls_back(study: StudyFolder) -> None:
    [trial_id] = study.checkpoint_steps()
    checkpoints.save(study, trial_id, "000001-x", 20, {"weights": 1})
    newer = study.checkpoint_dir(trial_id) / f"000001-x.{20:012d}.pt"
    assert isinstance(newer, Path)
    content = newer.read_bytes()
    for start in range(0, len(content), 7):
        newer.write_bytes(content[:start] + b"\xe5\xff\x00" + content[start + 3 :])
        found = checkpoints.newest(study, trial_id)
        assert found.step in (10, 20)
    newer.unlink(missing_ok=True)
    os.mkfifo(newer)
    assert checkpoints.newest(study, trial_id).step == 10


# --- tables


def test_a_text_that_is_in_every_row_of_a_small_table(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand rows of a kilobyte, 100 MB, in a file of a few kilobytes."""
    monkeypatch.setattr(parquet, "MOST_TEXT_BYTES", 10_000_000)
    text = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(100_000, np.int32)), pa.array(["x" * 1000])
    )
    schema = SCHEMAS["trials"].empty_table().schema
    table = pa.table({"error": text}).replace_schema_metadata(schema.metadata)
    pq.write_table(table, study.table("trials"))
    assert study.table("trials").stat().st_size < 100_000
    with pytest.raises(SchemaError, match="'error': texts of 100,000,000 bytes"):
        parquet.read_table(study, "trials")


def test_a_footer_of_more_rows_than_memory_has(
    study: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST_BYTES", 100)
    for read in (lambda: parquet.read_table(study, "trials"), lambda: curves.read(study)):
        with pytest.raises(SchemaError, match="rows of .* bytes; valid: at most 100"):
            read()


# --- grids


def test_a_small_grid_file_that_stands_for_hours_of_work(tmp_path: Path) -> None:
    path = tmp_path / "grid.yaml"
    head = (
        "study: x\ntrial: {dataset: {name: xysquares}, model: conv64, framework: beta_vae, "
        "latents: 2, steps: 10}\n"
    )
    numbers = ", ".join(map(str, range(1, 4000)))
    cases = "cases:\n" + "".join(f"  - beta: {beta}\n" for beta in range(1, 4000))
    path.write_text(f"{head}{cases}grid: {{seed: [{numbers}]}}\n")
    with pytest.raises(GridError, match="15,992,001 trials; valid: at most 100,000"):
        load_grid(path)


def test_a_grid_file_with_more_to_exclude_than_can_be_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grids.load.MOST_COMPARISONS", 1000)
    path = tmp_path / "grid.yaml"
    path.write_text(
        "study: x\ntrial: {dataset: xysquares, model: conv64, framework: vae, latents: 2, "
        f"steps: 10}}\ngrid: {{seed: [{', '.join(map(str, range(60)))}]}}\n"
        f"exclude: [{', '.join(f'{{seed: {seed}}}' for seed in range(50))}]\n"
    )
    with pytest.raises(GridError, match=":4:1: 50 items for this many trials"):
        load_grid(path)


# --- what a terminal is shown


def test_what_is_shown_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal().print("could not be scored: [/tmp] \x1b]0;owned\x07 [red]x :smile:", "ünï\nb")
    shown = capsys.readouterr().out
    assert "[/tmp] " in shown and "[red]x :smile:" in shown and "\x1b" not in shown
    assert "ünï\nb" in shown


@pytest.mark.parametrize("table", ["trials", "scores", "curves", "attempts"])
def test_a_table_that_is_a_pipe_is_not_waited_for(study: StudyFolder, table: str) -> None:
    study.table(table).unlink()
    os.mkfifo(study.table(table))
    with pytest.raises(SchemaError, match="a pipe or device") as refusal:
        load(study.root)
    one_line_of(refusal)


def test_a_table_whose_names_are_no_text(study: StudyFolder) -> None:
    path = study.table("trials")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"dataset", b"data\x9aet"))
    with pytest.raises(SchemaError) as refusal:
        load(study.root)
    one_line_of(refusal)


def test_a_table_with_a_column_twice(study: StudyFolder) -> None:
    path = study.table("trials")
    path.write_bytes(path.read_bytes().replace(b"optimizer.beta1", b"optimizer.beta2"))
    with pytest.raises(SchemaError, match=r"trials\.parquet: damaged.*; move it away") as refusal:
        load(study.root)
    one_line_of(refusal)


@pytest.mark.parametrize("attempt_id", ["000001;af38", "", "x", "9" * 5000, "\u0663" * 6])
def test_a_failed_trial_of_an_attempt_that_is_none(study: StudyFolder, attempt_id: str) -> None:
    path = place(study, "_rows/trials/*.json")
    content = json.loads(path.read_bytes())
    [row] = content["rows"]
    content["rows"] = [row | {"status": "failed", "attempt_id": attempt_id}]
    path.write_text(json.dumps(content))
    assert attempt_id in load(study.root).trials["attempt_id"].tolist()


def test_what_a_file_holds_may_be_called_anything(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a\nb.npy", b"")
    with pytest.raises(SourceError, match="expected an array imgs") as refusal:
        next(DSpritesNpz(path).read(0))
    one_line_of(refusal)
    path.write_bytes(b"")
    with pytest.raises(InceptionError, match="EOFError") as empty:
        read_inception(path, torch.device("cpu"))
    one_line_of(empty)


def test_a_folder_whose_name_is_markup_and_of_several_lines(
    tmp_path: Path, study: StudyFolder
) -> None:
    out = tmp_path / "[/x]\n\x1b[31m"
    shutil.copytree(study.root, out / "small")
    done = command("status", out / "small")
    assert done.returncode == 0, done.stderr
    refused = command("status", out)
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1
    assert "\x1b" not in refused.stderr
    (out / "small" / "manifest.json").write_bytes(DEEP)
    damaged = command("status", out / "small")
    assert damaged.returncode == 2 and len(damaged.stderr.splitlines()) == 1
