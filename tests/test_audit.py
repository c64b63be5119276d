"""The audit of dependencies: what is known fails, what cannot be asked does not."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

PATH = Path(__file__).resolve().parent.parent / ".ci" / "audit.py"
PINNED = Path("constraints.txt")


@pytest.fixture
def audit() -> Any:
    spec = importlib.util.spec_from_file_location("audit", PATH)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answering(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def run(command: list[str], **options: Any) -> Any:
        assert options["timeout"] > 0
        return subprocess.CompletedProcess(command, 1, text, "")

    monkeypatch.setattr(subprocess, "run", run)


def package(*weaknesses: str, **more: str) -> dict[str, Any]:
    vulns = [{"id": number, "fix_versions": ["2"]} for number in weaknesses]
    return {"name": "x", "version": "1", "vulns": vulns, **more}


def test_a_known_weakness_fails(audit: Any, monkeypatch: Any, capsys: Any) -> None:
    answering(monkeypatch, json.dumps({"dependencies": [package("CVE-1"), package()]}))
    assert audit.audit(PINNED) == 1
    assert "x 1: CVE-1, fixed in 2" in capsys.readouterr().out
    monkeypatch.setitem(audit.ACCEPTED, "CVE-1", "does not concern us")
    assert audit.audit(PINNED) == 0


@pytest.mark.parametrize(
    "text", ["", "no JSON", "{}", json.dumps({"dependencies": [package(skip_reason="unknown")]})]
)
def test_what_cannot_be_asked_is_said(audit: Any, monkeypatch: Any, capsys: Any, text: str) -> None:
    answering(monkeypatch, text)
    assert audit.audit(PINNED) == 0
    assert "skipped" in capsys.readouterr().out


def test_it_does_not_wait_for_long(audit: Any, monkeypatch: Any, capsys: Any) -> None:
    def run(command: list[str], **options: Any) -> Any:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    assert audit.audit(PINNED) == 0 and audit.SECONDS <= 120
    assert "skipped" in capsys.readouterr().out
