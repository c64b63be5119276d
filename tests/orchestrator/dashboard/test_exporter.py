from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.dashboard.exporter import GAUGES, exposition
from orchestrator.dashboard.study import WatchedStudy
from results.store import StudyFolder

DOCKER = Path(__file__).resolve().parents[3] / "docker"
BOARD = json.loads((DOCKER / "grafana/boards/latentgrid.json").read_text())


def test_the_metrics_of_a_study(five: Any, ask: Any) -> None:
    broken = five.folder.out / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    [answer] = ask(five.folder.out, "/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.type == "gauge"
        for sample in family.samples:
            labels = tuple(sample.labels[name] for name in ("study", *GAUGES[sample.name][1]))
            found.setdefault(sample.name, {})[labels] = sample.value
    assert set(found) == set(GAUGES)
    assert found["latentgrid_study_readable"] == {("broken",): 0, ("five",): 1}
    assert found["latentgrid_trials"] == {
        ("five", state): 1 for state in ("waiting", "running", "completed", "diverged", "failed")
    }
    assert found["latentgrid_steps"]["five",] == 300
    assert found["latentgrid_steps_done"]["five",] == 150
    assert found["latentgrid_steps_per_second"]["five",] == pytest.approx(0.1)
    assert found["latentgrid_scores"]["five",] == 1
    assert found["latentgrid_scores_wanted"]["five",] == 8
    cpu = found["latentgrid_allocated_cpu_seconds"]
    assert cpu["five", "train", "useful"] == pytest.approx(1200)
    assert cpu["five", "train", "in_progress"] == pytest.approx(300)
    assert cpu["five", "train", "wasted"] == pytest.approx(600)
    assert sum(cpu.values()) == pytest.approx(2100)
    assert set(found["latentgrid_allocated_gpu_seconds"].values()) == {0.0}
    assert found["latentgrid_seconds_left"]["five",] == pytest.approx(1500)
    assert found["latentgrid_allocated_seconds_left"]["five",] == pytest.approx(1500)


def test_a_label_may_hold_any_name(five: Any) -> None:
    watched = WatchedStudy(StudyFolder(five.folder.root))
    watched.refresh()
    name = 'a "quoted"\\ \n name'
    families = text_string_to_metric_families(exposition({name: watched}).decode())
    assert {s.labels["study"] for family in families for s in family.samples} == {name}


def test_the_board_asks_for_metrics_and_labels_that_are_exported() -> None:
    queries = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
    queries += [variable["query"] for variable in BOARD["templating"]["list"]]
    asked = set(re.findall(r"latentgrid_\w+", " ".join(queries)))
    assert asked == set(GAUGES)  # none of another name, and none that nobody sees
    for query in queries:
        [*metrics] = re.findall(r"latentgrid_\w+", query)
        labels = {"study", *(label for metric in metrics for label in GAUGES[metric][1])}
        assert set(re.findall(r"(\w+)=", query)) <= labels, query
        assert set(re.findall(r"by \((\w+)\)", query)) <= labels, query


def test_the_board_finds_its_data_source_and_prometheus_the_dashboard() -> None:
    [source] = yaml.safe_load(
        (DOCKER / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )["datasources"]
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {source["uid"]}
    [scraped] = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert scraped["static_configs"] == [{"targets": ["127.0.0.1:8280"]}]
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    for service in services.values():
        for volume in service["volumes"]:
            host_path = volume.split(":")[0]
            assert not host_path.startswith(".") or (DOCKER / host_path).exists()


def test_the_readme_of_the_board_names_every_metric() -> None:
    rows = re.findall(r"^\| `(latentgrid_\w+)`", (DOCKER / "README.md").read_text(), re.MULTILINE)
    assert rows == list(GAUGES)
