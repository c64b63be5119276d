"""The driver as its own process: killed, interrupted, doubled. Each starts its own cluster."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.signals import Signals
from results import load
from tests.orchestrator.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


def start(grid: Path, out: Path | str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "orchestrator", "run", str(grid), "--out", str(out), *options]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str], seconds: float = 120.0) -> tuple[int, str]:
    stdout, stderr = process.communicate(timeout=seconds)
    return process.returncode, stdout + stderr


def curves_of(root: Path) -> list[Path]:
    return list((root / "_rows" / "curves").glob("[!.]*.json"))


@pytest.fixture
def grid_file(tiny_grid: Any, tmp_path: Path) -> Path:
    tiny_grid(steps=400, every=100)
    return tmp_path / "tiny.yaml"


@pytest.mark.ray
def test_a_sigkilled_driver_loses_nothing_but_the_attempt(
    grid_file: Path, tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    root = tmp_path / "killed" / "tiny"
    first = start(grid_file, tmp_path / "killed")
    wait_for(lambda: curves_of(root))
    first.kill()
    first.communicate()
    code, text = finish(start(grid_file, tmp_path / "killed"))
    assert code == 0, text
    assert "Ray dashboard: http://127.0.0.1:" in text
    run(tiny_grid(steps=400, every=100), tmp_path / "undisturbed")
    same(root, tmp_path / "undisturbed" / "tiny")
    attempts = load(root).attempts
    lost = attempts[attempts["outcome"] == "lost"]
    assert len(lost) >= 1 and set(lost["epoch"]) == {1}
    assert set(attempts[attempts["outcome"] == "completed"]["epoch"]) <= {1, 2}
    assert not list(root.glob("checkpoints/*")) and not list(root.glob("codes/*"))


@pytest.mark.slow
@pytest.mark.ray
def test_a_driver_killed_again_and_again_at_random_moments_ends_with_the_same_rows(
    grid_file: Path, tiny_grid: Any, tmp_path: Path, run: Any, same: Any
) -> None:
    moments = random.Random(0)
    for _ in range(6):
        process = start(grid_file, tmp_path / "killed")
        time.sleep(moments.uniform(4, 16))  # Ray is up after about four seconds
        process.kill()
        process.communicate()
    code, text = finish(start(grid_file, tmp_path / "killed"))
    assert code == 0, text
    run(tiny_grid(steps=400, every=100), tmp_path / "undisturbed")
    same(tmp_path / "killed" / "tiny", tmp_path / "undisturbed" / "tiny")


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGINT, ["--local"]),
        pytest.param(signal.SIGTERM, [], marks=pytest.mark.ray),
        # The other two pairs take as long and show as much again.
        pytest.param(signal.SIGTERM, ["--local"], marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, [], marks=[pytest.mark.ray, pytest.mark.slow]),
    ],
)
def test_a_signal_ends_a_run_cleanly_with_130_and_running_again_finishes_it(
    grid_file: Path, tmp_path: Path, number: signal.Signals, options: list[str]
) -> None:
    root = tmp_path / "out" / "tiny"
    process = start(grid_file, tmp_path / "out", *options)
    wait_for(lambda: curves_of(root))
    process.send_signal(number)
    code, text = finish(process)
    assert code == 130, text
    assert "to go on: latentgrid run" in text
    attempts = load(root).attempts
    assert "interrupted" in set(attempts["outcome"])
    assert not set(attempts["outcome"]) & {"running", "lost", "failed"}
    assert list(root.glob("checkpoints/*/*.pt"))
    code, text = finish(start(grid_file, tmp_path / "out", "--local"))
    assert code == 0, text
    assert set(load(root).trials["status"]) == {"completed"}


def test_a_second_driver_is_refused_while_the_first_lives(grid_file: Path, tmp_path: Path) -> None:
    root = tmp_path / "out" / "tiny"
    first = start(grid_file, tmp_path / "out", "--local")
    wait_for(lambda: curves_of(root))
    code, text = finish(start(grid_file, tmp_path / "out", "--local"))
    assert code == 2
    assert f"study tiny is being run by host {os.uname().nodename}, pid {first.pid}" in text
    first.send_signal(signal.SIGTERM)
    assert finish(first)[0] == 130


def test_status_from_the_files_while_it_runs(grid_file: Path, tmp_path: Path) -> None:
    root = tmp_path / "out" / "tiny"
    process = start(grid_file, tmp_path / "out", "--local")
    wait_for(lambda: (root / "trials.parquet").exists() and curves_of(root))
    command = [sys.executable, "-m", "orchestrator", "status", str(root), "--json"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    status = json.loads(shown.stdout)
    assert status["trials"] == 2 and status["done"] < 2 and status["failed"] == 0
    assert [trial["steps"] for trial in status["running"]] == [400]
    process.send_signal(signal.SIGINT)
    finish(process)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal by now."""
    status = Path(f"/proc/{pid}/status").read_text()
    [caught] = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


