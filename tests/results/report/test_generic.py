"""The report of any study: one that is done, that runs, that has not begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grids.load import load_grid
from grids.trial import Trial
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
LOSSES = """study: losses
trial: {dataset: xysquares, model: conv64, latents: 2, steps: 10, batch_size: 4}
grid:
  framework: [beta_vae, ada_gvae]
  beta: [0.0001, 0.000316]
  reconstruction: [mse, mse_boxblur]
  seed: [0, 1]
evaluate: {metrics: [mig]}
"""
MANY = """study: many
trial: {framework: beta_vae, model: conv64, steps: 10, batch_size: 4}
grid:
  dataset: [xysquares, {name: xysquares, spacing: 4}, xyobject]
  reconstruction: [mse, bernoulli]
  latents: [2, 4]
  beta: [0.000316, 0.001, 0.00316, 0.01, 0.0316, 0.1]
evaluate: {metrics: [mig]}
"""
METHODS = """study: methods
trial: {model: conv64, latents: 2, steps: 10, batch_size: 4, dataset: xysquares}
cases:
  - {framework: vae}
  - {framework: autoencoder}
  - framework: factor_vae
    grid: {framework.gamma: [10, 20, 30, 40, 50, 60, 70, 80]}
  - framework: beta_tc_vae
    beta_convention: sum
    grid: {beta: [1, 2, 4, 6, 8, 16]}
grid: {seed: [0, 1]}
evaluate: {metrics: [mig]}
"""

MakeStudies = Callable[..., Studies]
Of = Callable[[Trial], float]


@pytest.fixture
def make_studies(tmp_path: Path) -> MakeStudies:
    """Studies of grids of which the first `done` trials completed, by default MIG = seed / 4."""

    def make(
        done: int,
        failed: int = 0,
        texts: Sequence[str] = (GRID,),
        value: Of = lambda trial: trial.seed / 4,
        loss: Of = lambda trial: 1.0,
    ) -> Studies:
        grids = []
        for text in texts:
            path = tmp_path / "g.yaml"
            path.write_text(text)
            grids.append(load_grid(path))
        trials_of = [(grid.study, trial) for grid in grids for trial in grid.trials]
        by_id = {trial.trial_id: trial for _, trial in trials_of}
        states = ["completed"] * done + ["failed"] * failed
        rows = []
        for number, (study, trial) in enumerate(trials_of):
            state = states[number] if number < len(states) else "waiting"
            finished = state == "completed"
            rows.append(
                {"study": study, "trial_id": trial.trial_id, **trial.columns(), "status": state}
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
                "value": [value(by_id[trial_id]) for trial_id in finished_rows["trial_id"]],
                "size": "full",
                "seed": 0,
                "attempt_id": "none",
            }
        )
        curves = pd.DataFrame(
            {"trial_id": finished_rows["trial_id"], "step": 10, "kl_nats": 2.0}
        ).assign(
            reconstruction_per_image=3.0,
            loss=[loss(by_id[trial_id]) for trial_id in finished_rows["trial_id"]],
        )
        return Studies(
            grids=tuple(grids),
            folders=tuple(StudyFolder(tmp_path / grid.study) for grid in grids),
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


def drawing(studies: Studies, name: str) -> Drawing:
    found = blocks(studies)[name]
    assert isinstance(found, Drawing)
    return found


def drawn(found: Drawing) -> pd.DataFrame:
    assert found.frame is not None
    return found.frame


def blurred(trial: Trial) -> float:
    """What a trial's number would be if the loss alone decided it."""
    return 3.0 if trial.reconstruction.name == "mse_boxblur" else 1.0


def code_size(trial: Trial) -> float:
    return float(trial.latents)


def test_scores_over_seeds_alone_are_means_with_their_intervals(make_studies: MakeStudies) -> None:
    found = drawing(make_studies(16, texts=[LOSSES], value=blurred), "final_scores_by_parameter")
    assert "means over seeds" in found.title.lower() and "bootstrap" in found.title
    frame = drawn(found)
    assert len(frame) == 8 and (frame["n"] == 2).all()
    assert frame.groupby("line")["value"].agg(set).to_dict() == {
        "mse, beta_vae": {1.0},
        "mse, ada_gvae": {1.0},
        "mse_boxblur, beta_vae": {3.0},
        "mse_boxblur, ada_gvae": {3.0},
    }


