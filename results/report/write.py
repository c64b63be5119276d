"""A report from tables alone: which sections it has, and its page."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from grids.load import Grid
from grids.reports import GENERIC, REPORTS
from results.report import fil2021, generic, locatello2019, michlo2023, song2018
from results.report.blocks import Missing, Section
from results.report.page import write_page
from results.report.studies import Studies

PAPERS: dict[str, Callable[[Studies], list[Section]]] = {
    "michlo2023": michlo2023.sections,
    "locatello2019": locatello2019.sections,
    "fil2021": fil2021.sections,
    "song2018": song2018.sections,
}
"""The sections of a paper, by the name of its report in grids.reports."""


def sections_of(studies: Studies) -> list[Section]:
    """Those of the papers that the grids name, in the order of the grids, and the generic ones.

    Sections that only say what is missing come last.
    """
    named = dict.fromkeys(grid.report for grid in studies.grids if grid.report != GENERIC)
    found = [section for name in named for section in PAPERS[name](studies)]
    found += generic.sections(studies)
    return sorted(found, key=lambda section: all(isinstance(b, Missing) for b in section.blocks))


def purpose(grid: Grid) -> str:
    """The comment at the head of the grid file, but for the editor's line; empty where none is."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), grid.text.splitlines())
    return " ".join(line.lstrip("# ") for line in lines if "yaml-language-server" not in line)


def write_report(studies: Studies, out: Path) -> Path:
    """Writes the report of these studies to a folder and gives its page's path."""
    papers = dict.fromkeys(REPORTS[grid.report] for grid in studies.grids if grid.report != GENERIC)
    lines = [
        *papers,
        *(
            f"{grid.study}: {' '.join(filter(None, (grid.source, purpose(grid))))}"
            for grid in studies.grids
        ),
        f"Made on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC from the studies' tables.",
    ]
    title = ", ".join(grid.study for grid in studies.grids)
    return write_page(sections_of(studies), out, title=title, lines=lines)
