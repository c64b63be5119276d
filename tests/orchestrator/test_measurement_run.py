from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grids.load import Grid, load_grid
from grids.trial import GridError
from orchestrator.local import run_local
from orchestrator.runs import start
from orchestrator.session import Session
from orchestrator.sweep import run_sweep
from results import load

GRID = """
study: {study}
measurement: {{pairs: 60}}
grid:
  dataset: [{{name: xysquares, grid_size: 2, spacing: 8}}, {{name: xycolumns, grid_size: 2}}]
  reconstruction: [mse, mse_boxblur]
"""


@pytest.fixture
def measurements(tmp_path: Path) -> Callable[..., Grid]:
    def make(study: str = "measured", text: str = GRID) -> Grid:
        path = tmp_path / f"{study}.yaml"
        path.write_text(text.format(study=study))
        return load_grid(path)

    return make


def distances(root: Path) -> pd.DataFrame:
    frame = pd.read_parquet(root / "distances")
    return frame.sort_values(["trial_id", "factor"], ignore_index=True)


def test_a_grid_of_measurements_leaves_distances_rows_and_hours(
    measurements: Any, run: Any, tmp_path: Path
) -> None:
    grid = measurements()
    assert len(grid.trials) == 4
    run(grid, tmp_path)
    found = distances(tmp_path / "measured")
    # Two squares' places 8 apart never overlap: one of 128 pixels of 12,288 a moved square.
    squares = found[(found["dataset"] == "xysquares") & (found["reconstruction"] == "mse")]
    assert len(squares) == 6 + 1
    along = squares[squares["factor"] != "random"]
    np.testing.assert_allclose(along["distance_mean"], 1 / 96)
    assert along["distance_matrix"].iloc[0][0].tolist() == pytest.approx([0, 1 / 96])
    frames = load(tmp_path / "measured")
    assert set(frames.trials["status"]) == {"completed"}
    steps = frames.trials.set_index("trial_id")["steps_done"].to_dict()
    assert steps == {trial.trial_id: trial.steps for trial in grid.trials}
    assert (frames.attempts["measure_seconds"] > 0).all()
    assert (frames.trials["cpu_hours"] > 0).all()


def test_a_finished_measurement_is_not_made_again(
    measurements: Any, run: Any, tmp_path: Path
) -> None:
    run(measurements(), tmp_path)
    before = len(load(tmp_path / "measured").attempts)
    run(measurements(), tmp_path)
    assert len(load(tmp_path / "measured").attempts) == before


def test_measurements_of_another_study_are_adopted(
    measurements: Any, run: Any, tmp_path: Path
) -> None:
    run(measurements("one"), tmp_path)
    run(measurements("other"), tmp_path)
    assert len(load(tmp_path / "other").attempts) == 0
    one, other = (distances(tmp_path / name) for name in ("one", "other"))
    pd.testing.assert_frame_equal(one, other)
    assert set(load(tmp_path / "other").trials["adopted_from"]) == {"one"}


def test_an_interrupted_measurement_is_made_again(
    measurements: Any, run: Any, tmp_path: Path
) -> None:
    def stopped(session: Session) -> None:
        session.interrupt()
        for unit in session.missing():
            work = start(unit)
            assert not work.advance(0.0)
            work.interrupt()

    run(measurements(), tmp_path, stopped)
    assert set(load(tmp_path / "measured").attempts["outcome"]) == {"interrupted"}
    run(measurements(), tmp_path)
    assert len(distances(tmp_path / "measured")["trial_id"].unique()) == 4


@pytest.mark.ray
def test_on_ray_the_distances_are_the_same(
    measurements: Any, run: Any, ray_cluster: str, tmp_path: Path
) -> None:
    run(measurements(), tmp_path / "here", run_local)
    run(measurements(), tmp_path / "there", run_sweep)
    here, there = (distances(tmp_path / name / "measured") for name in ("here", "there"))
    pd.testing.assert_frame_equal(here, there)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "study: s\nmeasurement: {dataset: xysquares, pairs: 0}\n",
            "2:42: pairs is 0; valid: an integer of at least 1",
        ),
        (
            "study: s\nmeasurement: {dataset: xysquares, latents: 3}\n",
            "2:35: latents is not a field of a measurement",
        ),
        (
            "study: s\ntrial: {latents: 3}\nmeasurement: {dataset: xysquares}\n",
            "3:1: a study has trials or measurements",
        ),
        (
            "study: s\nmeasurement: {dataset: {name: xysquares, standardise: true}}\n",
            "dataset.standardise is true; valid: false",
        ),
        (
            "study: s\nmeasurement: {dataset: xysquares, reconstruction: gaussian}\n",
            "reconstruction is gaussian; valid: mse, bernoulli, mse_boxblur",
        ),
        (
            "study: s\n"
            "measurement: {dataset: xysquares, reconstruction: {name: mse, activation: tanh}}\n",
            "reconstruction.activation is tanh; valid: linear",
        ),
        (
            "study: s\nmeasurement: {dataset: xysquares}\nevaluate: {metrics: [mig]}\n",
            "metrics score trials",
        ),
        (
            "study: s\ntrial: {dataset: cifar10, framework: beta_vae, beta: 1, model: conv64,\n"
            "  latents: 2, steps: 1}\n",
            "model is conv64, for images of side 64",
        ),
        (
            "study: s\ntrial: {dataset: song1, framework: beta_vae, beta: 1, model: conv64,\n"
            "  latents: 2, steps: 1}\nevaluate: {metrics: [mig]}\n",
            "mig is of codes of a table, and song1 has none; valid: factor_vae, ",
        ),
        (
            "study: s\ntrial: {dataset: song1, framework: ada_gvae, beta: 1, model: conv64,\n"
            "  latents: 2, steps: 1}\n",
            "framework is ada_gvae, whose pairs share factors, and song1 has 0",
        ),
    ],
)
def test_a_bad_file_is_refused_at_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "grid.yaml"
    path.write_text(text)
    with pytest.raises(GridError) as caught:
        load_grid(path)
    assert complaint in str(caught.value)


def test_importance_prints_the_table_beside_the_published_numbers(
    latentgrid: Any, tmp_path: Path
) -> None:
    command = ("importance", "xysquares", "--pairs", "200", "--out", tmp_path)
    figure = tmp_path / "figure.png"
    done = latentgrid(*command, "--figure", figure)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("0.0104 ± 0.0000 │ 0.0104 ± 0.0000") == 6
    assert figure.read_bytes().startswith(b"\x89PNG")
    again = latentgrid(*command, "--json")
    rows = json.loads(again.stdout)
    assert [row["factor"] for row in rows] == ["x_R", "y_R", "x_G", "y_G", "x_B", "y_B", "random"]
    assert [row["distance_mean"] for row in rows[:-1]] == pytest.approx([128 / 12288] * 6)
    # .0308 +- .0022 of 200 pairs.
    assert rows[-1]["distance_mean"] == pytest.approx(0.030762, abs=5 * 0.002238 / 200**0.5)
    assert len(load(tmp_path / "importance").attempts) == 1
    wrong = latentgrid(*command, "--reconstruction", "mae")
    assert wrong.returncode == 2 and "valid: mse, bernoulli, gaussian, mse_boxblur" in wrong.stderr
