"""A cluster whose workers are still to come: a head that runs no trials has no CPUs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ray.autoscaler.sdk import request_resources

from grids.settings import Resources
from orchestrator.sweep import nodes, unmet_request
from orchestrator.trainer_actor import bundle

PATIENCE_SECONDS = 900.0  # a machine of a cloud, its driver, its image


def await_workers(requests: Sequence[Resources], say: Callable[[str], None]) -> None:
    """Where no node has a CPU to give, returns once every trial can run on some node, or patience
    ends.

    An autoscaler, if there is one, is asked for nodes that can run a trial.
    """
    if _has_cpus():
        return
    say("no node has a CPU to give: waiting for workers ...")
    request_resources(bundles=[bundle(request) for request in dict.fromkeys(requests)])
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while unmet_request(requests) and time.monotonic() < end:
            time.sleep(1)
    finally:
        request_resources(bundles=[])  # it would keep that node for ever


def _has_cpus() -> bool:
    return any(node.get("CPU", 0) > 0 for node in nodes())
