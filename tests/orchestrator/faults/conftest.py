"""The study that the faults come over, what it is without any, and disks that can be filled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grids.load import Grid
from tests.orchestrator.conftest import assert_same_answers, run_study
from tests.orchestrator.faults.watching import assert_clean


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Grid], Path]:
    """The folder of the same grid run in this process without a fault, once a grid."""
    done: dict[tuple[Any, ...], Path] = {}

    def folder(grid: Grid) -> Path:
        key = (tuple(trial.trial_id for trial in grid.trials), grid.evaluate)
        if key not in done:
            out = tmp_path_factory.mktemp("undisturbed")
            run_study(grid, out)
            done[key] = out / grid.study
        return done[key]

    return folder


@pytest.fixture
def unharmed(undisturbed: Callable[[Grid], Path]) -> Callable[[Grid, Path], None]:
    """Asserts that a study has the rows of an undisturbed one, and a clean disk."""

    def check(grid: Grid, root: Path) -> None:
        assert_same_answers(root, undisturbed(grid))
        assert_clean(root)

    return check


class SmallDisk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        with open(self._ballast, "ab", buffering=0) as file:
            for size in (2**20, 2**12):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A tmpfs of 64 MiB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk takes root")
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "latentgrid-test", str(path)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    yield SmallDisk(path)
    subprocess.run(["umount", "-l", str(path)], check=True)
