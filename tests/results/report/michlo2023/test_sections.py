"""The whole report as a page: of full studies, of what still runs, and of nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import pytest

from grids.trial import Trial
from results.report.michlo2023 import sections
from results.report.write import write_report

matplotlib.use("agg")
TITLES = [
    "Figure 6: scores of squares without overlap and of other images",
    "Figure 9: scores against the spacing of the squares",
    "Figure 11: scores with and without the blur in the loss",
    "Distances between images",
    "Learning order: which factors a growing capacity learns first",
    "Table 4 of the supplement: compute",
    "Claims",
]


def half(trial: Trial) -> str:
    return ("completed", "failed", "waiting")[trial.seed % 3]


@pytest.mark.parametrize(
    "name", ["overlap", "adversarial", "augmented_loss", "learning", "measured"]
)
@pytest.mark.parametrize("status", [lambda trial: "waiting", half])
def test_a_study_that_still_runs_has_all_sections(made: Any, name: str, status: Any) -> None:
    found = sections(made.studies(made.grid(name), status=status))
    assert [section.title for section in found] == TITLES
    assert all(section.blocks for section in found)


def test_studies_together_make_one_page(made: Any, tmp_path: Path) -> None:
    studies = made.everything()
    page = write_report(studies, tmp_path / "report").read_text()
    for words in ("Figure 6", "supplement_figure_1", "Learning order", "Table 4", "Claims"):
        assert words in page
    assert (tmp_path / "report" / "tables" / "table_1.csv").exists()
    assert "nan" not in page.split("<h2", 1)[1].lower().replace("nans", "").split("base64")[0]
