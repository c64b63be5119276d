from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from results.analysis.setting_means import setting_means
from results.analysis.transfer import dataset_transfer, success_rates

KINDS = list(product(("same", "other"), ("same", "other")))


def made_up(value, datasets: str = "AB", settings: int = 6, seeds: int = 5) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """Runs with a score `x` and a score `y`: value(dataset, setting, seed), a pair."""
    rows = [
        (d, "m", float(c), s, 100 * i + c, *value(d, c, s))
        for i, d in enumerate(datasets)
        for c in range(settings)
        for s in range(seeds)
    ]
    columns = ["dataset", "method", "regularisation", "seed", "setting", "x", "y"]
    return pd.DataFrame(rows, columns=columns)


def by_kind(rates: pd.DataFrame) -> dict[tuple[str, str], float]:
    grouped = rates.groupby(["metric", "dataset"])["success"].mean()
    return {kind: grouped[kind] for kind in KINDS if kind in grouped}


def test_transfer_is_the_rank_correlation_of_the_settings_means() -> None:
    rng = np.random.default_rng(0)
    runs = made_up(lambda d, c, s: rng.normal(c if d != "C" else -c, 2, size=2), "ABC", 12)
    means = setting_means(runs, ["x", "y"])
    assert means is not None
    found = dataset_transfer(means, "y")
    wide = runs.groupby(["dataset", "setting"])["y"].mean()
    for (a, b), value in np.ndenumerate(found.value):
        assert value == pytest.approx(spearmanr(wide["ABC"[a]], wide["ABC"[b]])[0])
    assert found.value[0, 1] > 0.5 and found.value[0, 2] < -0.5
    low, high = found.bounds()
    assert (low <= found.value + 1e-9).all() and (found.value <= high + 1e-9).all()


def test_transfer_takes_three_settings_in_common() -> None:
    runs = made_up(lambda d, c, s: (c + s, c), settings=4)
    few = runs[(runs["dataset"] == "A") | (runs["regularisation"] < 2)]
    means = setting_means(few, ["x"])
    assert means is not None
    found = dataset_transfer(means, "x").value
    assert np.isnan(found[0, 1]) and np.isnan(found[1, 1]) and found[0, 0] == pytest.approx(1)


def brute_force(
    runs: pd.DataFrame, source: tuple[str, str], target: tuple[str, str], seed: int
) -> float:
    score, dataset = source
    of = runs[(runs["dataset"] == dataset) & (runs["seed"] == seed)]
    best = of.loc[of[score] == of[score].max(), "regularisation"]
    score, dataset = target
    there = runs[runs["dataset"] == dataset]
    chances = []
    for chosen in best:
        mine = there[(there["regularisation"] == chosen) & (there["seed"] != seed)]
        wins = []
        for index, value in mine[score].items():
            others = there[score].drop(index)
            wins.append(((others < value).sum() + 0.5 * (others == value).sum()) / len(others))
        chances.append(np.mean(wins))
    return float(np.mean(chances))


def test_success_is_what_counting_by_hand_gives() -> None:
    rng = np.random.default_rng(1)
    # Rounded, so that there are ties, of the best settings as well.
    runs = made_up(lambda d, c, s: rng.normal(c / 3, 1, size=2).round())
    rates = success_rates(runs, ["x", "y"])
    places = list(product("xy", "AB"))
    for (metric, dataset), seed in product(KINDS, range(5)):
        pairs = [
            (a, b)
            for a, b in product(places, places)
            if (a[0] == b[0]) == (metric == "same") and (a[1] == b[1]) == (dataset == "same")
        ]
        expected = np.mean([brute_force(runs, a, b, seed) for a, b in pairs])
        row = rates[
            (rates["metric"] == metric) & (rates["dataset"] == dataset) & (rates["seed"] == seed)
        ]
        assert row["success"].item() == pytest.approx(expected)
        assert row["pairs"].item() == len(pairs)


def test_where_the_setting_decides_the_best_beats_all_others() -> None:
    found = by_kind(success_rates(made_up(lambda d, c, s: (c, c)), ["x", "y"]))
    # 25 of 29 other runs are of worse settings, 4 are equal.
    assert found == dict.fromkeys(KINDS, pytest.approx((25 + 2) / 29))


def test_what_is_opposite_elsewhere_fails_there() -> None:
    sign = {"A": 1, "B": -1}
    found = by_kind(success_rates(made_up(lambda d, c, s: (sign[d] * c, -sign[d] * c)), ["x", "y"]))
    assert found["same", "same"] > 0.9 and found["other", "other"] > 0.9
    assert found["same", "other"] < 0.1 and found["other", "same"] < 0.1


def test_where_only_the_seed_counts_it_is_chance() -> None:
    rng = np.random.default_rng(2)
    runs = made_up(lambda d, c, s: rng.normal(size=2), "ABCD", settings=10, seeds=40)
    found = by_kind(success_rates(runs, ["x", "y"]))
    for rate in found.values():
        assert rate == pytest.approx(0.5, abs=0.04)


def test_what_was_not_run_is_left_out() -> None:
    runs = made_up(lambda d, c, s: (c, c))
    runs.loc[runs["dataset"] == "B", "y"] = np.nan
    runs.loc[(runs["setting"] == 5) & (runs["seed"] == 0), "x"] = np.nan
    rates = success_rates(runs, ["x", "y"])
    first = rates[(rates["metric"] == "same") & (rates["dataset"] == "same")]
    assert (first["pairs"] == 3).all() and len(first) == 5
    assert (rates["success"] > 0.5).all()


def test_a_seed_with_one_setting_has_no_choice() -> None:
    runs = made_up(lambda d, c, s: (c, c))
    rates = success_rates(runs[(runs["seed"] > 0) | (runs["regularisation"] == 0)], ["x"])
    assert set(rates["seed"]) == {1, 2, 3, 4}


def test_one_seed_tells_nothing() -> None:
    assert success_rates(made_up(lambda d, c, s: (c, c), seeds=1), ["x", "y"]).empty
    assert success_rates(made_up(lambda d, c, s: (c, c))[:0], ["x"]).empty
