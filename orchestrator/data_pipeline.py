"""A preparation as a Ray Data pipeline: streamed, as many tasks at once as there are CPUs."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.token_source import prepare_token

Row = dict[str, Any]

TASK_BYTES = 600 * 2**20
"""What a task is reckoned with: torch, and a part of an HDF5 file unpacked."""


@contextlib.contextmanager
def on_cluster(
    address: str | None, local: bool
) -> Iterator[Callable[[Callable[[int], Row], int], Iterator[Row]] | None]:
    """`on_ray_data` with Ray connected to `address`; None with `local`, where Ray stays out."""
    if local:
        yield None
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    prepare_token(address)
    from orchestrator.cluster import connected
    from orchestrator.terminal import Terminal

    # Nobody watches minutes of work in the dashboard, and it takes 200 MB.
    with connected(address, "data", Terminal(stderr=True, quiet=True), dashboard=False):
        yield on_ray_data


def on_ray_data(task: Callable[[int], Row], count: int) -> Iterator[Row]:
    """The rows of task(0) ... task(count - 1) as they come; needs an initialised Ray.

    What flows through Ray are a few numbers a task: images go from the source to the file within
    one task. A task whose worker died is run again, and writes the same bytes.
    """
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False  # ours counts images
    numbers = ray.data.range(count, override_num_blocks=count)
    yield from numbers.map(lambda row: task(int(row["id"])), memory=TASK_BYTES).iter_rows()
