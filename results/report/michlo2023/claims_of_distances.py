"""What the paper states of distances between images, judged over factors."""

from __future__ import annotations

import pandas as pd

from results.analysis.correlation import rank_correlation
from results.analysis.intervals import Interval, interval, paired
from results.analysis.perceived import level_share
from results.distances import RANDOM
from results.published.michlo2023 import FACTOR_IMPORTANCE
from results.report.claims import Claim
from results.report.michlo2023.experiments import BLUR, SQUARES
from results.report.michlo2023.measured import PAPER_LOSS, Measured

MOST_VARIATION = 0.01
LEAST_LEVEL = 0.95
SPRITES = ("dsprites", "dsprites_rendered")


def claims_of_distances(found: Measured) -> list[Claim]:
    """Intervals are over factors, as a dataset is measured once; None where none is measured."""
    agreement, by_mse = found.agreements, found.by_mse
    plain = agreement[agreement["loss"] == PAPER_LOSS]
    squares = agreement[agreement["images"] == SQUARES]
    squares_by_mse = squares[squares["loss"] == PAPER_LOSS]
    benchmarks = plain[plain["dataset"] != SQUARES]
    hues = benchmarks[benchmarks["factor"].str.contains("hue")]
    spaced = plain[plain["dataset"] == SQUARES]
    curves = by_mse.loc[by_mse["images"] == SQUARES, "distance_quantiles"]
    return [
        Claim(
            "Images that differ along one factor are nearer to each other than random ones",
            "supplement, A and A.1",
            "mean distance of a factor over that of random pairs, over the sets of table 1",
            _of(_over_random(by_mse)),
            bound=1.0,
            above=False,
        ),
        *_order_of_sprites(by_mse),
        Claim(
            "Ground-truth distances usually correspond to perceived distances",
            "slides, Characterising Existing Datasets",
            "rank correlation of the two, over the factors of all sets but XYSquares",
            _of(benchmarks["rank"]),
        ),
        Claim(
            "Colour is circular: perceived distances go around it",
            "slides, Characterising Existing Datasets, Shapes3D",
            "rank correlation with steps around the circle less that with steps, over the hues",
            _of(hues["rank_around"] - hues["rank"]),
        ),
        Claim(
            "Along the factors of XYSquares all perceived distances are equal",
            "slides, Adversarial Dataset, constant overlap along factor traversals",
            "sd over mean of the distances between positions, over the factors",
            _of(squares_by_mse["variation"]),
            bound=MOST_VARIATION,
            above=False,
        ),
        Claim(
            "The cumulative distances of XYSquares are a step function",
            "supplement, A.1 and figure 1",
            "share of the curve that is level, over the factors and random pairs",
            _of(curves.map(level_share)),
            bound=LEAST_LEVEL,
        ),
        Claim(
            "Less spacing makes perceived distances correlate with ground-truth ones",
            "slides, Re-enabling Disentanglement, adjusting the data",
            "rank correlation of spacing and of the distances' own correlation, over factors",
            _along_spacing(spaced),
            above=False,
        ),
        Claim(
            "With a box blur perceived distances correspond to ground-truth ones again",
            "slides, Re-enabling Disentanglement, adjusting the loss",
            "rank correlation of the two at spacing 8, over the factors",
            _of(squares.loc[squares["loss"].str.startswith(BLUR), "rank"]),
        ),
    ]


def _of(values: pd.Series) -> Interval | None:
    return interval(values.astype(float)) if len(values) else None


def _over_random(by_mse: pd.DataFrame) -> pd.Series:
    """Of each factor of the sets of table 1, and of the stand-in for one of them."""
    rows = by_mse[by_mse["images"].isin(FACTOR_IMPORTANCE)]
    means = rows.groupby(["images", "factor"])["distance_mean"].mean().unstack("factor")
    if RANDOM not in means:
        return pd.Series(dtype=float)
    ratios = means.drop(columns=RANDOM).div(means[RANDOM], axis=0)
    return ratios.melt()["value"].dropna()


def _order_of_sprites(by_mse: pd.DataFrame) -> list[Claim]:
    """Of the original, of the stand-in, or both."""
    claims = []
    measured = [images for images in SPRITES if images in set(by_mse["images"])]
    for images in measured or SPRITES[:1]:
        ours = by_mse[(by_mse["images"] == images) & (by_mse["factor"] != RANDOM)]
        printed = ours["factor"].map(lambda factor: FACTOR_IMPORTANCE["dsprites"][factor][0])
        claims.append(
            Claim(
                "The order of importance in dSprites is position, scale, shape, orientation",
                "supplement, A and table 1",
                f"rank correlation of our and the published mean distances of {images}",
                paired(ours["distance_mean"], printed, rank_correlation) if len(ours) else None,
            )
        )
    return claims


def _along_spacing(spaced: pd.DataFrame) -> Interval | None:
    if spaced["dataset.spacing"].nunique() < 2:
        return None
    return paired(spaced["dataset.spacing"].astype(float), spaced["pearson"], rank_correlation)
