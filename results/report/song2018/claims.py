"""Every hypothesis and finding of the thesis, judged by our runs of each experiment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from results.analysis.cell_means import Doubles, over_cells, slope
from results.analysis.intervals import Interval
from results.analysis.spread import Cells, cells_of, spread
from results.report.claims import Claim
from results.report.song2018.experiments import KIM_MNIH, LEGACY, METRICS, SELECTIONS, Experiment

Statistic = Callable[[Doubles, Cells], Doubles]
"""Of means [resamples, places, betas] in per cent."""

ALMOST_NOTHING = 2.0
"""Points of spread over beta that pass as "close to no effect": ours, the thesis has no number."""
CLOSE_TO_ALL = 99.0
"""Per cent that pass as "close to 100 %": ours."""
A_BIG_IMPROVEMENT = 5.0
"""Points by which a beta above 1 beats beta = 1: ours."""


def claims_of(
    experiment: Experiment,
    metrics: Sequence[str] = (LEGACY, KIM_MNIH),
    selections: Sequence[str] = tuple(SELECTIONS),
) -> list[Claim]:
    """Each by the score as published, then by Kim and Mnih's, of the last and the best epoch."""
    of = _over_latents if experiment.along == "latents" else _over_factors
    return [
        claim
        for metric in metrics
        for selection in selections
        for claim in of(experiment, metric, selection)
    ]


class Judge(NamedTuple):
    """The cells of the beta-VAEs of an experiment, by one score."""

    cells: Cells
    planned: tuple[float, ...]

    def of(
        self,
        statistic: Statistic,
        places: Callable[[float], bool] = lambda place: True,
        fewest: int = 2,
    ) -> Interval | None:
        """Of the planned places that `places` names.

        None where one of them has a beta without runs, where fewer than `fewest` are planned, or a
        single beta.
        """
        wanted = [place for place in self.planned if places(place)]
        cells = self.cells.at(wanted)
        if len(wanted) < fewest or len(cells.places) < len(wanted) or len(cells.betas) < 2:
            return None
        return over_cells(cells.flat(), lambda means: statistic(cells.shaped(means), cells))


def judge(experiment: Experiment, metric: str, selection: str) -> Judge:
    planned = experiment.planned_of()
    cells = cells_of(experiment.of(metric, selection), planned)
    return Judge(cells, tuple(sorted(planned["place"].unique())))


def spread_slope(means: Doubles, cells: Cells) -> Doubles:
    """Points of spread over beta a place."""
    return slope(spread(means), cells.places)


def gap_to_vae(means: Doubles, cells: Cells) -> Doubles:
    """Mean of the betas above 1, less beta = 1 [resamples, places]; NaN without beta = 1."""
    betas = np.array(cells.betas)
    if 1 not in betas or betas.max() <= 1:
        return np.full(means.shape[:2], np.nan)
    gap: Doubles = means[..., betas > 1].mean(axis=-1) - means[..., betas == 1][..., 0]
    return gap


def largest_gap(means: Doubles, cells: Cells) -> Doubles:
    """The largest difference, of either sign, of a beta above 1 from beta = 1, as gap_to_vae."""
    betas = np.array(cells.betas)
    if 1 not in betas or betas.max() <= 1:
        return np.full(means.shape[:2], np.nan)
    found: Doubles = np.abs(means[..., betas > 1] - means[..., betas == 1]).max(axis=-1)
    return found


def share_of_big_improvements(means: Doubles, cells: Cells) -> Doubles:
    betas = np.array(cells.betas)
    if 1 not in betas or betas.max() <= 1:
        return np.full(len(means), np.nan)
    best = means[..., betas > 1].max(axis=-1) - means[..., betas == 1][..., 0]
    share: Doubles = (best > A_BIG_IMPROVEMENT).mean(axis=-1)
    return share


