"""Which trials a figure is of, and which of their scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grids.datasets import DSprites, XYObject, XYSquares
from grids.load import load_grid
from grids.losses import MSEBoxBlur
from grids.trial import Trial
from results.report.michlo2023.experiments import BEST, FINAL, experiments, in_words


def test_each_grid_has_the_trials_of_its_figure(made: Any) -> None:
    names = ("overlap", "adversarial", "augmented_loss", "learning", "measured")
    studies = made.studies(*(made.grid(name) for name in names))
    found = {e.study: (e.figure, len(e.trials)) for e in experiments(studies)}
    assert found == {
        "overlap": (9, 36),
        "adversarial": (6, 24),
        "augmented_loss": (11, 12),
    }


def test_a_study_with_another_report_has_none(made: Any) -> None:
    grid = made.grid("overlap", replace=("report: michlo2023", "report: generic"))
    assert experiments(made.studies(grid)) == []


def test_autoencoders_are_runs_of_no_figure(made: Any) -> None:
    """Their grid has squares beside other images, and squares with the blur beside none."""
    grid = load_grid(Path("grids/michlo2023/autoencoders-as-run.yaml"))
    assert experiments(made.studies(grid)) == []


def test_runs_of_a_setting_differ_by_their_seeds_alone(made: Any) -> None:
    [found] = experiments(made.studies(made.grid("overlap")))
    settings = found.trials.groupby("setting")
    assert len(settings) == 12
    for _, of in settings:
        assert sorted(of["seed"]) == [0, 1, 2]
        assert len(of[["dataset.spacing", "framework", "beta"]].drop_duplicates()) == 1


def test_best_is_over_training_and_final_is_of_the_end(made: Any) -> None:
    values = {50: 0.7, 100: 0.4}
    studies = made.studies(made.grid("overlap"), value=lambda trial, score, step: values[step])
    [found] = experiments(studies)
    by = found.scores.groupby(["selection", "score"])["value"].agg(["min", "max", "size"])
    assert by.loc[(BEST, "mig")].to_list() == [0.7, 0.7, 36]
    assert by.loc[(FINAL, "dci_disentanglement")].to_list() == [0.4, 0.4, 36]


def test_full_scores_of_the_end_do_not_count_as_best(made: Any) -> None:
    values = {50: 0.1, 100: 0.9}
    studies = made.studies(made.grid("overlap"), value=lambda trial, score, step: values[step])
    [found] = experiments(studies)
    assert (found.scores.loc[found.scores["selection"] == BEST, "value"] == 0.1).all()


def test_the_best_of_what_still_trains_is_not_shown(made: Any) -> None:
    def status(trial: Trial) -> str:
        return "completed" if trial.seed == 0 else "running"

    [found] = experiments(made.studies(made.grid("overlap"), status=status))
    assert set(found.scores["trial_seed"]) == {0}
    assert found.completed == 12 and len(found.trials) == 36


def test_without_scores_in_training_there_are_final_ones_only(made: Any) -> None:
    grid = made.grid("overlap", replace=("every: 50", "every: null"))
    [found] = experiments(made.studies(grid))
    assert set(found.scores["selection"]) == {FINAL}


def test_parts_are_called_by_what_differs() -> None:
    assert in_words(XYSquares(standardise=True)) == "xysquares"
    assert in_words(XYSquares(spacing=3)) == "xysquares, spacing 3"
    assert in_words(XYObject(shaded=True)) == "xyobject, shaded"
    assert in_words(DSprites()) == "dsprites"
    assert in_words(MSEBoxBlur(radius=5)).startswith("mse_boxblur, radius 5")
