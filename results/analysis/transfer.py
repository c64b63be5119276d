"""Does what is good on one dataset, or by one metric, do well on another?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from results.analysis.correlation import rank_correlation
from results.analysis.resampling import Doubles, Resampled
from results.analysis.setting_means import SETTING, SettingMeans

FEWEST_SETTINGS = 3


def dataset_transfer(means: SettingMeans, score: str) -> Resampled:
    """Spearman's rho between datasets of a score's means over seeds, over the settings, [D, D].

    Locatello et al. 2019, section 5.4. That the settings' means are what is compared is assumed:
    of single runs rho could not reach the published 95. NaN where two datasets have fewer than
    three settings in common.
    """
    return means.means.map(lambda m: _between(m[..., means.scores.index(score)]))


def _between(means: Doubles) -> Doubles:
    """[..., D, C] to [..., D, D]."""
    datasets = means.shape[-2]
    found = np.full((*means.shape[:-1], datasets), np.nan)
    for first in range(datasets):
        for second in range(first, datasets):
            both = means[..., [first, second], :]
            there = ~np.isnan(both).any(axis=-2).reshape(-1, both.shape[-1]).any(axis=0)
            if there.sum() >= FEWEST_SETTINGS:
                rho = rank_correlation(both[..., 0, there], both[..., 1, there])
                found[..., first, second] = found[..., second, first] = rho
    return found


def success_rates(runs: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """How often the setting that did best on one seed beats a random run, by another seed.

    For a source and a target (a score and a dataset each) and a seed s: the setting whose run of
    seed s has the best score at the source; its runs of the seeds t != s at the target; the chance
    that such a run beats a run drawn from all of the target, a tie being half a win. Half of random
    choices succeed. Locatello et al. 2019, section 5.4; the slides give rates only:
    that a choice is by the runs of one seed, and against a random run, is our reading.

    A row a seed s and kind of target: `metric` and `dataset` (`same` or `other`), `seed`,
    `success`, the mean over all sources and targets, and `pairs`, how many these are.
    """
    columns = ["metric", "dataset", "seed", "success", "pairs"]
    if runs.empty:
        return pd.DataFrame(columns=columns)
    cube, seeds = _cube(runs, scores)
    chosen = _choices(cube)
    wins = _wins(cube)
    # Of the same setting, the mean over the other seeds.
    known = ~np.isnan(wins)
    filled = np.where(known, wins, 0.0)
    others = known.sum(axis=-1, keepdims=True) - known
    elsewhere = np.where(others > 0, filled.sum(axis=-1, keepdims=True) - filled, 0.0)
    elsewhere /= np.maximum(others, 1)
    pairs = "acs,bcs->sab"
    weight = np.einsum(pairs, chosen, (others > 0).astype(float))
    success = np.einsum(pairs, chosen, elsewhere)
    with np.errstate(invalid="ignore", divide="ignore"):
        success /= weight
    names = [(score, dataset) for score in scores for dataset in dict.fromkeys(runs["dataset"])]
    metric, dataset = (np.array([name[part] for name in names]) for part in (0, 1))
    rows = []
    for metric_kind, dataset_kind in (
        ("same", "same"),
        ("same", "other"),
        ("other", "same"),
        ("other", "other"),
    ):
        of_kind = ((metric[:, None] == metric) == (metric_kind == "same")) & (
            (dataset[:, None] == dataset) == (dataset_kind == "same")
        )
        for seed, values in zip(seeds, success[:, of_kind], strict=True):
            found = values[~np.isnan(values)]
            if len(found):
                rows.append((metric_kind, dataset_kind, seed, found.mean(), len(found)))
    return pd.DataFrame(rows, columns=columns)


def _cube(runs: pd.DataFrame, scores: Sequence[str]) -> tuple[Doubles, list[int]]:
    """[scores x datasets, settings, seeds], NaN where there is no run; and the seeds."""
    axes = [
        pd.factorize(runs["dataset"])[0],
        runs.groupby(SETTING, dropna=False, sort=False).ngroup().to_numpy(),
        pd.factorize(runs["seed"], sort=True)[0],
    ]
    shape = [axis.max() + 1 for axis in axes]
    cube = np.full((len(scores), *shape), np.nan)
    for number, score in enumerate(scores):
        cube[number, axes[0], axes[1], axes[2]] = runs[score].to_numpy(dtype=np.float64)
    return cube.reshape(-1, *shape[1:]), sorted(set(runs["seed"]))


def _choices(cube: Doubles) -> Doubles:
    """Which setting each seed chooses, 1 or 0: the best one of at least two, or equal best ones."""
    known = ~np.isnan(cube)
    best = np.where(known, cube, -np.inf).max(axis=1, keepdims=True)
    chosen = known & (cube == best) & (known.sum(axis=1, keepdims=True) > 1)
    choices: Doubles = chosen.astype(np.float64)
    return choices


def _wins(cube: Doubles) -> Doubles:
    """The chance of each run to beat another one of its score and dataset; ties count half."""
    flat = cube.reshape(len(cube), -1)
    found = np.full_like(flat, np.nan)
    for row, values in zip(found, flat, strict=True):
        there = ~np.isnan(values)
        if there.sum() > 1:
            row[there] = (rankdata(values[there]) - 1) / (there.sum() - 1)
    return found.reshape(cube.shape)
