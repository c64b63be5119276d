"""The report of Michlo et al. 2023: its figures, tables and claims."""

from __future__ import annotations

from results.report.blocks import Section
from results.report.michlo2023 import claims, compute, importance, learning_order, scores
from results.report.michlo2023.experiments import experiments
from results.report.michlo2023.measured import measured
from results.report.studies import Studies


def sections(studies: Studies) -> list[Section]:
    """Every section of the paper, those too that these studies have no numbers for."""
    found, distances = experiments(studies), measured(studies)
    learnings = learning_order.learnings(studies, distances)
    return [
        *scores.sections(found),
        *importance.sections(distances),
        *learning_order.sections(learnings),
        *compute.sections(found, studies),
        *claims.sections(found, distances, learnings),
    ]
