"""A study whose `--out` is in an object store: the same rows as on a disk, whatever it does."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from results import files, load
from results.objects import ObjectPath
from results.store import StudyFolder
from tests.object_store import Proxy
from tests.orchestrator.faults.conftest import Driver, FaultCluster
from tests.orchestrator.faults.watching import Polling, assert_accounted, assert_clean
from tests.orchestrator.test_driver import finish, start
from tests.orchestrator.waiting import wait_for

FAULTS = ("error", "half", "lost", "slow", "down")
QUICK = ("half", "lost", "error")
WORK_FILES = {"checkpoints", "codes"}


@pytest.fixture
def out(bucket: str) -> ObjectPath:
    found = ObjectPath.parse(f"{bucket}/runs")
    assert found is not None
    return found


def folders_left(root: ObjectPath) -> set[str]:
    return {name.partition("/")[0] for name in root.below()}


def test_a_study_in_a_bucket_has_the_rows_of_one_on_a_disk_and_is_adopted_from_there(
    tiny_grid: Any, tmp_path: Path, out: ObjectPath, run: Any, same: Any
) -> None:
    grid = tiny_grid(steps=6, every=3)
    run(grid, out)
    run(grid, tmp_path / "disk")
    root = out / "tiny"
    same(root, tmp_path / "disk" / "tiny")
    assert not folders_left(root) & WORK_FILES
    for trial in grid.trials:
        theirs = tmp_path / "disk" / "tiny" / "models" / f"{trial.trial_id}.pt"
        assert StudyFolder(root).weights(trial.trial_id).read_bytes() == theirs.read_bytes()
        assert b"completed at step 6" in StudyFolder(root).log(trial.trial_id).read_bytes()
    run(tiny_grid(study="twin", steps=6, every=3), out)
    twin = load(out / "twin")
    assert set(twin.trials["adopted_from"]) == {"tiny"} and twin.attempts.empty


def test_the_commands_take_a_url(
    tiny_grid: Any, tmp_path: Path, bucket: str, latentgrid: Any
) -> None:
    tiny_grid(seeds=[0])
    grid, out, study = tmp_path / "tiny.yaml", f"{bucket}/runs", f"{bucket}/runs/tiny"
    for arguments, said in (
        (("plan", grid, "--out", out), "1"),
        (("run", grid, "--out", out, "--local"), "1 of 1 trials completed"),
        (("run", f"{study}/study.yaml", "--out", f"{bucket}/again", "--local"), "1 of 1 trials"),
        (("status", study), "1 of 1"),
        (("export", study, "--csv", tmp_path / "csv"), "written"),
        (("compact", study), "merged"),
        (("report", study, "--out", tmp_path / "report"), "written"),
        (("run", grid, "--out", out, "--local"), "1 of 1 trials completed"),
    ):
        ended = latentgrid(*arguments)
        assert ended.returncode == 0 and said in ended.stdout + ended.stderr, ended
    assert (tmp_path / "csv" / "trials.csv").exists()
    trial_id = load(study).trials["trial_id"].iloc[0]
    none = latentgrid("plan", f"{bucket}/runs/none.yaml")
    assert none.returncode == 2 and len(none.stderr.splitlines()) == 1, none.stderr
    assert f"{bucket}/runs/none.yaml: " in none.stderr
    drawn = latentgrid("traversals", study, trial_id, "--out", tmp_path / "t.png")
    assert drawn.returncode == 0 and (tmp_path / "t.png").exists(), drawn


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://no-such-bucket-of-ours/runs", "The specified bucket does not exist"),
        ("s3://b/../x", "valid: names"),
    ],
)
def test_a_place_that_is_none_is_one_clear_line(
    tiny_grid: Any, tmp_path: Path, bucket: str, latentgrid: Any, url: str, said: str
) -> None:
    tiny_grid()
    ended = latentgrid("run", tmp_path / "tiny.yaml", "--out", url, "--local")
    [line] = ended.stderr.strip().splitlines()
    assert ended.returncode == 2 and said in line


def test_missing_credentials_are_one_clear_line(
    bucket: str, latentgrid: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"{os.environ['AWS_ENDPOINT_URL']}/no-role")
    ended = latentgrid("status", f"{bucket}/runs/tiny")
    [line] = ended.stderr.strip().splitlines()
    assert ended.returncode == 2 and "no credentials; valid: those of the store" in line


def test_a_store_that_could_not_keep_two_drivers_apart_is_one_clear_line(
    tiny_grid: Any, tmp_path: Path, out: ObjectPath, proxy: Proxy, latentgrid: Any
) -> None:
    tiny_grid()
    proxy.suffer("if-none-match")
    ended = latentgrid("run", tmp_path / "tiny.yaml", "--out", str(out), "--local")
    [line] = ended.stderr.strip().splitlines()
    assert ended.returncode == 2 and f"--out {out}: cannot be written (the store ignores" in line
    assert out.below() == []


@pytest.mark.parametrize(
    "fault", [f if f in QUICK else pytest.param(f, marks=pytest.mark.slow) for f in FAULTS]
)
def test_a_store_that_fails_now_and_then_costs_no_row(
    tiny_grid: Any,
    tmp_path: Path,
    out: ObjectPath,
    proxy: Proxy,
    run: Any,
    same: Any,
    fault: str,
) -> None:
    grid = tiny_grid(seeds=[0], steps=6, every=3)
    proxy.suffer(fault, every=7)
    run(grid, out)
    proxy.suffer(None)
    run(grid, tmp_path / "disk")
    same(out / "tiny", tmp_path / "disk" / "tiny")
    assert not folders_left(out / "tiny") & WORK_FILES
    assert set(load(out / "tiny").attempts["outcome"]) == {"completed"}


@pytest.mark.slow
def test_a_store_that_is_away_for_30_seconds_costs_time_and_no_attempt(
    tiny_grid: Any, tmp_path: Path, out: ObjectPath, proxy: Proxy, run: Any, same: Any
) -> None:
    grid = tiny_grid(seeds=[0], steps=400, every=100)

    def outage() -> None:
        wait_for(lambda: files.names(StudyFolder(out / "tiny").rows_dir("curves")))
        proxy.suffer("down")
        time.sleep(30)
        proxy.suffer(None)

    away = threading.Thread(target=outage)
    away.start()
    run(grid, out)
    away.join()
    run(grid, tmp_path / "disk")
    same(out / "tiny", tmp_path / "disk" / "tiny")
    assert set(load(out / "tiny").attempts["outcome"]) == {"completed"}


@pytest.mark.slow
@pytest.mark.ray
def test_under_a_cluster_of_two_nodes_a_store_that_fails_in_every_way_costs_no_row(
    tiny_grid: Any, tmp_path: Path, out: ObjectPath, proxy: Proxy, run: Any, same: Any
) -> None:
    """One after the other, while a reader polls: 30 s of `down`, 5 s of one request in seven."""
    grid = tiny_grid(seeds="[0, 1, 2, 3]", steps=1200, every=200)
    true = tmp_path / "true"
    (out / "mischief").create(json.dumps({"true": str(true)}).encode())
    began = time.monotonic()
    cluster = FaultCluster(nodes=2)  # now, as its workers inherit where the bucket is
    try:
        with Polling(out / "tiny") as reader:
            driver = Driver(tmp_path / "tiny.yaml", out, cluster.address)
            wait_for(lambda: files.names(StudyFolder(out / "tiny").rows_dir("curves")))
            for fault in FAULTS:
                away = fault == "down"
                proxy.suffer(fault, every=1 if away else 7)
                time.sleep(30 if away else 5)
                if not away:
                    reader.wait_for_looks()
            proxy.suffer(None)
            assert driver.process.poll() is None, "it had ended before the last fault"
            code, text = driver.finish()
            assert code == 0, text
    finally:
        cluster.close()
    assert_accounted(began, out / "tiny", true)
    run(grid, tmp_path / "disk")
    same(out / "tiny", tmp_path / "disk" / "tiny")
    assert_clean(out / "tiny")
    assert set(load(out / "tiny").attempts["outcome"]) == {"completed"}


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("fault", ["down", "error"])
@pytest.mark.parametrize("options", [["--local"], []])
def test_a_driver_whose_store_is_away_ends_within_a_grace_time_of_30_seconds(
    tiny_grid: Any,
    tmp_path: Path,
    out: ObjectPath,
    proxy: Proxy,
    run: Any,
    same: Any,
    fault: str,
    options: list[str],
) -> None:
    grid = tiny_grid(steps=600, every=150)
    first = start(tmp_path / "tiny.yaml", str(out), *options)
    wait_for(lambda: files.names(StudyFolder(out / "tiny").rows_dir("curves")))
    proxy.suffer(fault)
    time.sleep(3)  # every thread of it waits for the store by now
    signalled = time.monotonic()
    first.send_signal(signal.SIGTERM)
    code, text = finish(first)
    assert code == 130 and "to go on: latentgrid run" in text, text
    assert time.monotonic() - signalled < 25
    proxy.suffer(None)
    code, text = finish(start(tmp_path / "tiny.yaml", str(out)))
    assert code == 0, text
    run(grid, tmp_path / "disk")
    same(out / "tiny", tmp_path / "disk" / "tiny")
    assert not folders_left(out / "tiny") & WORK_FILES


@pytest.mark.slow
@pytest.mark.ray
def test_a_sigkilled_driver_of_a_study_in_a_bucket_loses_nothing_but_the_attempt(
    tiny_grid: Any, tmp_path: Path, out: ObjectPath, run: Any, same: Any
) -> None:
    tiny_grid(steps=400, every=100)
    root = out / "tiny"
    first = start(tmp_path / "tiny.yaml", str(out))
    wait_for(lambda: files.names(StudyFolder(root).rows_dir("curves")))
    first.kill()
    first.communicate()
    code, text = finish(start(tmp_path / "tiny.yaml", str(out)))
    assert code == 0, text
    run(tiny_grid(steps=400, every=100), tmp_path / "disk")
    same(root, tmp_path / "disk" / "tiny")
    attempts = load(root).attempts
    assert set(attempts[attempts["outcome"] == "lost"]["epoch"]) == {1}
    assert not folders_left(root) & WORK_FILES


def test_a_measurement_in_a_bucket_is_reported(
    tmp_path: Path, bucket: str, latentgrid: Any
) -> None:
    out = f"{bucket}/runs"
    made = latentgrid(
        *("importance", "xysquares", "--set", "grid_size=2", "--set", "spacing=16"),
        *("--pairs", "20", "--out", out, "--json"),
    )
    assert made.returncode == 0, made
    told = latentgrid("report", f"{out}/importance", "--out", tmp_path / "report")
    assert told.returncode == 0, told
    assert list((tmp_path / "report" / "tables").glob("*.csv"))
