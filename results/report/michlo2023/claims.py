"""What the paper states, judged by these studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from results.analysis.correlation import trend
from results.analysis.explained import explained_gap
from results.analysis.intervals import Interval, difference
from results.report.blocks import Section
from results.report.claims import Claim, claims_table
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
        "Statements of which no number can tell are left out: that disentanglement in benchmarks "
        "is accidental and subjective, that new benchmarks are required, that supervision "
        "ultimately is. What the slides say of algorithmic choices is said of unsupervised ones; "
        "the studies have the weakly supervised Ada-GVAE, too."
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
            squares = of.loc[of["dataset"] == SQUARES, "value"]
            others = of[of["dataset"] != SQUARES].groupby("images")["value"]
            if squares.empty or not len(others):
                continue
            nearest = str(others.mean().idxmin())
            found = difference(squares, others.get_group(nearest))
            statistic = f"{name} of xysquares less that of {nearest}, the lowest of the others"
            yield Claim(*BELOW, f"{statistic}; {framework}, {experiment.study}", found, above=False)


def _blurred(experiment: Experiment) -> Iterator[Claim]:
    for name, rows in _scores(experiment):
        for (images, framework), of in rows.groupby(["images", "framework"], sort=False):
            blurred = of["reconstruction"] == BLUR
            found = difference(of.loc[blurred, "value"], of.loc[~blurred, "value"])
            statistic = f"{name} with the blur less that without"
            yield Claim(*BLURRED, f"{statistic}; {images}, {framework}, {experiment.study}", found)


def _data(experiment: Experiment) -> Iterator[Claim]:
    for statistic, found in _shares(experiment, "images"):
        yield Claim(*DATA, statistic, found)


def _loss(experiment: Experiment) -> Iterator[Claim]:
    for statistic, found in _shares(experiment, "reconstruction"):
        yield Claim(*LOSS, statistic, found)


def _shares(experiment: Experiment, choice: str) -> Iterator[tuple[str, Interval]]:
    """Of studies that have several frameworks, as the paper's have."""
    for name, rows in _scores(experiment):
        if rows["framework"].nunique() > 1:
            yield (
                f"share of the variance of {name} explained by {choice} less that by framework; "
                f"{experiment.study}",
                explained_gap(rows["value"], rows[choice], rows["framework"]),
            )