def test_scores_over_more_than_seeds_are_medians_and_say_over_what(
    make_studies: MakeStudies,
) -> None:
    """Six betas along the axis leave seven lines of twelve: the loss is not what is given up."""
    found = drawing(make_studies(72, texts=[MANY], value=code_size), "final_scores_by_parameter")
    assert "medians over latents, with" in found.title
    assert "5th to the 95th percentile of all runs" in found.title
    frame = drawn(found)
    assert len(frame) == 36 and (frame["n"] == 2).all()
    assert set(frame["value"]) == {3.0}
    assert np.allclose(frame["low"], 2.1) and np.allclose(frame["high"], 3.9)


def test_what_few_runs_have_is_not_along_the_axis(make_studies: MakeStudies) -> None:
    """Gamma has most values, but of one method in four; no run is left out."""
    found = drawing(make_studies(32, texts=[METHODS]), "final_scores_by_parameter")
    [panel] = found.figure.axes
    assert panel.get_xlabel() == "framework"
    assert drawn(found)["n"].sum() == 32
    assert "over framework.gamma and seeds" in found.title
    assert {"beta 16", "without beta"} < set(drawn(found)["line"])


def test_a_run_without_the_parameter_of_the_axis_has_its_place(make_studies: MakeStudies) -> None:
    cases = "cases: [{framework: vae}, {framework: beta_vae, grid: {beta: [4, 16]}}]"
    text = GRID.replace("grid: {framework: [vae, autoencoder],", f"{cases}\ngrid: {{")
    found = drawing(make_studies(9, texts=[text]), "final_scores_by_parameter")
    [panel] = found.figure.axes
    assert panel.get_xlabel() == "beta"
    assert [label.get_text() for label in panel.get_xticklabels()] == ["4", "16", "–"]
    assert drawn(found)["n"].sum() == 9


def test_long_labels_of_an_axis_are_turned(make_studies: MakeStudies) -> None:
    many = drawing(make_studies(72, texts=[MANY]), "final_scores_by_parameter").figure.axes[0]
    labels = many.get_xticklabels()
    assert [label.get_text() for label in labels][:3] == ["0.000316", "0.001", "0.00316"]
    assert labels[0].get_rotation() == 45
    few = drawing(make_studies(16, texts=[LOSSES]), "final_scores_by_parameter").figure.axes[0]
    assert few.get_xticklabels()[0].get_rotation() == 0


def test_curves_of_two_losses_have_panels_of_their_own(make_studies: MakeStudies) -> None:
    found = drawing(make_studies(16, texts=[LOSSES], loss=blurred), "curves")
    titles = [panel.get_title() for panel in found.figure.axes]
    assert [title for title in titles if title.startswith("loss")] == [
        "loss, mse",
        "loss, mse_boxblur",
    ]
    frame = drawn(found)
    of_loss = frame[frame["term"] == "loss"].groupby("minimised")
    assert of_loss["value"].agg(set).to_dict() == {"mse": {1.0}, "mse_boxblur": {3.0}}
    assert found.note.startswith("Medians over seeds, ")


def test_curves_say_what_they_are_over(make_studies: MakeStudies) -> None:
    found = drawing(make_studies(72, texts=[MANY], loss=code_size), "curves")
    assert found.note.startswith("Medians over beta, with bands from the 5th to the 95th")
    assert set(drawn(found).loc[drawn(found)["term"] == "loss", "value"]) == {2.0, 4.0}


def test_each_study_has_its_own_figures(make_studies: MakeStudies) -> None:
    """As printed and as run are two experiments, whatever they have in common."""
    other = LOSSES.replace("study: losses", "study: other").replace("conv64", "conv64_disent")
    studies = make_studies(
        32,
        texts=[LOSSES, other],
        loss=lambda trial: float(trial.model.name == "conv64_disent"),
    )
    for study, loss in (("losses", 0.0), ("other", 1.0)):
        found = drawing(studies, f"curves_{study}")
        assert found.title.startswith(f"{study}: ")
        assert set(drawn(found).loc[drawn(found)["term"] == "loss", "value"]) == {loss}
        assert len(drawn(drawing(studies, f"final_scores_by_parameter_{study}"))) == 8


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
