"""The studies as Prometheus metrics, in its text format; docker/ has a Grafana board of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.dashboard.overview import counts_of, hours_of
from orchestrator.dashboard.study import Snapshot, WatchedStudy
from results.hours import by_stage

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "latentgrid_study_readable": ("1 if the study's files can be read, else 0", ()),
    "latentgrid_study_running": ("1 while a driver runs the study and shows life, else 0", ()),
    "latentgrid_trials": ("trials of the grid by state", ("state",)),
    "latentgrid_steps": ("steps of all trials of the grid", ()),
    "latentgrid_steps_done": ("steps done of them, those in checkpoints included", ()),
    "latentgrid_steps_per_second": ("pace of the trials that train now", ()),
    "latentgrid_scores": ("final scores that the grid asks for and that are there", ()),
    "latentgrid_scores_wanted": ("final scores that the grid asks for", ()),
    "latentgrid_allocated_gpu_seconds": ("share of a GPU times wall time", ("stage", "use")),
    "latentgrid_allocated_cpu_seconds": ("CPUs times wall time", ("stage", "use")),
    "latentgrid_seconds_left": ("time to the end of training at this pace; absent if unknown", ()),
    "latentgrid_allocated_seconds_left": (
        "GPU seconds (CPU seconds, if no GPU is used) that the steps left take at the cost so far",
        (),
    ),
}
"""Name, help, and labels beside `study`. All are gauges: a study can lose rows by hand."""
USES = ("useful", "in_progress", "wasted")


class _Studies(Collector):
    def __init__(self, studies: Mapping[str, WatchedStudy]) -> None:
        self._studies = studies

    def collect(self) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(name, text, labels=["study", *labels])
            for name, (text, labels) in GAUGES.items()
        }
        for study, watched in self._studies.items():
            readable = watched.snapshot is not None and watched.problem is None
            families["latentgrid_study_readable"].add_metric([study], float(readable))
            if watched.snapshot is not None:
                for name, labels, value in _samples(watched.snapshot):
                    families[name].add_metric([study, *labels], value)
        yield from families.values()


def _samples(snapshot: Snapshot) -> Iterator[tuple[str, tuple[str, ...], float]]:
    status = snapshot.status
    yield "latentgrid_study_running", (), float(snapshot.driver == "running")
    for state, count in counts_of(snapshot).items():
        yield "latentgrid_trials", (state,), count
    yield "latentgrid_steps", (), status.steps
    yield "latentgrid_steps_done", (), status.steps_done
    yield "latentgrid_steps_per_second", (), status.steps_per_second
    yield "latentgrid_scores", (), status.scores
    yield "latentgrid_scores_wanted", (), status.scores_wanted
    for stage, row in by_stage(snapshot.accounted).iterrows():
        for device in ("gpu", "cpu"):
            for use in USES:
                name = f"latentgrid_allocated_{device}_seconds"
                yield name, (str(stage), use), row[f"{use}_{device}_hours"] * 3600
    if status.eta_hours is not None:
        yield "latentgrid_seconds_left", (), status.eta_hours * 3600
    left = hours_of(snapshot).left
    if left is not None:
        yield "latentgrid_allocated_seconds_left", (), left * 3600


def exposition(studies: Mapping[str, WatchedStudy]) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Studies(studies))
    return generate_latest(registry)