@pytest.mark.ray
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_a_signal_while_ray_starts_ends_it_with_130_too(
    grid_file: Path, tmp_path: Path, seconds: float
) -> None:
    process = start(grid_file, tmp_path / "out")
    wait_for(lambda: catches(process.pid, signal.SIGTERM))
    time.sleep(seconds)
    process.send_signal(signal.SIGTERM)
    code, text = finish(process)
    assert code == 130, text
    assert "to go on: latentgrid run" in text


@pytest.mark.ray
def test_a_request_that_cannot_be_met_is_refused_and_nothing_is_written(
    tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid(more="resources: {cpus: 1, memory: 900TiB}")
    code, text = finish(start(tmp_path / "tiny.yaml", tmp_path / "out"))
    assert code == 2
    assert "no node can give a trial 1 CPU, 0 GPU, 921600.0 GiB memory; the nodes have" in text
    assert "Traceback" not in text and not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no-such-host.invalid:6379"])
def test_an_address_without_a_cluster_is_refused_at_once(
    grid_file: Path, tmp_path: Path, address: str
) -> None:
    code, text = finish(start(grid_file, tmp_path / "out", "--address", address), seconds=40)
    assert code == 2
    assert text.startswith(f"latentgrid: --address {address}: no Ray cluster answers there (")
    assert len(text.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_a_gpu_asked_of_a_machine_without_one_is_refused_and_nothing_is_written(
    tiny_grid: Any, tmp_path: Path
) -> None:
    tiny_grid(more="resources: {gpus: 1}")
    code, text = finish(start(tmp_path / "tiny.yaml", tmp_path / "out", "--local"))
    assert code == 2
    assert text.strip().splitlines()[-1].endswith("this machine has no CUDA device")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_a_study_is_left_alone(grid_file: Path, tmp_path: Path) -> None:
    own = tmp_path / "out" / "tiny" / "study.yaml"
    own.parent.mkdir(parents=True)
    own.write_text("a user's own file")
    code, text = finish(start(grid_file, tmp_path / "out", "--local"))
    assert code == 2 and "not empty, and not a study's folder" in text
    assert own.read_text() == "a user's own file"
    assert list(own.parent.iterdir()) == [own]


def swallowed(number: int, frame: object) -> None:
    """Ray's handlers raise SystemExit, which is lost where it comes in a callback from C."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("handler", ["ours", "of another"])
def test_a_signal_that_was_swallowed_before_the_session_interrupts_it(
    number: signal.Signals, handler: str
) -> None:
    class Interrupted:
        interrupted = False

        def interrupt(self) -> None:
            self.interrupted = True

    session, other = Interrupted(), Interrupted()
    with Signals() as signals:
        if handler == "of another":
            signal.signal(number, swallowed)
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(number)
        signals.attach(session)  # type: ignore[arg-type]
    with Signals() as signals:
        signals.attach(other)  # type: ignore[arg-type]
    assert session.interrupted and not other.interrupted
