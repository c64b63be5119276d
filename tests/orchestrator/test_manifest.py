from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator import machine, manifest
from results.store import StudyFolder


def written(grid: Any, root: Path, epoch: int, code_version: str = "one") -> dict[str, Any]:
    folder = StudyFolder(root, epoch=epoch)
    manifest.write(folder, grid, {}, code_version)
    content: dict[str, Any] = json.loads(folder.manifest.read_text())
    return content


@pytest.fixture(autouse=True)
def without_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StudyFolder, "check_fence", lambda self: None)


def test_the_manifest_says_from_which_epoch_on_which_versions_made_the_rows(
    tiny_grid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = tiny_grid()
    first = written(grid, tmp_path / "tiny", 0)
    assert written(grid, tmp_path / "tiny", 1)["runs"] == first["runs"]  # nothing has changed
    now = machine.versions()
    assert {"numba", "scikit-learn", "numpy"} <= set(now)
    monkeypatch.setattr(machine, "versions", lambda: now | {"numba": "99"})
    assert written(grid, tmp_path / "tiny", 2)["versions"]["numba"] == "99"
    runs = written(grid, tmp_path / "tiny", 3, code_version="two")["runs"]
    assert [run["from_epoch"] for run in runs] == [0, 2, 3]
    assert [run["code_version"] for run in runs] == ["one", "one", "two"]
    assert [run["versions"]["numba"] for run in runs] == [now["numba"], "99", "99"]


def test_the_manifest_has_what_the_sizes_fast_and_full_stand_for(
    tiny_grid: Any, tmp_path: Path
) -> None:
    metrics = written(tiny_grid(), tmp_path / "tiny", 0)["metrics"]
    assert list(metrics) == ["mig", "factor_vae"]
    assert metrics["mig"]["sizes"] == {"fast": {"samples": 2_000}, "full": {"samples": 10_000}}
    assert metrics["mig"]["version"] == 1
