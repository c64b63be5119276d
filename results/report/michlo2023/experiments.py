"""Which studies have the trials of which figure, and the scores that a figure is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from grids.fields import declared_fields
from grids.load import Grid
from grids.parts import Part
from grids.trial import Trial
from results.analysis.methods import settings_of
from results.analysis.selection import best_scores, final_scores
from results.published.michlo2023 import FIGURE_SCORES
from results.report.studies import Studies

NAME = "michlo2023"
BEST, FINAL = "best in training", "final"
SELECTIONS = (BEST, FINAL)
SQUARES = "xysquares"
BLUR = "mse_boxblur"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The trials of one study that one figure is of.

    `trials` has the columns of results.report.studies.Studies, `images`, the dataset in words, and
    `setting`, a number that runs share which differ by their seeds alone;
    `scores` has `selection`, `score`, `value` and the parameters of the trials that completed.
    """

    figure: int
    grid: Grid
    trials: pd.DataFrame
    scores: pd.DataFrame

    @property
    def study(self) -> str:
        return self.grid.study

    @property
    def completed(self) -> int:
        return int((self.trials["status"] == "completed").sum())

    def shown(self) -> list[str]:
        """The scores of the published figures; where there are none, the first two others."""
        there = list(dict.fromkeys(self.scores["score"]))
        return [score for score in FIGURE_SCORES if score in there] or there[:2]


def in_words(part: Part) -> str:
    """A part's name and what differs from its defaults; standardised images are the same ones."""
    words = [part.name]
    for name, field in declared_fields(type(part)).items():
        value = getattr(part, name)
        if value != field.default and name != "standardise":
            words.append(name if value is True else f"{name} {value}")
    return ", ".join(words)


def grids_of(studies: Studies) -> list[Grid]:
    """The studies of trials whose report is this one."""
    return [
        grid
        for grid in studies.grids
        if grid.report == NAME and all(isinstance(trial, Trial) for trial in grid.trials)
    ]


def trials_of(studies: Studies, grid: Grid) -> pd.DataFrame:
    """The study's rows of `trials`, those that it shares with another study too, with `images`."""
    images = {trial.trial_id: in_words(trial.dataset) for trial in grid.trials}
    trials = studies.trials[studies.trials["trial_id"].isin(images)]
    return trials.assign(images=trials["trial_id"].map(images))


def experiments(studies: Studies) -> list[Experiment]:
    return [found for grid in grids_of(studies) for found in _of_grid(studies, grid)]


def _of_grid(studies: Studies, grid: Grid) -> Iterator[Experiment]:
    trials = trials_of(studies, grid)
    # The figures are of VAEs. The authors' code trained autoencoders beside them, for no figure.
    trials = trials[trials["framework"] != "autoencoder"]
    if trials.empty:
        return
    setting = settings_of(trials).set_index("trial_id")["setting"]
    trials = trials.assign(setting=trials["trial_id"].map(setting))
    selected = {
        figure: chosen
        for figure, chosen in (
            (6, over_datasets(trials)),
            (9, over_spacings(trials)),
            (11, over_losses(trials)),
        )
        if len(chosen)
    }
    if not selected:
        return
    scores = selected_scores(studies, grid, trials)
    for figure, chosen in selected.items():
        of_figure = scores[scores["trial_id"].isin(chosen["trial_id"])]
        yield Experiment(figure=figure, grid=grid, trials=chosen, scores=of_figure)


def over_datasets(trials: pd.DataFrame) -> pd.DataFrame:
    """Those of figure 6: squares beside other images, without a blur. None is an empty frame."""
    plain = trials[trials["reconstruction"] != BLUR]
    both = (plain["dataset"] == SQUARES).any() and (plain["dataset"] != SQUARES).any()
    return plain if both else plain.head(0)


def over_spacings(trials: pd.DataFrame) -> pd.DataFrame:
    """Those of figure 9: squares at two spacings or more."""
    squares = trials[(trials["dataset"] == SQUARES) & (trials["reconstruction"] != BLUR)]
    return squares if squares["dataset.spacing"].nunique() > 1 else squares.head(0)


def over_losses(trials: pd.DataFrame) -> pd.DataFrame:
    """Those of figure 11: images that were learned with the blur and without."""
    losses = trials.groupby("images")["reconstruction"].agg(set)
    both = [images for images, names in losses.items() if BLUR in names and len(names) > 1]
    return trials[trials["images"].isin(both)]


def selected_scores(studies: Studies, grid: Grid, trials: pd.DataFrame) -> pd.DataFrame:
    """Both selections of the mean codes' scores, of the trials that completed.

    The best of an unfinished trial is not yet its best.
    """
    completed = trials[trials["status"] == "completed"]
    scores = studies.scores[
        studies.scores["trial_id"].isin(completed["trial_id"])
        & studies.scores["score"].isin(studies.own_scores)
        & (studies.scores["representation"] == "mean")
    ]
    best = best_scores(scores, size=grid.evaluate.during) if grid.evaluate.intervals else scores[:0]
    both = pd.concat(
        [
            best.assign(selection=BEST),
            final_scores(scores, completed).assign(selection=FINAL),
        ],
        ignore_index=True,
    )
    order = {score: place for place, score in enumerate(studies.own_scores)}
    both = both.sort_values("score", key=lambda names: names.map(order), kind="stable")
    parameters = completed.drop(columns=["attempt_id"]).rename(columns={"seed": "trial_seed"})
    return both[["trial_id", "selection", "score", "step", "value"]].merge(
        parameters, on="trial_id"
    )
