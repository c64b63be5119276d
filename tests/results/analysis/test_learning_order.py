from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.analysis.learning_order import (
    NONE,
    RISEN_NATS,
    followed_factors,
    kl_by_factor,
    order_agreement,
    risen_at,
)

FACTORS = ("x", "scale", "shape")
# Latents 0 and 3 follow x, 1 shape, 2 scale: rows are factors.
RATIOS = np.array([[0.1, 0.9, 1.0, 0.2], [0.8, 0.9, 0.3, 0.9], [1.0, 0.5, 0.9, 0.9]])


def curves(by_latent: list[list[float]], trial_id: str = "a") -> pd.DataFrame:
    steps = range(len(by_latent))
    return pd.DataFrame(
        {
            "trial_id": trial_id,
            "step": [10 * step for step in steps],
            "capacity_nats": [float(step) for step in steps],
            "kl_nats_by_latent": [np.array(kl) for kl in by_latent],
        }
    )


def test_a_latent_follows_the_factor_for_which_it_stands_stillest() -> None:
    assert followed_factors(RATIOS).tolist() == [0, 2, 1, 0]
    assert followed_factors(np.array([[0.95, 0.2], [0.9, 1.0]])).tolist() == [NONE, 0]


def test_a_latent_of_noise_is_no_factors() -> None:
    noise = np.array([[0.9, 0.9], [0.95, 0.2], [1.0, 1.0]])
    found = kl_by_factor(curves([[5, 1]]), {"a": noise}, FACTORS)
    assert found.set_index("factor")["kl_nats"].to_dict() == {"x": 0, "scale": 1, "shape": 0}


def test_latents_of_a_factor_add_up() -> None:
    found = kl_by_factor(curves([[0, 0, 0, 0], [1, 0, 0.5, 2]]), {"a": RATIOS}, FACTORS)
    last = found[found["step"] == 10].set_index("factor")["kl_nats"]
    assert last.to_dict() == {"x": 3.0, "scale": 0.5, "shape": 0.0}


@settings(max_examples=30)
@given(st.lists(st.lists(st.floats(0, 10), min_size=4, max_size=4), min_size=1, max_size=5))
def test_nothing_is_lost_or_counted_twice(by_latent: list[list[float]]) -> None:
    found = kl_by_factor(curves(by_latent), {"a": RATIOS}, FACTORS)
    assert found.groupby("step")["kl_nats"].sum().to_list() == pytest.approx(
        [sum(kl) for kl in by_latent]
    )


def test_trials_without_latents_are_left_out() -> None:
    both = pd.concat([curves([[1, 1, 1, 1]]), curves([[1, 1, 1, 1]], "b")])
    assert set(kl_by_factor(both, {"b": RATIOS}, FACTORS)["trial_id"]) == {"b"}
    none = kl_by_factor(both, {}, FACTORS)
    assert none.empty and risen_at(none).empty
    assert order_agreement(risen_at(none), {}).empty


def test_a_factor_has_risen_at_the_least_capacity_that_suffices() -> None:
    bit = RISEN_NATS
    of = [[0, 0, 0, 0], [bit / 2, 0, 0, bit / 2], [2, 0.1, bit, 0], [2, 0.1, 0, 0]]
    found = risen_at(kl_by_factor(curves(of), {"a": RATIOS}, FACTORS))
    capacity = found.set_index("factor")["capacity_nats"].to_dict()
    assert capacity == {"x": 1.0, "scale": 2.0, "shape": math.inf}


@pytest.mark.parametrize(
    ("capacities", "agreement"),
    [
        ({"x": 1.0, "scale": 2.0, "shape": 3.0}, 1.0),
        ({"x": 1.0, "scale": 2.0, "shape": math.inf}, 1.0),
        ({"x": 3.0, "scale": 2.0, "shape": 1.0}, -1.0),
        ({"x": 2.0, "scale": 1.0, "shape": 3.0}, 0.5),
        ({"x": 1.0, "scale": math.inf, "shape": math.inf}, math.sqrt(0.75)),
        ({"x": math.inf, "scale": math.inf, "shape": math.inf}, math.nan),
    ],
)
def test_the_order_is_held_against_importance(
    capacities: dict[str, float], agreement: float
) -> None:
    risen = pd.DataFrame(
        [{"trial_id": "a", "factor": f, "capacity_nats": c} for f, c in capacities.items()]
    )
    found = order_agreement(risen, {"shape": 0.02, "x": 0.06, "scale": 0.03})
    assert found["a"] == pytest.approx(agreement, nan_ok=True)
