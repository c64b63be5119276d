"""The measurements of the studies: their distances with what was measured in words."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from grids.measurement import Measurement
from results.analysis.perceived import agreements
from results.published.michlo2023 import FACTOR_IMPORTANCE
from results.report.michlo2023.experiments import in_words
from results.report.studies import Studies

PAPER_LOSS = "mse"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`distances` has the columns of results.schema.DISTANCES, `images` and `loss` in words.

    `agreements` is results.analysis.perceived's, with the same words and the distances' columns;
    `cyclic` the steps once around of the factors of each measurement.
    """

    distances: pd.DataFrame
    agreements: pd.DataFrame
    cyclic: dict[str, dict[str, int]]

    @property
    def by_mse(self) -> pd.DataFrame:
        return self.distances[self.distances["loss"] == PAPER_LOSS]


def measured(studies: Studies) -> Measured:
    """The rows in the order of the grids; of one measurement once."""
    of = {
        trial.trial_id: trial
        for grid in studies.grids
        for trial in grid.trials
        if isinstance(trial, Measurement)
    }
    distances = studies.distances
    there = [trial_id for trial_id in of if trial_id in set(distances["trial_id"])]
    cyclic = {trial_id: dict(of[trial_id].dataset.cyclic) for trial_id in there}
    distances = distances.assign(
        images=distances["trial_id"].map({i: in_words(of[i].dataset) for i in there}),
        loss=distances["trial_id"].map({i: in_words(of[i].reconstruction) for i in there}),
    )
    found = agreements(distances, cyclic)
    words = ["trial_id", "images", "loss", "dataset", "dataset.spacing", "seed"]
    described = found.merge(distances[words].drop_duplicates("trial_id"), on="trial_id")
    return Measured(distances=distances, agreements=described, cyclic=cyclic)


def importance_of(
    images: str, distances: pd.DataFrame
) -> tuple[dict[str, float], dict[str, float]]:
    """The published and our own mean distance of each factor of these images; empty where none.

    `distances` are `Measured.by_mse`.
    """
    published = {factor: mean for factor, (mean, _) in FACTOR_IMPORTANCE.get(images, {}).items()}
    ours = distances[distances["images"] == images].groupby("factor")["distance_mean"].mean()
    return published, {str(factor): float(mean) for factor, mean in ours.items()}
