"""Figures 6, 9 and 11: what is drawn, and their tables."""

from __future__ import annotations

from typing import Any

import matplotlib
import pytest

from grids.trial import Trial
from results.report.blocks import Drawing, Missing, Section, Table
from results.report.michlo2023.experiments import experiments
from results.report.michlo2023.scores import sections

matplotlib.use("agg")


def blocks(found: list[Section], figure: int) -> list[Any]:
    [section] = [s for s in found if s.title.startswith(f"Figure {figure}:")]
    return section.blocks


def planted(trial: Trial, score: str, step: int) -> float:
    """A number of its own for every cell, and the seed in the third digit."""
    value = 0.1 if trial.framework.name == "ada_gvae" else 0.0
    value += 0.2 if trial.reconstruction.name == "mse_boxblur" else 0.0
    value += 0.05 * (8 - getattr(trial.dataset, "spacing", 0))
    return value + 0.001 * trial.seed + (0.3 if step == 50 else 0.0)


def test_the_table_of_figure_9_has_means_over_seeds(made: Any) -> None:
    found = sections(experiments(made.studies(made.grid("overlap"), value=planted)))
    drawing, table = blocks(found, 9)
    assert isinstance(drawing, Drawing) and drawing.name == "figure_9"
    assert "beta_vae: 0.00316 below spacing 3" in drawing.note
    row = table.frame.set_index(
        ["score", "selection", "framework", "beta_mean", "dataset.spacing"]
    ).loc[("mig", "final", "ada_gvae", 0.001, 3)]
    assert row["value"] == pytest.approx(0.351) and row["n"] == 3
    assert row["low"] == pytest.approx(0.350) and row["high"] == pytest.approx(0.352)


def test_the_table_of_figure_11_has_a_row_a_loss(made: Any) -> None:
    found = sections(experiments(made.studies(made.grid("augmented_loss"), value=planted)))
    _, table = blocks(found, 11)
    best = table.frame[
        (table.frame["score"] == "mig") & (table.frame["selection"] == "best in training")
    ].set_index(["framework", "reconstruction"])["value"]
    assert best[("beta_vae", "mse_boxblur")] - best[("beta_vae", "mse")] == pytest.approx(0.2)


def test_figure_6_pools_betas_and_latents(made: Any) -> None:
    found = sections(experiments(made.studies(made.grid("adversarial"))))
    drawing, table = blocks(found, 6)
    assert set(table.frame["images"]) == {"xysquares", "dsprites_rendered", "xyobject"}
    assert (table.frame["n"] == 4).all()
    titles = [axes.get_title() for axes in drawing.figure.axes]
    assert titles == [
        "mig, best in training",
        "dci_disentanglement, best in training",
        "mig, final",
        "dci_disentanglement, final",
    ]


def test_what_is_not_there_is_said(made: Any) -> None:
    found = sections([])
    for figure, file in ((6, "adversarial"), (9, "overlap"), (11, "augmented_loss")):
        [missing] = blocks(found, figure)
        assert isinstance(missing, Missing) and f"grids/michlo2023/{file}.yaml" in missing.why
    waiting = made.studies(made.grid("overlap"), status=lambda trial: "waiting")
    [missing] = blocks(sections(experiments(waiting)), 9)
    assert isinstance(missing, Missing) and "None of the 36 trials of overlap" in missing.why


def test_two_studies_of_one_figure_have_names_of_their_own(made: Any) -> None:
    grids = made.grid("augmented_loss"), made.grid("augmented_loss", study="as-run", latents=25)
    found = blocks(sections(experiments(made.studies(*grids))), 11)
    assert [block.name for block in found if isinstance(block, Drawing | Table)] == [
        "figure_11_augmented_loss",
        "figure_11_augmented_loss_scores",
        "figure_11_as-run",
        "figure_11_as-run_scores",
    ]


def test_other_scores_are_shown_where_the_published_ones_are_not(made: Any) -> None:
    studies = made.studies(made.grid("overlap"))
    renamed = studies.scores.replace({"score": {"mig": "sap", "dci_disentanglement": "modularity"}})
    studies = made.studies(made.grid("overlap"), scores=renamed, own=("sap", "modularity"))
    [found] = experiments(studies)
    assert found.shown() == ["sap", "modularity"]
