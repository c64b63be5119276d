from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grids.load import Grid, load_grid
from orchestrator.dashboard.cells import (
    ScoreChoice,
    cells_of,
    score_choices,
    score_column,
    states_of,
)
from results.schema import SCHEMAS

GRID = """
study: s
trial: {dataset: xysquares, model: conv64, latents: 4, steps: 9, batch_size: 4}
cases:
  - {framework: beta_vae, grid: {beta: [1.0e-3, 4]}}
  - {framework: annealed_vae, framework.anneal_steps: 5, grid: {framework.gamma: [10, 1000]}}
  - {framework: factor_vae}
grid: {dataset.spacing: [8, 1], seed: [3, 0]}
evaluate: {metrics: [mig]}
"""


@pytest.fixture
def grid(tmp_path: Path) -> Grid:
    path = tmp_path / "g.yaml"
    path.write_text(GRID)
    return load_grid(path)


def test_parameters_are_those_that_tell_trials_apart_with_values_as_the_file_orders_them(
    grid: Grid,
) -> None:
    cells = cells_of(grid)
    values = {name: values for name, (values, _) in cells.parameters.items()}
    assert values == {
        "dataset.spacing": [8, 1],
        "framework": ["beta_vae", "annealed_vae", "factor_vae"],
        "framework.gamma": [None, 10.0, 1000.0],  # FactorVAE has one, which says nothing
        "beta": [1e-3, 4.0, None],
        "seed": [3, 0],
    }
    for at, trial in enumerate(grid.trials):
        columns = trial.columns()
        for name, value in cells.words(at).items():
            assert columns[name] == value
    assert len({tuple(cells.words(at).items()) for at in range(20)}) == 20
    assert cells.unit == "trial" and cells.trial_ids == [t.trial_id for t in grid.trials]


def test_a_trial_that_is_tried_again_is_running(grid: Grid) -> None:
    cells = cells_of(grid)
    ids = cells.trial_ids
    outcomes = {ids[0]: "completed", ids[1]: "diverged", ids[2]: "failed", ids[3]: "failed"}
    assert states_of(cells, outcomes, {ids[3], ids[4]}) == "cdfrr" + 15 * "w"
    assert states_of(cells, {"of an earlier grid": "failed"}, set()) == 20 * "w"


def scores(rows: list[dict[str, Any]]) -> Any:
    common = {"representation": "mean", "metric_version": 1, "size": "full", "seed": 0}
    return (
        SCHEMAS["scores"]
        .empty_table()
        .from_pylist([common | row for row in rows], schema=SCHEMAS["scores"])
    )


def test_choices_are_what_the_table_has_a_metrics_own_score_first() -> None:
    made = [
        {"metric": "mig", "score": "mig", "size": "fast"},
        {"metric": "factor_vae", "score": "factor_vae_active_latents"},
        {"metric": "factor_vae", "score": "factor_vae_score"},
        {"metric": "mig", "score": "mig"},
        {"metric": "mig", "score": "mig"},
        {"metric": "of a later version", "score": "x"},
    ]
    assert score_choices(scores(made)) == [
        ("factor_vae", "factor_vae_score", "mean", "full"),
        ("factor_vae", "factor_vae_active_latents", "mean", "full"),
        ("mig", "mig", "mean", "full"),
        ("mig", "mig", "mean", "fast"),
        ("of a later version", "x", "mean", "full"),
    ]


def test_a_score_at_the_last_or_the_best_step(grid: Grid) -> None:
    cells = cells_of(grid)
    one, other = cells.trial_ids[2], cells.trial_ids[5]
    table = scores(
        [
            {"metric": name, "score": name, "trial_id": trial, "step": step, "value": value, **more}
            for name in ("mig", "kl")
            for trial, step, value, more in (
                (one, 3, 0.7, {}),
                (one, 9, 0.51, {}),
                (one, 6, 0.2, {}),
                (one, 9, 0.1, {"size": "fast"}),
                (one, 9, 0.9, {"seed": 7}),
                (one, 9, 0.9, {"representation": "sampled"}),
                (other, 9, 0.3, {"metric_version": 0}),
                (other, 9, 0.1234567, {}),
                (cells.trial_ids[6], 9, float("nan"), {}),
                ("of an earlier grid", 9, 0.9, {}),
            )
        ]
    )

    def column(metric: str, best: bool) -> dict[str, Any]:
        choice = ScoreChoice(metric, metric, "mean", "full")
        return score_column(table, cells, choice, seed=0, best=best)

    for metric, best, expected in (
        ("mig", False, 0.51),
        ("mig", True, 0.7),
        ("kl", False, 0.51),
        ("kl", True, 0.2),
    ):
        found = column(metric, best)
        assert found["higher_is_better"] is (metric == "mig")
        assert {at: v for at, v in enumerate(found["values"]) if v is not None} == {
            2: expected,
            5: 0.12346,
        }
