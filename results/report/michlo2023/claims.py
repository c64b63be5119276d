"""What the paper states, judged by these studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from results.analysis.cell_means import over_cells
from results.analysis.correlation import trend
from results.analysis.intervals import Interval
from results.analysis.resampling import stacked
from results.analysis.variance import variance_explained
from results.report.blocks import Section
from results.report.claims import FEWEST_RUNS, Claim, claims_table
from results.report.michlo2023.claims_of_distances import claims_of_distances
from results.report.michlo2023.claims_of_learning import claims_of_learning
from results.report.michlo2023.experiments import BLUR, SELECTIONS, SQUARES, Experiment
from results.report.michlo2023.learning_order import Learning
from results.report.michlo2023.measured import Measured
from results.report.michlo2023.overlap import chosen_betas

OVERLAP = (
    "Less spacing of the squares, that is more overlap, gives better disentanglement, more worse",
    "slides, Re-enabling Disentanglement, adjusting the data; figure 9",
)
BELOW = (
    "Frameworks fail on XYSquares, which they disentangle less than the benchmark sets",
    "submit_param_tuning.sh of the paper's code; slides, Adversarial Dataset; figure 6",
)
BLURRED = (
    "A box blur in the loss re-enables disentanglement on XYSquares",
    "slides, Re-enabling Disentanglement, adjusting the loss; figure 11",
)
DATA = (
    "Disentanglement depends on the data too, and ultimately not on algorithmic choices",
    "slides, Conclusion; figure 6",
)
LOSS = (
    "Disentanglement depends on the reconstruction loss too, and ultimately not on algorithmic "
    "choices",
    "slides, Conclusion; figure 11",
)
NOT_TO_BE_TOLD = (
    Claim(
        "A VAE places embeddings close together that it perceives as close in the data",
        "slides, Background, random sampling reorganises embeddings",
        "takes distances of codes against those of their images, which no score here has",
        None,
    ),
    Claim(
        "The symmetric KL improves Ada-GVAE's averaging and its threshold",
        "supplement, B.2",
        "takes a grid over framework.divergence",
        None,
    ),
    Claim(
        "Standardised observations give more consistent and better training",
        "supplement, B.4",
        "takes a grid over dataset.standardise",
        None,
    ),
)


def sections(
    experiments: Sequence[Experiment], found: Measured, learnings: Sequence[Learning]
) -> list[Section]:
    claims = [
        *claims_of_scores(experiments),
        *claims_of_distances(found),
        *claims_of_learning(learnings),
        *NOT_TO_BE_TOLD,
    ]
    note = (
        "Statements of which no number can tell are left out: that disentanglement in "
        "benchmarks is accidental and subjective, that new benchmarks are required, that "
        "supervision ultimately is. What the slides say of algorithmic choices is said of "
        "unsupervised ones; the studies have the weakly supervised Ada-GVAE, too. Where scores "
        "of two choices are compared, n counts the seeds of a setting unless the statistic says "
        "otherwise; of a rank correlation, the runs."
    )
    return [Section("Claims", [claims_table("claims", claims)], note)]


def claims_of_scores(experiments: Sequence[Experiment]) -> list[Claim]:
    judges: list[tuple[int, tuple[str, str], Callable[[Experiment], Iterator[Claim]]]] = [
        (6, BELOW, _below),
        (6, DATA, _data),
        (9, OVERLAP, _overlap),
        (11, BLURRED, _blurred),
        (11, LOSS, _loss),
    ]
    claims: list[Claim] = []
    for figure, (statement, source), judge in judges:
        of = [experiment for experiment in experiments if experiment.figure == figure]
        rows = [claim for experiment in of for claim in judge(experiment)]
        without = Claim(statement, source, f"no scores of trials of figure {figure} yet", None)
        claims += rows or [without]
    return claims


def _scores(experiment: Experiment) -> Iterator[tuple[str, pd.DataFrame]]:
    """What is to be called a score, and its rows: each of the figure's, each selection."""
    rows = experiment.scores
    for score in experiment.shown():
        for selection in SELECTIONS:
            of = rows[(rows["score"] == score) & (rows["selection"] == selection)]
            if len(of):
                yield f"{score} ({selection})", of


