"""Locatello et al. 2019, Challenging Common Assumptions in the Unsupervised Learning of
Disentangled Representations: six methods, six metrics, seven datasets."""

from __future__ import annotations

from results.report.blocks import Section
from results.report.locatello2019 import (
    agreement,
    claims,
    downstream,
    selection,
    spread,
    theorem,
    total_correlation,
    variance,
)
from results.report.locatello2019.analyses import analyse
from results.report.locatello2019.runs import runs_of
from results.report.studies import Studies


def sections(studies: Studies) -> list[Section]:
    """In the order of the paper; published numbers are those of the study slides."""
    runs = runs_of(studies)
    found = analyse(runs)
    return [
        theorem.section(studies.theorem_1),
        total_correlation.section(runs, found),
        agreement.section(runs, found),
        spread.section(runs),
        variance.section(runs, found),
        selection.section(runs, found),
        downstream.section(runs, found),
        claims.section(runs, found, studies.theorem_1),
    ]
