"""A head without CPUs, before its workers are there."""

from __future__ import annotations

from typing import Any

import pytest

from grids.settings import Resources
from orchestrator import sweep, workers
from orchestrator.workers import await_workers

REQUESTS = [Resources(gpus=1, cpus=4), Resources(gpus=1, cpus=4)]


class Cluster:
    """A head; after so many seconds a worker with a GPU, and half way there one without."""

    def __init__(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.comes = 0.0, seconds
        self.asked: list[Any] = []
        self.said: list[str] = []
        for module in (sweep, workers):
            monkeypatch.setattr(module, "nodes", self.nodes)
        monkeypatch.setattr(
            workers, "request_resources", lambda bundles: self.asked.append(bundles)
        )
        monkeypatch.setattr(workers.time, "monotonic", lambda: self.clock)
        monkeypatch.setattr(workers.time, "sleep", self.sleep)

    def nodes(self) -> list[dict[str, float]]:
        other = [{"CPU": 8.0}] if self.clock >= self.comes / 2 else []
        worker = [{"CPU": 4.0, "GPU": 1.0}] if self.clock >= self.comes else []
        return [{"memory": 8e9}, *other, *worker]

    def sleep(self, seconds: float) -> None:
        self.clock += seconds


def test_workers_that_are_there_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(0, monkeypatch)
    await_workers(REQUESTS, cluster.said.append)
    assert cluster.clock == 0 and cluster.said == [] and cluster.asked == []


def test_the_first_worker_is_asked_for_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(200, monkeypatch)
    await_workers(REQUESTS, cluster.said.append)
    assert cluster.clock == 200
    assert cluster.said == ["no node has a CPU to give: waiting for workers ..."]
    assert cluster.asked == [[{"CPU": 4, "GPU": 1}], []]  # taken back, or the node would stay


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(float("inf"), monkeypatch)
    await_workers(REQUESTS, cluster.said.append)
    assert cluster.clock == workers.PATIENCE_SECONDS and cluster.asked[-1] == []
