"""What our sources may not do with bytes from anywhere, read from the sources themselves."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("grids", "metrics", "orchestrator", "results", "trainers", "docs", "benchmarks")
NEVER = {
    "eval": "text as code",
    "pickle.load": "a pickle is a program",
    "pickle.loads": "a pickle is a program",
    "np.memmap": "only with mode='r'",
    "yaml.load": "tags make objects",
    "os.system": "a shell",
    "os.popen": "a shell",
    "tempfile.mktemp": "a name that another may take",
    "shutil.unpack_archive": "writes wherever the archive says",
}
"""Calls that no source has; of `np.memmap` see below."""
NEVER_METHODS = {"extractall", "extract"}


@functools.cache
def calls() -> list[tuple[Path, str, ast.Call]]:
    """Every call of our sources, by its dotted name as it is written."""
    return [
        (path.relative_to(ROOT), ast.unparse(node.func), node)
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]


def said(node: ast.Call) -> dict[str | None, str]:
    return {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}


def test_there_are_calls_to_look_at() -> None:
    names = {name for _, name, _ in calls()}
    assert {"torch.load", "np.load", "YAML", "tarfile.open", "subprocess.run"} <= names


def test_weights_are_loaded_as_weights() -> None:
    for path, name, node in calls():
        if name == "torch.load":
            assert said(node).get("weights_only") == "True", path


def test_arrays_are_loaded_without_pickles() -> None:
    """numpy.load refuses pickles unless it is told; files of others are read header first."""
    for path, name, node in calls():
        if name in ("np.load", "numpy.load", "np.lib.format.read_array"):
            assert said(node).get("allow_pickle", "False") == "False", path
        if name == "np.load":
            assert path.parts[0] == "docs", path
        if name == "np.lib.format.read_array":
            assert said(node)["allow_pickle"] == "False", path


def test_pickles_are_looked_through_first() -> None:
    """The only Unpickler is that of CIFAR's archives, which finds no names but stand-ins."""
    for path in (ROOT / package for package in PACKAGES):
        for file in path.rglob("*.py"):
            found = "pickle.Unpickler" in file.read_text()
            assert not found or file.name == "pickles.py", file


def test_yaml_is_safe() -> None:
    for path, name, node in calls():
        if name == "YAML":
            assert said(node).get("typ") == "'safe'", path


def test_nothing_runs_or_unpacks_what_it_is_given() -> None:
    for path, name, node in calls():
        if name == "np.memmap":
            assert said(node)["mode"] == "'r'", path
            continue
        assert name not in NEVER, f"{path}: {name}: {NEVER.get(name)}"
        assert name.rpartition(".")[2] not in NEVER_METHODS, f"{path}: {name}"
        assert said(node).get("shell", "False") == "False", path
        if name == "exec":  # of nothing: see the comment there
            assert ast.unparse(node) == "exec('')", path


def test_templates_escape_what_they_are_given() -> None:
    made = 0
    for path, name, node in calls():
        if name.rpartition(".")[2] == "Environment" and path.parts[0] != "benchmarks":
            assert said(node).get("autoescape") == "True", path
            made += 1
    assert made >= 2
    for template in (ROOT / "orchestrator/dashboard/templates").iterdir():
        marked = re.findall(r"(\S+)\s*\|\s*safe", template.read_text())
        assert all(text.endswith("'") for text in marked), template  # of our own words alone
