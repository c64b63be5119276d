"""Published hours beside ours."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pandas as pd
import pytest

from grids.load import Grid
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
    assert (row["ours, GPU hours"], row["ours, CPU hours"], row["wasted, GPU hours"]) == (12, 12, 0)


def test_the_published_size_has_a_ratio_that_holds_while_it_runs(made: Any) -> None:
    # 2 losses x 2 frameworks x 10 seeds of 57,600 steps: as many as table 4 says.
    grid = made.grid("augmented_loss", replace=FULL, steps=57_600)
    [row] = table_of(made.studies(grid)).to_dict("records")
    assert row["published hours"] == 80 and row["ratio"] == pytest.approx(1 / 2)

    def status(trial: Trial) -> str:
        return "completed" if trial.seed < 3 else "waiting"

    [row] = table_of(made.studies(grid, status=status)).to_dict("records")
    assert (row["trials"], row["done"]) == (40, 12)
    assert row["ratio"] == pytest.approx(1 / 2)
    assert row["wasted, GPU hours"] == pytest.approx(28)
    running = made.studies(grid, status=lambda trial: "running")
    assert table_of(running)["wasted, GPU hours"].to_list() == [0]


def both(made: Any, variant: str) -> list[Grid]:
    """The studies of figures 9 and 11, which the paper has 400 hours of."""
    model = ("model: conv64", "model: conv64_disent" if variant == "as run" else "model: conv64")
    more = ("[8, 3, 1]", "[8, 7, 6, 5, 4, 3, 2, 1]", "[0, 1, 2]", "[0, 1, 2, 3, 4]")
    return [
        made.grid(
            name,
            study=f"{name}-{variant[3:]}",
            source=f"A paper; {variant}",
            steps=57_600,
            latents=latents,
            replace=(*model, *replace),
        )
        for name, latents, replace in (("overlap", 9, more), ("augmented_loss", 25, FULL))
    ]


def test_published_hours_are_summed_within_a_variant(made: Any) -> None:
    grids = [*both(made, "as printed"), *both(made, "as run")]
    table = table_of(made.studies(*grids))
    assert table["published hours"].to_list() == [320, 80, 320, 80, 400, 400]
    totals = table[table["study"] == ""]
    assert totals["experiment"].to_list() == ["total, as printed", "total, as run"]
    assert totals["ours, GPU hours"].to_list() == [200, 200]
    assert totals["ratio"].to_list() == [0.5, 0.5]
    assert totals["done"].to_list() == [200, 200]


def test_the_ratio_of_a_total_is_of_what_is_done(made: Any) -> None:
    """However far each study is: an hour a trial against two."""
    studies = made.studies(
        *both(made, "as run"),
        status=lambda trial: (
            "completed" if trial.seed < 2 or trial.reconstruction.name == "mse" else "waiting"
        ),
    )
    assert table_of(studies).iloc[-1]["ratio"] == pytest.approx(0.5)


def test_hours_of_gpus_and_of_cpus_have_no_ratio_together(made: Any) -> None:
    studies = made.studies(*both(made, "as run"))
    on_cpus = studies.attempts["study"] == "overlap-run"
    assert on_cpus.any() and not on_cpus.all()
    attempts = studies.attempts.assign(gpu_share=(~on_cpus).astype(float))
    *rows, total = table_of(dataclasses.replace(studies, attempts=attempts)).to_dict("records")
    assert [row["ratio"] for row in rows] == [0.5, 0.5]
    assert total["published hours"] == 400 and math.isnan(total["ratio"])


def test_an_experiment_that_was_run_twice_has_no_total(made: Any) -> None:
    grids = [
        made.grid(
            "augmented_loss",
            study=study,
            source="A paper; as run",
            replace=FULL,
            steps=57_600,
            latents=latents,
        )
        for study, latents in (("one", 25), ("two", 9))
    ]
    assert table_of(made.studies(*grids))["published hours"].to_list() == [80, 80]


def test_ours_have_the_scoring_that_the_published_hours_have(made: Any) -> None:
    """Half an hour on a CPU for the scores of each trial; another attempt left none."""
    studies = made.studies(made.grid("augmented_loss"))
    scoring = studies.attempts.assign(
        attempt_id="2", kind="score", gpu_share=0.0, wall_seconds=1800.0, score_seconds=1800.0
    )
    lost = scoring.assign(attempt_id="3", outcome="lost")
    studies = dataclasses.replace(
        studies,
        attempts=pd.concat([studies.attempts, scoring, lost], ignore_index=True),
        scores=studies.scores.assign(attempt_id="2"),
    )
    [row] = table_of(studies).to_dict("records")
    assert (row["ours, GPU hours"], row["ours, CPU hours"]) == (12, 18)
    assert (row["of it scoring, GPU hours"], row["of it scoring, CPU hours"]) == (0, 6)
    assert (row["wasted, GPU hours"], row["wasted, CPU hours"]) == (0, 6)


def test_adopted_trials_count_with_the_hours_of_their_rows(made: Any) -> None:
    studies = made.studies(made.grid("augmented_loss"))
    adopted = dataclasses.replace(studies, attempts=studies.attempts.head(4))
    [row] = table_of(adopted).to_dict("records")
    assert row["ours, GPU hours"] == 4 * 1 + 8 * 2


def test_what_has_no_such_trials_says_so(made: Any) -> None:
    studies = made.studies(made.grid("learning"))
    [section] = sections(experiments(studies), studies)
    assert isinstance(section.blocks[0], Missing)
