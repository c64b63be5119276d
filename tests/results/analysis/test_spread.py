from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from results.analysis.spread import cells_of, spread, spread_by_place


def runs(means: dict[tuple[int, float], float], noise: float = 0.0, n: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            (place, beta, mean + noise * rng.standard_normal())
            for (place, beta), mean in means.items()
            for _ in range(n)
        ],
        columns=["place", "beta", "value"],
    )


MEANS = {(5, 1.0): 60, (5, 4.0): 80, (10, 1.0): 70, (10, 4.0): 70}


def test_the_spread_is_the_population_sd_over_the_means() -> None:
    rows = runs(MEANS)
    found = spread_by_place(cells_of(rows, rows))
    assert found["place"].tolist() == [5, 10]
    assert found["value"].tolist() == pytest.approx([10, 0])  # half of 20, not 20 / sqrt(2)
    assert found["low"].tolist() == pytest.approx([10, 0]) and found["n"].tolist() == [3, 3]


def test_its_interval_holds_the_true_spread_of_noisy_runs() -> None:
    rows = runs(MEANS, noise=4.0, n=30)
    first = spread_by_place(cells_of(rows, rows)).iloc[0]
    assert first["low"] < 10 < first["high"] and first["high"] - first["low"] < 4


def test_a_place_is_left_out_until_every_beta_has_a_run() -> None:
    planned = runs(MEANS)
    rows = planned[(planned["place"] == 10) | (planned["beta"] == 1)]
    assert cells_of(rows, planned).places == (10,)
    assert spread_by_place(cells_of(rows[:0], planned)).empty


def test_betas_that_one_place_alone_has_are_left_out() -> None:
    rows = runs(MEANS | {(10, 64.0): 0.0})
    assert cells_of(rows, rows).betas == (1.0, 4.0)
    assert spread_by_place(cells_of(rows, rows))["value"].tolist() == pytest.approx([10, 0])


def test_a_single_beta_has_no_spread() -> None:
    rows = runs({(5, 1.0): 60, (10, 1.0): 70})
    assert spread_by_place(cells_of(rows, rows)).empty


def test_flat_cells_come_back_in_their_shape() -> None:
    rows = runs(MEANS | {(15, 1.0): 90, (15, 4.0): 50})
    cells = cells_of(rows, rows).at([5, 15])
    means = np.array([[cell.mean() for cell in cells.flat()]])
    assert spread(cells.shaped(means))[0].tolist() == pytest.approx([10, 20])
