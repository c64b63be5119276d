"""A study is repeated from what it left: the grid in its folder, and what was installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from results import load


def test_its_own_grid_file_repeats_a_study_bit_for_bit(
    tiny_grid: Any, run: Any, same: Any, latentgrid: Callable[..., Any], tmp_path: Path
) -> None:
    grid = tiny_grid(steps=4, every=2)
    run(grid, tmp_path / "one")
    left = tmp_path / "one" / "tiny" / "study.yaml"
    done = latentgrid("run", left, "--local", "--out", tmp_path / "two")
    assert done.returncode == 0, done.stderr
    same(tmp_path / "one" / "tiny", tmp_path / "two" / "tiny")
    assert (tmp_path / "two" / "tiny" / "study.yaml").read_text() == left.read_text()

    attempts = len(load(tmp_path / "one" / "tiny").attempts)
    again = latentgrid("run", left, "--local", "--out", tmp_path / "one")
    assert again.returncode == 0, again.stderr
    assert len(load(tmp_path / "one" / "tiny").attempts) == attempts
    same(tmp_path / "one" / "tiny", tmp_path / "two" / "tiny")

    printed = latentgrid("environment", tmp_path / "two" / "tiny")
    assert printed.returncode == 0
    head, *lines = printed.stdout.splitlines()
    assert head.startswith("# study tiny: latentgrid ") and "Python 3." in head
    torch = metadata.version("torch")
    public, _, local = torch.partition("+")
    assert f"torch=={public}" + (f"  # it was {torch}" if local else "") in lines
    names = [Requirement(line.partition("#")[0]).name for line in lines]
    assert len(names) > 50 and "latentgrid" not in names


@pytest.mark.parametrize(
    "environment",
    [None, {}, {"distributions": {"-r": "x"}}, {"distributions": {"x": "1\n--index-url=y"}}, [1]],
)
def test_a_manifest_cannot_give_pip_options(
    latentgrid: Callable[..., Any], tmp_path: Path, environment: Any
) -> None:
    run = {"code_version": "x", "versions": {"python": "3"}, "environment": environment}
    content = {"schema_version": 1, "runs": [run]}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    done = latentgrid("environment", tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "does not say what was installed" in line