def _over_latents(experiment: Experiment, metric: str, selection: str) -> list[Claim]:
    factors = experiment.fixed
    by = f" ({SELECTIONS[selection]}, {METRICS[metric]})"

    def first_above_rest(by_place: Doubles) -> Doubles:
        found: Doubles = by_place[:, 0] - by_place[:, 1:].max(axis=-1)
        return found

    found = judge(experiment, metric, selection)

    def from_there(statistic: Statistic) -> Interval | None:
        # Fewer latents than factors are no part of the thesis' experiment.
        starts = factors in found.planned
        return found.of(statistic, lambda place: place >= factors) if starts else None

    return [
        Claim(
            "With as many latents as factors beta makes close to no difference",
            "section 4.1.1, first hypothesis",
            f"spread over beta at {factors} latents, to which the runs' own noise adds, points{by}",
            from_there(lambda means, cells: spread(means)[:, 0]),
            bound=ALMOST_NOTHING,
            above=False,
        ),
        Claim(
            "The more latents beyond the factors, the more beta matters",
            "section 4.1.1, second hypothesis",
            f"slope of the spread over beta, points a latent{by}",
            from_there(spread_slope),
        ),
        Claim(
            "Scores vary most over beta where there are as many latents as factors",
            "section 4.1.3, figures 4.2 and 4.4",
            f"spread over beta at {factors} latents less the largest at more, points{by}",
            from_there(lambda means, cells: first_above_rest(spread(means))),
        ),
        Claim(
            "The differences converge as the number of latents increases",
            "section 4.1.3, abstract",
            f"slope of the spread over beta, points a latent{by}",
            from_there(spread_slope),
            above=False,
        ),
        Claim(
            "The VAE and the beta-VAE differ most where there are as many latents as factors",
            "abstract",
            f"largest difference of a beta > 1 from beta 1 at {factors} latents less the largest "
            f"at more, points{by}",
            from_there(lambda means, cells: first_above_rest(largest_gap(means, cells))),
        ),
        _no_big_improvement(found, by),
    ]


def _over_factors(experiment: Experiment, metric: str, selection: str) -> list[Claim]:
    by = f" ({SELECTIONS[selection]}, {METRICS[metric]})"

    found = judge(experiment, metric, selection)

    def one_to_four(place: float) -> bool:
        return place <= 4

    return [
        Claim(
            "Of one factor all models score close to 100 %",
            "sections 4.2.1 and 4.2.3, first hypothesis",
            f"least mean of a beta at one factor, %{by}",
            found.of(lambda means, cells: means[:, 0].min(axis=-1), lambda place: place == 1, 1),
            bound=CLOSE_TO_ALL,
        ),
        Claim(
            "The more factors from one to five, the more beta matters",
            "section 4.2.1, second hypothesis",
            f"slope of the spread over beta up to 5 factors, points a factor{by}",
            found.of(spread_slope, lambda place: place <= 5),
        ),
        Claim(
            "It goes on so beyond five factors",
            "section 4.2.1, second hypothesis",
            f"slope of the spread over beta from 5 factors on, points a factor{by}",
            found.of(spread_slope, lambda place: place >= 5),
        ),
        Claim(
            "Scores vary more and more over beta from one factor to four",
            "section 4.2.3, figures 4.6 and 4.8",
            f"slope of the spread over beta up to 4 factors, points a factor{by}",
            found.of(spread_slope, one_to_four),
        ),
        Claim(
            "Beyond four factors the scores converge again",
            "section 4.2.3, abstract",
            f"slope of the spread over beta from 4 factors on, points a factor{by}",
            found.of(spread_slope, lambda place: place >= 4),
            above=False,
        ),
        Claim(
            "beta-VAEs gradually outperform the VAE as the factors go from one to four",
            "section 5.1.2, figures 4.5 and 4.7",
            f"slope of the mean of betas > 1 less beta 1, up to 4 factors, points a factor{by}",
            found.of(
                lambda means, cells: slope(gap_to_vae(means, cells), cells.places), one_to_four
            ),
        ),
        Claim(
            "beta-VAEs outperform the VAE on five factors, as Higgins et al. found on dSprites",
            "section 4.2.1",
            f"mean of betas > 1 less beta 1 at 5 factors, points{by}",
            found.of(
                lambda means, cells: gap_to_vae(means, cells)[:, 0], lambda place: place == 5, 1
            ),
        ),
        _no_big_improvement(found, by),
    ]


def _no_big_improvement(found: Judge, by: str) -> Claim:
    return Claim(
        "In many settings beta makes no big improvement",
        "section 5.2.3",
        f"share of settings where a beta > 1 is {A_BIG_IMPROVEMENT:g} points above beta 1{by}",
        found.of(share_of_big_improvements),
        bound=0.5,
        above=False,
    )
