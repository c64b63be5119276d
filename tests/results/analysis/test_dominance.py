from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from results.analysis.dominance import bad_beats_good, best_method_share, best_strength_share
from results.analysis.setting_means import SettingMeans, setting_means

SCORES = ["x", "y"]


def means_of(value: Callable[[int, int, int, int], float], datasets: int = 2) -> SettingMeans:
    """Of value(dataset, method, strength, score), with a little noise of four seeds."""
    rng = np.random.default_rng(0)
    rows = [
        (d, m, c, seed, *(value(d, m, c, s) + rng.normal(0, 1e-6) for s in range(2)))
        for d in range(datasets)
        for m in range(3)
        for c in range(2)
        for seed in range(4)
    ]
    columns = ["dataset", "method", "regularisation", "seed", *SCORES]
    runs = pd.DataFrame(rows, columns=columns)
    runs["setting"] = runs.groupby(["dataset", "method", "regularisation"]).ngroup()
    found = setting_means(runs, SCORES)
    assert found is not None
    return found


def test_a_method_that_is_best_everywhere_has_all_pairs() -> None:
    share = best_method_share(means_of(lambda d, m, c, s: m == 1))
    assert share is not None and share.value == 1 and (share.resampled == 1).all()


def test_the_most_frequent_best_method_counts() -> None:
    # Method 2 is best in three of the four pairs of a dataset and a score, method 0 in one.
    share = best_method_share(means_of(lambda d, m, c, s: m == (0 if d == s == 1 else 2)))
    assert share is not None and share.value == 0.75


def test_a_method_is_judged_by_the_mean_of_its_settings() -> None:
    # One good setting of method 0 does not make up for its bad one.
    share = best_method_share(means_of(lambda d, m, c, s: 3 * c - 3 if m == 0 else m))
    assert share is not None and share.value == 1
    halves = best_method_share(means_of(lambda d, m, c, s: (3 * c - 3) * d if m == 0 else -m))
    assert halves is not None and halves.value == 0.5


def test_strengths_are_compared_within_their_method() -> None:
    # Method 0: always strength 1; of the others the dataset decides.
    share = best_strength_share(means_of(lambda d, m, c, s: c if m == 0 or d else -c))
    assert share is not None and share.value == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_one_pair_or_one_method_shows_nothing() -> None:
    means = means_of(lambda d, m, c, s: m, datasets=1)
    one_pair = means._replace(scores=["x"], means=means.means.map(lambda m: m[..., :1]))
    assert best_method_share(one_pair) is None and best_strength_share(one_pair) is None
    one_method = means._replace(
        settings=means.settings[:1], means=means.means.map(lambda m: m[..., :1, :])
    )
    assert best_method_share(one_method) is None and best_strength_share(one_method) is None


def overlapping(gap: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"setting": np.repeat([0, 1, 2], 400), "x": rng.normal(np.repeat([gap, 0, gap / 2], 400))}
    )


def test_bad_beats_good_as_often_as_two_normal_numbers_do() -> None:
    found = bad_beats_good(overlapping(1.0), "x")
    assert found is not None
    value, low, high, seeds = found.interval()
    # P(N(0, 1) > N(1, 1)) is the normal distribution at -1/sqrt(2).
    assert low < 0.2398 < high and value == pytest.approx(0.2398, abs=0.03) and seeds == 400


def test_a_good_setting_that_always_wins_is_never_beaten() -> None:
    found = bad_beats_good(overlapping(100.0), "x")
    assert found is not None and found.value == 0 and (found.resampled == 0).all()


def test_ties_count_half() -> None:
    runs = pd.DataFrame({"setting": [0, 0, 1, 1], "x": [1.0, 1.0, 1.0, 1.1]})
    found = bad_beats_good(runs, "x")
    assert found is not None and found.value == 0.25
    assert bad_beats_good(runs[:2], "x") is None
