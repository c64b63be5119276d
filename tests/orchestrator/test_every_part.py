from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grids.load import load_grid
from grids.parts import FRAMEWORKS, MODELS
from orchestrator.sweep import run_sweep
from results import load

GRID = Path(__file__).with_name("every_part.yaml")


@pytest.mark.ray
def test_every_framework_at_every_network_through_the_sweep(
    run: Any, ray_cluster: str, tmp_path: Path
) -> None:
    grid = load_grid(GRID)
    trained = [name for name, part in FRAMEWORKS.items() if not part.closed_form]
    fitted = [name for name, part in FRAMEWORKS.items() if part.closed_form]
    pairs = {(trial.framework.name, trial.model.name) for trial in grid.trials}
    assert pairs == {(framework, model) for framework in trained for model in MODELS} | {
        (framework, "linear") for framework in fitted
    }
    run(grid, tmp_path, run_sweep)
    frames = load(tmp_path / "every_part")
    trials = frames.trials.set_index("trial_id")
    assert len(trials) == len(grid.trials) and set(trials["status"]) == {"completed"}
    assert trials["final_loss"].notna().all()
    assert trials.groupby("framework")["final_kl_nats"].count().to_dict() == {
        name: len(MODELS) if part.posterior else 0 for name, part in FRAMEWORKS.items()
    }
    for name, part in FRAMEWORKS.items():
        rows = trials[trials["framework"] == name]
        for term in part.terms:
            assert rows[f"final_{term}"].notna().all(), (name, term)
    scored = frames.scores.groupby("trial_id")["value"].count()
    assert set(scored.index) == set(trials.index)
