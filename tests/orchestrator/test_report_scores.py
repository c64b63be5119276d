"""Reports look for scores by their names; here are those names beside what scoring writes."""

from __future__ import annotations

import pytest

from grids.settings import Evaluate
from metrics import METRICS
from orchestrator.work import representations
from results.report.locatello2019.runs import SCORES


@pytest.mark.parametrize("name", SCORES)
def test_what_the_report_looks_for_is_what_scoring_writes(name: str) -> None:
    score, representation = SCORES[name]
    metric = next(name for name, metric in METRICS.items() if score in metric.scores)
    both = Evaluate(metrics=(metric,), representations=("mean", "sampled"))
    assert representation in representations(metric, both)
