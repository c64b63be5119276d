from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from results.analysis.rank_agreement import rank_agreement


def curves(trials: int, steps: int, noise: float, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    fid = rng.normal(size=(trials, steps)) + rng.normal(size=(trials, 1))
    loss = fid + noise * rng.normal(size=(trials, steps))
    return pd.DataFrame(
        {
            "trial_id": np.repeat([f"t{i}" for i in range(trials)], steps),
            "step": np.tile(np.arange(steps), trials),
            "fid": fid.ravel(),
            "loss": np.round(loss.ravel(), 1),  # with ties
        }
    )


@pytest.mark.parametrize("noise", [0.3, 1.0, 30.0])
def test_it_is_spearmans_over_all_points(noise: float) -> None:
    points = curves(8, 10, noise)
    found = rank_agreement(points, "fid", "loss")
    assert found.value == pytest.approx(spearmanr(points["fid"], points["loss"]).statistic)
    assert found.low <= found.value <= found.high and found.n == 8


def test_curves_that_move_together_agree_fully() -> None:
    points = curves(4, 5, 0.0)
    points["loss"] = 3 * points["fid"] ** 3
    assert rank_agreement(points, "fid", "loss")[:3] == pytest.approx((1, 1, 1))
    assert rank_agreement(points.assign(loss=-points["loss"]), "fid", "loss").high < -0.99


def test_whole_trials_are_drawn() -> None:
    """Points of a trial are alike, so that more steps of the same trials make it no surer."""
    few = curves(6, 3, 3.0)
    many = pd.concat([few.assign(step=few["step"] + 3 * i) for i in range(20)], ignore_index=True)
    widths = [f.high - f.low for f in (rank_agreement(p, "fid", "loss") for p in (few, many))]
    assert widths[1] == pytest.approx(widths[0], rel=0.05)


def test_steps_that_a_trial_lacks_do_not_count() -> None:
    points = curves(4, 5, 0.5)
    short = points[~((points["trial_id"] == "t3") & (points["step"] == 4))]
    expected = rank_agreement(points[points["step"] < 4], "fid", "loss")
    assert rank_agreement(short, "fid", "loss") == expected
    missing = points.assign(loss=points["loss"].mask(points["step"] == 4))
    assert rank_agreement(missing, "fid", "loss") == expected


def test_of_too_little_there_is_no_correlation() -> None:
    points = curves(3, 2, 0.5)
    assert math.isnan(rank_agreement(points[:0], "fid", "loss").value)
    assert math.isnan(rank_agreement(points.assign(loss=1.0), "fid", "loss").value)
    of_one = rank_agreement(points[:2], "fid", "loss")
    assert abs(of_one.value) == pytest.approx(1) and math.isnan(of_one.low) and of_one.n == 1
