from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from results.report.lines import axis_of, labels, medians, over, short, told_apart, within

RUNS = pd.DataFrame(
    [
        {
            "dataset": dataset,
            "steps": {"dsprites": 100, "cars3d": 200}[dataset],
            "framework": framework,
            "framework.gamma": gamma,
            "latents": latents,
            "seed": seed,
        }
        for dataset in ("dsprites", "cars3d")
        for framework, gamma in [("vae", np.nan), ("factor_vae", 10.0), ("factor_vae", 0.123456)]
        for latents in (4, 6)
        for seed in (0, 1)
    ]
)
SWEPT = ["dataset", "steps", "framework", "framework.gamma", "latents"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.000316, "0.000316"), (1 / 3, "0.3333"), (115200.0, "115200"), (8, "8"), (np.nan, "–")],
)
def test_numbers_have_four_digits_that_count(value: float, expected: str) -> None:
    assert short(value) == expected


def test_the_first_parameters_that_fit_tell_lines_apart() -> None:
    """Six of dataset, framework and gamma; latents made twelve, steps none more."""
    assert told_apart(RUNS, SWEPT) == ["dataset", "framework", "framework.gamma"]
    assert told_apart(RUNS, []) == []


def test_what_is_within_a_line_is_named() -> None:
    lines = told_apart(RUNS, SWEPT)
    assert within(RUNS, SWEPT, lines) == ["latents"]
    assert over(RUNS, ["framework.gamma", "latents"]) == "framework.gamma, latents and seeds"
    assert over(RUNS, []) == "seeds"
    assert over(RUNS[RUNS["seed"] == 0], []) == ""
    # Steps differ between the runs of a line where the dataset does not tell the lines apart.
    assert within(RUNS, SWEPT, ["framework"]) == ["dataset", "steps", "framework.gamma", "latents"]


def test_an_axis_is_no_parameter_that_follows_from_another() -> None:
    assert axis_of(RUNS, ["dataset", "steps", "framework"]) == "framework"
    assert axis_of(RUNS, ["dataset", "steps", "framework", "latents"]) == "latents"


def test_lines_are_called_by_what_they_have() -> None:
    found = labels(RUNS, ["framework", "framework.gamma", "latents"])
    assert found.iloc[0] == "vae, latents 4"
    assert found.iloc[-1] == "factor_vae, gamma 0.1235, latents 6"
    assert set(labels(RUNS, ["framework.gamma"])) == {"without gamma", "gamma 10", "gamma 0.1235"}
    assert set(labels(RUNS, [])) == {""}


def test_medians_have_the_percentiles_of_their_rows() -> None:
    rows = pd.DataFrame({"line": ["a"] * 21 + ["b"], "value": [*range(21), 7]})
    found = medians(rows, ["line"])
    assert found.to_dict("list") == {
        "line": ["a", "b"],
        "value": [10.0, 7.0],
        "low": [1.0, 7.0],
        "high": [19.0, 7.0],
        "n": [21, 1],
    }
