"""Shared by all tests: tiny grids that run in a second, and one local Ray cluster."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

# Before Ray is imported anywhere: no token of the tests in the user's home, none asked for here.
os.environ["HOME"] = tempfile.mkdtemp(prefix="latentgrid-home-")
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["LATENTGRID_LOGICAL_GPUS"] = "1"  # clusters here have GPUs in name only
os.environ.pop("RAY_ADDRESS", None)
# A Ray job runs the `python` that its cluster finds first: this one, as if it were activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

import pytest
import torch
from hypothesis import settings

from grids.load import Grid, load_grid
from results import objects
from tests.object_store import Proxy, make_bucket, s3_server

settings.register_profile("latentgrid", deadline=None)  # timings never fail a test
settings.load_profile("latentgrid")

TINY = """
study: {study}
trial:
  dataset: {{name: xysquares, grid_size: 2, spacing: 16, standardise: true}}
  model: conv64
  latents: 2
  beta: 1e-3
  reconstruction: mse
  batch_size: 4
  steps: {steps}
grid:
  framework: {frameworks}
  seed: {seeds}
evaluate: {{metrics: [mig, factor_vae], every: {every}, during: fast, final: fast}}
{more}
"""

GridMaker = Callable[..., Grid]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the processes of pytest-xdist one has the one cluster of Ray, and one the GPU.

    Tests that share the cluster come after those with one of their own: of two clusters on a
    machine a job of Ray finds either.
    """
    items.sort(key=lambda item: "ray_cluster" in getattr(item, "fixturenames", ()))
    for item in items:
        for resource in ("ray", "gpu"):
            if item.get_closest_marker(resource):
                item.add_marker(pytest.mark.xdist_group(resource))


@pytest.fixture
def tiny_grid(tmp_path: Path) -> GridMaker:
    """Makes a grid of trials of a few steps each: tiny_grid(seeds=[0, 1], steps=6, more="...")."""

    def make(
        study: str = "tiny",
        *,
        steps: int = 6,
        every: str | int = "null",
        frameworks: str = "[beta_vae]",
        seeds: object = "[0, 1]",
        more: str = "",
        replace: tuple[str, str] = ("", ""),
    ) -> Grid:
        path = tmp_path / f"{study}.yaml"
        text = TINY.format(
            study=study, steps=steps, every=every, frameworks=frameworks, seeds=seeds, more=more
        )
        path.write_text(text.replace(*replace) if replace[0] else text)
        return load_grid(path)

    return make


def pytest_configure() -> None:
    # A shell that runs the tests in its background has them, and what they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[str]:
    """The one local cluster that tests share: 2 CPUs, 2 logical GPUs, with its dashboard."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 2,
            "num_gpus": 2,
            "include_dashboard": True,
            # Any free ports: jobs fail where the agent's usual one is another cluster's.
            "dashboard_port": 0,
            "dashboard_agent_listen_port": 0,
            "object_store_memory": 100 * 2**20,
        },
    )
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    yield f"http://{cluster.webui_url}"
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """Where an S3 server of the tests listens."""
    with s3_server() as port:
        yield port


@pytest.fixture
def proxy(s3_port: int) -> Iterator[Proxy]:
    """What stands between the test and the S3 server."""
    between = Proxy(s3_port)
    yield between
    between.close()


@pytest.fixture
def bucket(s3_port: int, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket, which this process and what it starts reach by the proxy."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}",
    }.items():
        monkeypatch.setenv(name, value)
    objects._store.cache_clear()
    yield make_bucket(s3_port)
    objects._store.cache_clear()


@pytest.fixture
def dashboard(ray_cluster: str) -> str:
    """Where the shared cluster's dashboard and job server listen."""
    return ray_cluster
