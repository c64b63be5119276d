"""Is one choice best everywhere, and does a good choice make a good run?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from results.analysis.resampling import Doubles, Integers, Resampled, mean_of, resample
from results.analysis.setting_means import SettingMeans


def best_method_share(means: SettingMeans) -> Resampled | None:
    """The share of the pairs of a dataset and a score that the most frequent best method has.

    Best is the method with the largest mean over its settings. 1 where one method dominates; None
    of fewer than two methods or pairs.
    """
    methods = means.settings["method"]
    if methods.nunique() < 2:
        return None
    return _share(means, [np.flatnonzero(methods == m) for m in dict.fromkeys(methods)])


def best_strength_share(means: SettingMeans) -> Resampled | None:
    """The same of the strengths of one method, averaged over the methods that have several."""
    methods = means.settings["method"]
    found = []
    for method in dict.fromkeys(methods):
        places = np.flatnonzero(methods == method)
        share = _share(means, [np.array([place]) for place in places]) if len(places) > 1 else None
        if share is not None:
            found.append(share)
    return mean_of(found)


def _share(means: SettingMeans, options: list[Integers]) -> Resampled | None:
    """Of options, each the mean of some settings."""
    of_options = means.means.map(
        lambda m: np.stack([m[..., places, :].mean(axis=-2) for places in options], axis=-2)
    )
    complete = ~np.isnan(of_options.value).any(axis=-2)
    if complete.sum() < 2:
        return None

    def share(m: Doubles) -> Doubles:
        best = np.swapaxes(m, -1, -2)[..., complete, :].argmax(axis=-1)
        counts = [(best == option).mean(axis=-1) for option in range(len(options))]
        most: Doubles = np.max(counts, axis=0)
        return most

    return of_options.map(share)


def bad_beats_good(runs: pd.DataFrame, score: str) -> Resampled | None:
    """P(a run of the worst setting scores more than one of the best), ties counting half.

    Worst and best by their means over seeds; the runs are of one dataset and one method. 0 where a
    good setting always wins, 1/2 where settings make no difference; None of fewer than two.
    """
    there = runs.dropna(subset=[score])
    means = there.groupby("setting")[score].mean().sort_values()
    if len(means) < 2:
        return None
    bad, good = (there["setting"] == means.index[place] for place in (0, -1))
    two = there[bad | good]
    values, is_bad = two[score].to_numpy(dtype=np.float64), bad[bad | good].to_numpy()
    over = values[is_bad, None] - values[~is_bad]
    wins = (over > 0) + (over == 0) / 2

    def chance(counts: Doubles) -> Doubles:
        first, second = counts[:, is_bad], counts[:, ~is_bad]
        sums = np.einsum("ra,ab,rb->r", first, wins, second)
        share: Doubles = sums / first.sum(axis=1) / second.sum(axis=1)
        return share

    return resample(chance, two["setting"].to_numpy())
