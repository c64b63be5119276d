"""Which setting a trial is of, by grids whose settings are plain to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from grids.load import load_grid
from grids.trial import Trial
from results.analysis.methods import settings_of
from results.schema import TRIALS

GRID = """
study: made-up
trial:
  model: conv64
  latents: 10
  steps: 200000
  batch_size: 64
  beta_convention: mean
cases:
  - framework: factor_vae
    grid: {framework.gamma: [100, 10, 20]}
  - framework: beta_vae
    beta_convention: sum
    grid: {beta: [1, 16]}
  - framework: {name: annealed_vae}
    grid: {framework.capacity_nats: [5, 25]}
  - framework: vae
grid:
  dataset: [shapes3d, dsprites]
  seed: [3, 4]
"""


def trials_of(tmp_path: Path, *texts: str) -> pd.DataFrame:
    rows = []
    for text in texts:
        (tmp_path / "grid.yaml").write_text(text)
        for trial in load_grid(tmp_path / "grid.yaml").trials:
            assert isinstance(trial, Trial)
            rows.append({"trial_id": trial.trial_id, **trial.columns()})
    frame: pd.DataFrame = pa.Table.from_pylist(rows, TRIALS).to_pandas()
    return frame.drop_duplicates("trial_id")


def test_each_method_has_its_own_parameter_and_the_order_of_the_paper(tmp_path: Path) -> None:
    settings = settings_of(trials_of(tmp_path, GRID))
    assert list(dict.fromkeys(settings["dataset"])) == ["dsprites", "shapes3d"]
    of = settings[settings["dataset"] == "dsprites"]
    found = of.drop_duplicates("setting")[["method", "regularisation", "strength"]]
    assert found.to_numpy().tolist()[:-1] == [
        ["beta_vae", 1.0, 0],
        ["beta_vae", 16.0, 1],
        ["factor_vae", 10.0, 0],
        ["factor_vae", 20.0, 1],
        ["factor_vae", 100.0, 2],
        ["annealed_vae", 5.0, 0],
        ["annealed_vae", 25.0, 1],
    ]
    method, regularisation, strength = found.iloc[-1]
    assert method == "vae" and np.isnan(regularisation) and strength == 0


def test_runs_of_a_setting_differ_by_their_seeds(tmp_path: Path) -> None:
    settings = settings_of(trials_of(tmp_path, GRID))
    assert settings["setting"].nunique() == 2 * 8
    assert settings.groupby("setting")["seed"].apply(sorted).tolist() == [[3, 4]] * 16
    assert settings["trial_id"].is_unique


def test_as_run_and_as_printed_are_not_pooled(tmp_path: Path) -> None:
    as_run = GRID.replace("framework: factor_vae\n", "framework: factor_vae\n    steps: 100000\n")
    settings = settings_of(trials_of(tmp_path, GRID, as_run))
    assert set(settings["method"]) == {
        "beta_vae",
        "factor_vae, steps 100000",
        "factor_vae, steps 200000",
        "annealed_vae",
        "vae",
    }


def test_what_follows_the_regularisation_or_the_dataset_is_no_other_method(tmp_path: Path) -> None:
    text = """
study: made-up
trial: {model: conv64, latents: 10, beta_convention: sum, framework: beta_vae}
cases:
  - {dataset: dsprites, steps: 10}
  - {dataset: shapes3d, steps: 20}
zip:
  beta: [1, 2]
  batch_size: [8, 16]
"""
    settings = settings_of(trials_of(tmp_path, text))
    assert set(settings["method"]) == {"beta_vae"}
    assert settings["setting"].nunique() == 4


def test_one_dataset_with_other_parameters_is_another(tmp_path: Path) -> None:
    text = """
study: made-up
trial: {model: conv64, latents: 10, steps: 10, beta: 1, framework: beta_vae}
grid: {dataset: [{name: xysquares, spacing: 8}, {name: xysquares, spacing: 2}, dsprites]}
"""
    settings = settings_of(trials_of(tmp_path, text))
    assert list(settings["dataset"]) == ["dsprites", "xysquares, spacing 2", "xysquares, spacing 8"]


def test_no_trials_have_no_settings() -> None:
    assert settings_of(TRIALS.empty_table().to_pandas()).empty
