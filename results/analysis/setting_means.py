"""The mean scores of settings, side by side for every dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from results.analysis.resampling import Doubles, Resampled, resample

SETTING = ["method", "regularisation"]


class SettingMeans(NamedTuple):
    """Means over seeds, [datasets, settings, scores]; NaN where there is no run.

    `settings` has a row a setting: `method`, `regularisation`.
    """

    datasets: list[str]
    settings: pd.DataFrame
    scores: list[str]
    means: Resampled


def setting_means(runs: pd.DataFrame, scores: Sequence[str]) -> SettingMeans | None:
    """Of runs with `dataset`, `method`, `regularisation`, `setting` and a column a score.

    A setting with its dataset has a number `setting`. None where there are no runs.
    """
    if runs.empty:
        return None
    datasets = list(dict.fromkeys(runs["dataset"]))
    settings = runs[SETTING].drop_duplicates(ignore_index=True)
    dataset = runs["dataset"].map({name: i for i, name in enumerate(datasets)})
    within = runs.groupby(SETTING, dropna=False, sort=False).ngroup()
    cell = (dataset * len(settings) + within).to_numpy()
    order = np.argsort(cell, kind="stable")
    cells, starts = np.unique(cell[order], return_index=True)
    values = runs[list(scores)].to_numpy(dtype=np.float64)[order]
    known = ~np.isnan(values)
    values = np.where(known, values, 0.0)
    shape = len(datasets), len(settings), len(scores)

    def means(counts: Doubles) -> Doubles:
        found = np.full((len(counts), shape[0] * shape[1], shape[2]), np.nan)
        for score in range(shape[2]):
            sums = np.add.reduceat(counts * values[:, score], starts, axis=1)
            sizes = np.add.reduceat(counts * known[:, score], starts, axis=1)
            sizes[sizes == 0] = np.nan
            found[:, cells, score] = sums / sizes
        return found.reshape(len(counts), *shape)

    resampled = resample(means, runs["setting"].to_numpy()[order])
    return SettingMeans(datasets, settings, list(scores), resampled)
