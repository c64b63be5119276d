from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from results import scratch

HOLD = """
from results.scratch import scratch
with scratch() as folder:
    (folder / "copy").write_text("of an object")
    print(folder, flush=True)
    input()
"""


def test_what_a_killed_process_left_is_cleared_and_what_a_live_one_holds_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def held() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    (killed, left), (live, used), (late, new) = held(), held(), held()
    for process in (killed, late):
        process.kill()
        process.communicate()
    (tmp_path / "another's").mkdir()
    (tmp_path / f"{scratch.PREFIX}link").symlink_to(tmp_path / "another's")
    for folder in (left, used, tmp_path / "another's"):
        os.utime(folder, times=(time.time() - 3600,) * 2)
    scratch.clear()
    assert not left.exists() and (used / "copy").exists() and new.exists()
    assert (tmp_path / "another's").exists()
    live.communicate("\n")
    assert live.returncode == 0 and not used.exists()
