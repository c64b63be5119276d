"""Who may import whom, read from the sources themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("grids", "metrics", "orchestrator", "results", "trainers")
OURS_ALLOWED = {
    "grids": {"grids"},
    "metrics": {"metrics"},
    "results": {"results", "grids"},
    "trainers": {"trainers", "grids"},
    "orchestrator": set(PACKAGES),
}
FORBIDDEN = {
    "trainers": {"ray", "pydantic", "pandas", "time", "datetime"},
    "results": {"torch", "ray"},
    "metrics": {"torch", "ray", "pandas"},
}


def imported(path: Path) -> set[str]:
    """Top-level names of everything that a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{path}: a relative import hides its package")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_arrows(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        names = imported(path)
        assert names & set(PACKAGES) <= OURS_ALLOWED[package], path
        assert not names & FORBIDDEN.get(package, set()), path


def test_only_the_orchestrator_knows_ray() -> None:
    for package in set(PACKAGES) - {"orchestrator"}:
        for path in (ROOT / package).rglob("*.py"):
            assert "ray" not in imported(path), path


@pytest.mark.parametrize("module", ["grids.trial", "grids.parts"])
def test_trials_need_the_standard_library_only(module: str) -> None:
    path = ROOT / f"{module.replace('.', '/')}.py"
    assert imported(path) <= sys.stdlib_module_names | {"grids"}


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("orchestrator.plan", ("torch", "ray")),
        ("orchestrator.cli", ("torch", "ray", "scipy")),
        ("orchestrator.dashboard.serve", ("torch", "ray", "scipy")),
        ("results", ("torch", "ray")),
        ("trainers.fit", ("ray", "pydantic", "pandas", "ruamel")),
    ],
)
def test_a_module_loads_without(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set({absent!r}) & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert loaded.stdout.split() == []


def test_names_of_parts_and_metrics_are_those_of_their_implementations() -> None:
    import metrics
    import trainers
    from grids import parts

    assert set(parts.DATASETS) == set(trainers.DATASETS)
    assert set(parts.FRAMEWORKS) == set(trainers.OBJECTIVES) | set(trainers.BASELINES)
    assert not set(trainers.OBJECTIVES) & set(trainers.BASELINES)
    assert set(trainers.COMPANIONS) <= set(trainers.OBJECTIVES)
    assert set(parts.MODELS) == set(trainers.MODELS)
    assert set(parts.RECONSTRUCTIONS) == set(trainers.RECONSTRUCTIONS)
    assert set(parts.OPTIMIZERS) == set(trainers.OPTIMIZERS)
    assert set(parts.SCHEDULES) == set(trainers.SCHEDULES)
    assert set(parts.METRICS) == set(metrics.METRICS)
