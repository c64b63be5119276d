"""The study that the faults come over, what it is without any, and a small disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from grids.load import Grid
from results.files import Location
from tests.orchestrator.conftest import assert_same_answers, run_study
from tests.orchestrator.faults.small_disk import SmallDisk
from tests.orchestrator.faults.watching import assert_clean

ROOT = Path(__file__).resolve().parents[3]


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


class FaultCluster:
    """A head without CPUs and nodes of one CPU each, on this machine alone."""

    def __init__(self, nodes: int) -> None:
        command = [sys.executable, "-m", "tests.orchestrator.faults.cluster", str(nodes)]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._answer("address ")

    def remove_node(self) -> None:
        """Without grace: its processes are killed."""
        self._tell("remove")

    def add_node(self) -> None:
        self._tell("add")

    def close(self) -> None:
        self._process.communicate(timeout=60)

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        self._answer("done")

    def _answer(self, start: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(start):
                return line.removeprefix(start).strip()
        raise AssertionError("the cluster has ended")


@pytest.fixture(scope="module")  # not longer: of two clusters a job of Ray finds either
def cluster() -> Iterator[FaultCluster]:
    cluster = FaultCluster(nodes=2)
    yield cluster
    cluster.close()


class Driver:
    """A driver's process on the cluster, with what it said."""

    def __init__(self, grid_file: Path, out: Location, address: str) -> None:
        if isinstance(out, Path):
            out.mkdir(exist_ok=True)
        module = "tests.orchestrator.faults.driver"
        command = [sys.executable, "-m", module, str(grid_file), str(out), address]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def finish(self, seconds: float = 600.0) -> tuple[int, str]:
        try:
            text, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            text, _ = self.process.communicate()
            raise AssertionError(f"the driver has not ended:\n{text}") from None
        return self.process.returncode, text


@pytest.fixture
def drive(
    tiny_grid: Any, tmp_path: Path, cluster: FaultCluster
) -> Iterator[Callable[[Path], Driver]]:
    """Starts a driver of the grid file that `tiny_grid` wrote last."""
    drivers: list[Driver] = []

    def start(out: Path) -> Driver:
        drivers.append(Driver(tmp_path / "tiny.yaml", out, cluster.address))
        return drivers[-1]

    yield start
    for driver in drivers:
        if driver.process.poll() is None:  # of a test that failed
            driver.process.kill()
            driver.process.communicate()
