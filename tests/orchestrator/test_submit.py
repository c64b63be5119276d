"""A study as a Ray job on a real local cluster."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ray.job_submission import JobStatus, JobSubmissionClient

from grids.load import load_grid
from orchestrator import submit as submission
from orchestrator.errors import Exit
from orchestrator.submit import JobRunning, follow, submission_id, submit
from results import load
from tests.orchestrator.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.ray


def wait_until_ended(client: JobSubmissionClient, job: str, seconds: float = 90.0) -> JobStatus:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = client.get_job_status(job)
        if status.is_terminal():
            return status
        time.sleep(0.2)
    raise AssertionError(client.get_job_logs(job))


def test_a_submitted_study_runs_from_the_carried_files_and_is_refused_while_it_runs(
    tiny_grid: Any, tmp_path: Path, dashboard: str, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = tiny_grid("submitted", steps=120)
    client, job = submit(grid, dashboard, str(tmp_path / "out"))
    assert job == submission_id("submitted") == "latentgrid-submitted"
    with pytest.raises(
        JobRunning, match=f"{job}; stop it with: ray job stop {job} --address http://"
    ):
        submit(grid, dashboard, str(tmp_path / "out"))
    assert asyncio.run(follow(client, job)) == Exit.DONE
    assert "tables:" in capsys.readouterr().out
    details = client.get_job_info(job)
    assert details.metadata is not None and details.metadata["study"] == "submitted"
    frames = load(tmp_path / "out" / "submitted")
    assert set(frames.trials["status"]) == {"completed"} and len(frames.trials) == 2
    commits = set(frames.trials["code_version"])
    assert commits == {details.metadata["commit"]}

    _, again = submit(grid, dashboard, str(tmp_path / "out"))  # an ended job makes room
    assert wait_until_ended(client, again) == JobStatus.SUCCEEDED
    assert len(load(tmp_path / "out" / "submitted").attempts) == len(frames.attempts)


def test_the_carried_files_are_all_that_a_worker_needs_of_ours(
    tiny_grid: Any, tmp_path: Path
) -> None:
    submission._stage(tmp_path / "job", tiny_grid())
    packages = ", ".join(submission.PACKAGES)
    code = f"import {packages}; import orchestrator.cli; print(orchestrator.cli.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "job", capture_output=True, text=True
    )
    assert done.stdout.startswith(str(tmp_path / "job")), done.stderr
    assert load_grid(tmp_path / "job" / "grid.yaml").study == "tiny"


@pytest.mark.slow
def test_ray_job_submit_with_the_source_tree_as_working_dir_works_as_well(
    tiny_grid: Any, tmp_path: Path, dashboard: str
) -> None:
    """On workers that have nothing of ours: the development installation is taken out of sight."""
    grid = tiny_grid("by-hand")
    submission._stage(tmp_path / "tree", grid)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in f.__module__]\n"
    )
    environment = {"PYTHONPATH": str(hidden)}
    command = [sys.executable, "-c", "import orchestrator"]
    alone = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "No module named 'orchestrator'" in alone.stderr
    client = JobSubmissionClient(dashboard)
    job = client.submit_job(
        entrypoint=f"python -m orchestrator run grid.yaml --out {tmp_path / 'out'}",
        runtime_env={"working_dir": str(tmp_path / "tree"), "env_vars": environment},
    )
    assert wait_until_ended(client, job) == JobStatus.SUCCEEDED, client.get_job_logs(job)
    assert len(load(tmp_path / "out" / "by-hand").trials) == 2


def test_an_address_where_nothing_answers_is_one_clear_line(tiny_grid: Any, tmp_path: Path) -> None:
    tiny_grid()
    command = [sys.executable, "-m", "orchestrator", "submit", str(tmp_path / "tiny.yaml")]
    command += ["--address", "http://127.0.0.1:9", "--out", "/tmp/out"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    [line] = done.stderr.strip().splitlines()
    assert "http://127.0.0.1:9" in line


def test_ray_job_stop_is_a_clean_stop_with_checkpoints(
    tiny_grid: Any, tmp_path: Path, dashboard: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client, job = submit(tiny_grid("stopped", steps=20_000), dashboard, str(tmp_path / "out"))
    root = tmp_path / "out" / "stopped"
    wait_for(lambda: list((root / "_rows" / "curves").glob("[!.]*.json")), seconds=90)
    client.stop_job(job)
    assert wait_until_ended(client, job) == JobStatus.STOPPED
    attempts = load(root).attempts
    assert set(attempts["outcome"]) == {"interrupted"}
    assert len(list(root.glob("checkpoints/*/*.pt"))) == len(attempts) > 0
    assert asyncio.run(follow(client, job)) == Exit.INTERRUPTED
    assert "interrupted; to go on: the same submit as before" in capsys.readouterr().out


def test_what_is_wrong_on_the_cluster_alone_is_wrong_input_of_submit(
    tiny_grid: Any, tmp_path: Path, dashboard: str
) -> None:
    tiny_grid("nowhere")
    command = [sys.executable, "-m", "orchestrator", "submit", str(tmp_path / "nowhere.yaml")]
    command += ["--address", dashboard, "--out", "/proc/nowhere"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == Exit.WRONG_INPUT, done.stderr
    assert "--out /proc/nowhere: cannot be written" in done.stdout


def test_ctrl_c_detaches_from_a_submitted_study_which_goes_on(
    tiny_grid: Any, tmp_path: Path, dashboard: str
) -> None:
    tiny_grid("detached", steps=300)
    command = [sys.executable, "-m", "orchestrator", "submit", str(tmp_path / "detached.yaml")]
    command += ["--address", dashboard, "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    root = tmp_path / "out" / "detached"
    wait_for(lambda: list((root / "_rows" / "curves").glob("[!.]*.json")), seconds=90)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 0, stderr
    job = "latentgrid-detached"
    assert f"submitted {job}" in stderr and f"detached; {job} goes on" in stderr
    assert wait_until_ended(JobSubmissionClient(dashboard), job) == JobStatus.SUCCEEDED
    assert set(load(root).trials["status"]) == {"completed"}
