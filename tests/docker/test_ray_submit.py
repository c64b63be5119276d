"""The script that `ray submit` copies to the head's home and runs there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from results import load

ROOT = Path(__file__).resolve().parents[2]


def submitted(home: Path, grid: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs it as on a head: alone in the home, which is the working directory."""
    script = shutil.copy(ROOT / "docker" / "ray_submit.py", home)
    return subprocess.run(
        [sys.executable, script, grid, *options], cwd=home, capture_output=True, text=True
    )


@pytest.mark.slow
@pytest.mark.ray
def test_it_runs_a_study_as_a_job_of_the_heads_cluster(
    tiny_grid: Any, tmp_path: Path, dashboard: str
) -> None:
    tiny_grid("by-ray-submit")
    out = tmp_path / "out"
    done = submitted(tmp_path, "by-ray-submit.yaml", "--address", dashboard, "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "submitted latentgrid-by-ray-submit" in done.stderr and "tables:" in done.stdout
    assert set(load(out / "by-ray-submit").trials["status"]) == {"completed"}


def test_a_head_where_nothing_answers_is_one_clear_line(tiny_grid: Any, tmp_path: Path) -> None:
    tiny_grid()
    done = submitted(tmp_path, "tiny.yaml", "--address", "http://127.0.0.1:9")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert "http://127.0.0.1:9" in line
