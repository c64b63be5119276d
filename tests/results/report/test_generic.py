"""The report of any study: one that is done, that runs, that has not begun."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grids.load import load_grid
from results.report import generic
from results.report.blocks import Block, Drawing, Missing, Table, Text
from results.report.studies import Studies
from results.report.write import write_report
from results.schema import DISTANCES, SCHEMAS
from results.store import StudyFolder

GRID = """study: s
trial: {dataset: xysquares, model: conv64, latents: 2, steps: 10, batch_size: 4}
grid: {framework: [vae, autoencoder], seed: [0, 1, 2]}
evaluate: {metrics: [mig]}
"""

MakeStudies = Callable[..., Studies]


@pytest.fixture
def make_studies(tmp_path: Path) -> MakeStudies:
    """Studies of GRID of which the first `done` trials completed, each with MIG = seed / 4."""

    def make(done: int, failed: int = 0) -> Studies:
        path = tmp_path / "g.yaml"
        path.write_text(GRID)
        grid = load_grid(path)
        states = ["completed"] * done + ["failed"] * failed
        rows = []
        for number, trial in enumerate(grid.trials):
            state = states[number] if number < len(states) else "waiting"
            finished = state == "completed"
            rows.append(
                {"study": "s", "trial_id": trial.trial_id, **trial.columns(), "status": state}
                | {"steps_done": 10 if finished else None, "gpu_hours": 0.0, "cpu_hours": 0.5}
                | {"error": "Traceback\nValueError: <no>" if state == "failed" else None}
            )
        empty = {name: schema.empty_table().to_pandas() for name, schema in SCHEMAS.items()}
        trials = pd.concat([empty["trials"], pd.DataFrame(rows)], ignore_index=True)
        finished_rows = trials[trials["status"] == "completed"]
        scores = pd.DataFrame(
            {
                "trial_id": finished_rows["trial_id"],
                "step": 10,
                "representation": "mean",
                "metric": "mig",
                "metric_version": 1,
                "score": "mig",
                "value": finished_rows["seed"].astype(float) / 4,
                "size": "full",
                "seed": 0,
                "attempt_id": "none",
            }
        )
        curves = pd.DataFrame(
            {"trial_id": finished_rows["trial_id"], "step": 10, "loss": 1.0, "kl_nats": 2.0}
        ).assign(reconstruction_per_image=3.0)
        return Studies(
            grids=(grid,),
            folders=(StudyFolder(tmp_path / "s"),),
            trials=trials,
            scores=scores if len(scores) else empty["scores"],
            curves=curves if len(curves) else empty["curves"],
            attempts=empty["attempts"],
            distances=DISTANCES.empty_table().to_pandas(),
            own_scores=("mig",),
        )

    return make


def blocks(studies: Studies) -> dict[str, Block]:
    found = [block for section in generic.sections(studies) for block in section.blocks]
    return {getattr(block, "name", block.title): block for block in found}


def test_scores_are_means_over_seeds_by_swept_parameter(make_studies: MakeStudies) -> None:
    table = blocks(make_studies(6))["final_scores"]
    assert isinstance(table, Table)
    rows = table.frame.set_index("framework")
    assert rows["value"].to_dict() == {"vae": 0.25, "autoencoder": 0.25}
    assert rows["n"].tolist() == [3, 3]
    assert np.allclose(rows["sd"], 0.25)


def test_how_it_stands_counts_every_trial(make_studies: MakeStudies) -> None:
    table = blocks(make_studies(2, failed=1))["standing"]
    assert isinstance(table, Table)
    [row] = table.frame.to_dict("records")
    assert (row["trials"], row["completed"], row["failed"], row["waiting"]) == (6, 2, 1, 3)
    assert row["steps done"] == 20 and row["steps"] == 60


def test_failures_have_their_tracebacks(make_studies: MakeStudies) -> None:
    found = blocks(make_studies(2, failed=1))
    table = found["failures"]
    assert isinstance(table, Table) and table.frame["error"].tolist() == ["ValueError: <no>"]
    [trial_id] = table.frame["trial_id"]
    text = found[f"Traceback of {trial_id}"]
    assert isinstance(text, Text) and text.text.startswith("Traceback")


def test_a_study_without_scores_says_so(make_studies: MakeStudies) -> None:
    found = blocks(make_studies(0))
    assert isinstance(found["Scores"], Missing) and isinstance(found["Curves"], Missing)
    assert not any(isinstance(block, Drawing) for block in found.values())


@pytest.mark.parametrize("done", [0, 2, 6])
def test_a_report_is_written_at_any_time(
    make_studies: MakeStudies, tmp_path: Path, done: int
) -> None:
    page = write_report(make_studies(done, failed=int(done == 2)), tmp_path / "report").read_text()
    assert "<h1>s</h1>" in page and "How it stands" in page
    assert "ValueError: &lt;no&gt;" in page or done != 2