def _overlap(experiment: Experiment) -> Iterator[Claim]:
    lines, _ = chosen_betas(experiment.trials)
    for name, rows in _scores(experiment):
        for label, trial_ids in lines.items():
            of = rows[rows["trial_id"].isin(trial_ids)]
            found = trend(of["dataset.spacing"], of["value"])
            statistic = f"rank correlation of spacing and {name}; {label}, {experiment.study}"
            yield Claim(*OVERLAP, statistic, found, above=False)


def _below(experiment: Experiment) -> Iterator[Claim]:
    """Against the benchmark whose mean is nearest: the others are further away."""
    for name, rows in _scores(experiment):
        for framework, of in rows.groupby("framework", sort=False):
            squares = of[of["dataset"] == SQUARES]
            others = of[of["dataset"] != SQUARES]
            if squares.empty or others.empty:
                continue
            nearest = str(others.groupby("images")["value"].mean().idxmin())
            found, counted = _gap(squares, others[others["images"] == nearest])
            statistic = f"{name} of xysquares less that of {nearest}, the lowest of the others"
            statistic = f"{statistic}; {framework}, {experiment.study}{counted}"
            yield Claim(*BELOW, statistic, found, above=False)


def _blurred(experiment: Experiment) -> Iterator[Claim]:
    for name, rows in _scores(experiment):
        for (images, framework), of in rows.groupby(["images", "framework"], sort=False):
            blurred = of["reconstruction"] == BLUR
            found, counted = _gap(of[blurred], of[~blurred])
            statistic = f"{name} with the blur less that without; {images}, {framework}"
            yield Claim(*BLURRED, f"{statistic}, {experiment.study}{counted}", found)


def _gap(first: pd.DataFrame, second: pd.DataFrame) -> tuple[Interval, str]:
    """Mean score of the settings of the first less that of the second, and what n counts."""
    if first.empty or second.empty:
        return Interval(np.nan, np.nan, np.nan, 0), ""
    rows, counted = _resampled_by(pd.concat([first.assign(side=1), second.assign(side=-1)]))
    cells = list(rows.groupby(["side", "setting"]))
    side = np.array([key[0] for key, _ in cells])
    found = over_cells(
        [of["value"] for _, of in cells],
        lambda means: means[:, side > 0].mean(axis=1) - means[:, side < 0].mean(axis=1),
    )
    return found, counted


def _resampled_by(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows to resample within each `setting`, and what n counts where that is not seeds.

    Where settings have too few seeds to tell anything, what varies is the setting: the rows are
    then their means, all of one.
    """
    seeds = rows.groupby("setting")["value"].transform("size")
    if seeds.min() >= FEWEST_RUNS:
        return rows, ""
    means = rows.groupby("setting")["value"].transform("mean")
    few = " to ".join(str(number) for number in sorted({int(seeds.min()), int(seeds.max())}))
    few = "one seed" if few == "1" else f"{few} seeds"
    settings = rows.assign(value=means).drop_duplicates("setting")
    return settings.assign(setting=0), f"; n counts settings, of {few} each"


def _data(experiment: Experiment) -> Iterator[Claim]:
    for statistic, found in _shares(experiment, "images"):
        yield Claim(*DATA, statistic, found)


def _loss(experiment: Experiment) -> Iterator[Claim]:
    for statistic, found in _shares(experiment, "reconstruction"):
        yield Claim(*LOSS, statistic, found)


def _shares(experiment: Experiment, choice: str) -> Iterator[tuple[str, Interval]]:
    """Of studies that have several frameworks, as the paper's have."""
    for name, rows in _scores(experiment):
        if rows["framework"].nunique() < 2:
            continue
        runs, counted = _resampled_by(rows)
        shares = [variance_explained(runs, ["value"], [by]) for by in (choice, "framework")]
        there = [share for share in shares if share is not None]
        if there:
            gap = stacked(*there).map(lambda of: of[..., 0, 0] - of[..., 1, 0])
            yield (
                f"share of the variance of {name} explained by {choice} less that by framework; "
                f"{experiment.study}{counted}",
                gap.interval(),
            )
