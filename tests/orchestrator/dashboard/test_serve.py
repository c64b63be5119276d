"""`latentgrid dashboard` as a user starts and stops it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
Command = Callable[..., subprocess.CompletedProcess[str]]


def test_it_says_where_it_listens_serves_until_ctrl_c_and_writes_nothing(five: Any) -> None:
    def tree() -> list[tuple[str, int]]:
        return [(str(p), p.stat().st_mtime_ns) for p in sorted(five.folder.out.rglob("*"))]

    before = tree()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestrator", "dashboard", str(five.folder.out), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stderr is not None
    with process, process.stderr:
        line = process.stderr.readline()
        found = re.fullmatch(r"dashboard: (http://127\.0\.0\.1:\d+/)\n", line)
        assert found is not None, line
        for path in ("", "study/five/", "metrics"):
            with urllib.request.urlopen(found[1] + path, timeout=30) as answer:
                assert answer.status == 200 and "five" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
    assert tree() == before


def test_what_cannot_be_served_is_one_line(latentgrid: Command, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        in_use = latentgrid("dashboard", tmp_path, "--port", port)
    absent = latentgrid("dashboard", tmp_path / "absent")
    elsewhere = latentgrid("dashboard", tmp_path, "--host", "203.0.113.7", "--port", 0)
    for done, said in (
        (in_use, f"--port {port}: something listens there"),
        (absent, "not a folder"),
        (elsewhere, "--host 203.0.113.7: lets other machines in"),
    ):
        assert done.returncode == 2
        [line] = done.stderr.strip().splitlines()
        assert said in line and "valid: " in line
