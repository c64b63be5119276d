"""Published hours beside ours."""

from __future__ import annotations

import math
from typing import Any

import pytest

from grids.trial import Trial
from results.published.michlo2023 import EXPERIMENTS, TOTAL_HOURS
from results.report.blocks import Missing
from results.report.michlo2023.compute import hours_table, sections
from results.report.michlo2023.experiments import experiments

FULL = ("seed: [0, 1, 2]", "seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]")


def test_published_hours_add_up() -> None:
    assert sum(experiment.hours for experiment in EXPERIMENTS.values()) == TOTAL_HOURS


def table_of(studies: Any) -> Any:
    return hours_table(experiments(studies), studies)


def test_another_size_has_no_published_hours(made: Any) -> None:
    [row] = table_of(made.studies(made.grid("augmented_loss"))).to_dict("records")
    assert row["experiment"].endswith("of another size")
    assert math.isnan(row["published hours"]) and math.isnan(row["ratio"])
    assert (row["ours, GPU hours"], row["ours, CPU hours"], row["wasted hours"]) == (24, 12, 0)


def test_the_published_size_has_a_ratio_that_holds_while_it_runs(made: Any) -> None:
    # 2 losses x 2 frameworks x 10 seeds of 57,600 steps: as many as table 4 says.
    grid = made.grid("augmented_loss", replace=FULL, steps=57_600)
    [row] = table_of(made.studies(grid)).to_dict("records")
    assert row["published hours"] == 80 and row["ratio"] == pytest.approx(2 / 2)

    def status(trial: Trial) -> str:
        return "completed" if trial.seed < 3 else "waiting"

    [row] = table_of(made.studies(grid, status=status)).to_dict("records")
    assert (row["trials"], row["done"]) == (40, 12)
    assert row["ratio"] == pytest.approx(2 / 2)
    assert row["wasted hours"] == pytest.approx(28)
    running = made.studies(grid, status=lambda trial: "running")
    assert table_of(running)["wasted hours"].to_list() == [0]


def test_studies_of_the_published_size_are_summed(made: Any) -> None:
    grids = [
        made.grid("augmented_loss", study=name, replace=FULL, steps=57_600, latents=latents)
        for name, latents in (("printed", 25), ("as-run", 9))
    ]
    table = table_of(made.studies(*grids, made.grid("overlap")))
    assert table["published hours"].fillna(0).to_list() == [80, 80, 0, 160]
    assert table.iloc[-1]["experiment"] == "total" and table.iloc[-1]["ours, GPU hours"] == 160


def test_what_has_no_such_trials_says_so(made: Any) -> None:
    studies = made.studies(made.grid("learning"))
    [section] = sections(experiments(studies), studies)
    assert isinstance(section.blocks[0], Missing)
