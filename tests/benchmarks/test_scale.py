"""A grid of Locatello's shape, made small, through the simulated cluster."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.ray
def test_a_study_on_several_nodes_leaves_every_row_no_record_and_a_small_driver(
    tmp_path: Path,
) -> None:
    line = [sys.executable, "-m", "benchmarks.scale", "--trials", "252", "--nodes", "2"]
    done = subprocess.run(
        [*line, "--json", str(tmp_path / "found.json"), "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    for run in ("run", "run again", "a seed more", "run again, compacted"):
        assert found[run]["peak_mb"] < 1000
    assert found["attempts by outcome"]["failed"] == 1  # and completed in its second try
    counts = found["status by trial"]
    assert counts["diverged"] > 0 and sum(counts.values()) == found["rows"]["trials"] == 2 * 252
    assert set(counts) == {"completed", "diverged"}
    assert found["rows"]["scores"] == counts["completed"] * 4  # of MIG one, of the other three
    assert found["rows"]["curves"] == 2 * 252
    assert found["loose files"] > 0 and found["loose files, compacted"] == 0
