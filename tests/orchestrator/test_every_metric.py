"""All metrics through the whole of a run, each from what it takes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from grids.data_folder import DataFolder
from grids.datasets import Song1
from grids.load import Grid, load_grid
from metrics import METRICS
from orchestrator import codes, data_check
from orchestrator.image_sets import image_set
from orchestrator.plan import make_plan
from orchestrator.prepare import here, prepare
from orchestrator.status import read_status
from results import load
from tests.orchestrator.conftest import assert_same_answers, run_study
from trainers.inception import FEATURES, WEIGHTS, WEIGHTS_URL

GridMaker = Callable[..., Grid]
# The dearest take a minute together, and go the same way as `dci`.
OF_CODES = [
    name
    for name, metric in METRICS.items()
    if metric.shapes & {"table", "evidence"} and metric.cost_seconds <= 5
]


def scores_of(root: Path) -> pd.DataFrame:
    return load(root).scores


def test_all_metrics_of_a_factor_grid_are_scored_on_both_representations(
    tiny_grid: GridMaker, tmp_path: Path
) -> None:
    names = [*OF_CODES, "udr"]
    grid = tiny_grid(
        more=f"# {names}",
        replace=(
            "metrics: [mig, factor_vae], every: null",
            f"metrics: [{', '.join(names)}], representations: [mean, sampled], every: {{mig: 3}}",
        ),
    )
    run_study(grid, tmp_path)
    scores = scores_of(tmp_path / "tiny")
    final = scores[scores["step"] == 6]
    for name in names:
        own = final[final["metric"] == name]
        shapes = METRICS[name].shapes
        kinds = (
            {"mean", "sampled"} if "table" in shapes else {"mean"} if name == "udr" else {"sampled"}
        )
        assert set(own["representation"]) == kinds, name
        assert set(own["score"]) == set(METRICS[name].scores)
        assert own["value"].map(np.isfinite).all()
        assert own["trial_id"].nunique() == 2
    assert set(scores[scores["step"] == 3]["metric"]) == {"mig"}
    assert (final[final["metric"] == "udr"]["draws"] == 2).all()
    assert (final[final["metric"] == "elbo"]["draws"] == 1_000).all()
    # Nothing is left to do, and nothing is done again.
    before = len(load(tmp_path / "tiny").attempts)
    run_study(grid, tmp_path)
    assert len(load(tmp_path / "tiny").attempts) == before


def test_the_elbo_is_that_of_its_terms_and_near_those_of_training(
    tiny_grid: GridMaker, tmp_path: Path
) -> None:
    grid = tiny_grid(
        seeds="[0]", replace=("metrics: [mig, factor_vae]", "metrics: [reconstruction, kl, elbo]")
    )
    run_study(grid, tmp_path)
    frames = load(tmp_path / "tiny")
    value = frames.scores.set_index("score")["value"]
    assert value["elbo"] == pytest.approx(-(value["reconstruction"] + value["kl"]))
    [trial] = frames.trials.to_dict("records")
    assert value["reconstruction"] == pytest.approx(
        trial["final_reconstruction_per_image"], rel=0.2
    )


def test_a_grown_cell_is_scored_anew_and_its_rows_replace_the_old(
    tiny_grid: GridMaker, tmp_path: Path
) -> None:
    udr = ("metrics: [mig, factor_vae]", "metrics: [udr]")
    run_study(tiny_grid(seeds="[0, 1]", replace=udr), tmp_path)
    run_study(tiny_grid(seeds="[0, 1, 2]", replace=udr), tmp_path)
    scores = scores_of(tmp_path / "tiny")
    assert len(scores) == 3 * 2 and (scores["draws"] == 3).all()
    (tmp_path / "other").mkdir()
    run_study(tiny_grid(seeds="[0, 1, 2]", replace=udr), tmp_path / "other")
    assert_same_answers(tmp_path / "tiny", tmp_path / "other" / "tiny")


def test_a_metric_of_cells_that_is_added_later_encodes_and_does_not_train(
    tiny_grid: GridMaker, tmp_path: Path
) -> None:
    run_study(tiny_grid(), tmp_path)
    grid = tiny_grid(replace=("metrics: [mig, factor_vae]", "metrics: [mig, factor_vae, udr]"))
    run_study(grid, tmp_path)
    frames = load(tmp_path / "tiny")
    assert set(frames.scores["metric"]) == {"mig", "factor_vae", "udr"}
    trained = frames.attempts.groupby("trial_id")["train_seconds"].agg(lambda s: (s > 0).sum())
    assert (trained == 1).all()


def test_a_cell_of_one_trial_has_no_such_score(tiny_grid: GridMaker, tmp_path: Path) -> None:
    grid = tiny_grid(
        frameworks="[beta_vae, ada_gvae]",
        replace=("metrics: [mig, factor_vae]", "metrics: [mig, udr]"),
        more="exclude: [{framework: ada_gvae, seed: 1}]",
    )
    run_study(grid, tmp_path)
    scores = scores_of(tmp_path / "tiny")
    scored = scores.groupby("metric")["trial_id"].nunique()
    assert dict(scored) == {"mig": 3, "udr": 2}
    status, _, _ = read_status(tmp_path / "tiny")
    assert status.scores == status.scores_wanted == 3 + 2
    plan = make_plan(grid, tmp_path, DataFolder(tmp_path))
    assert (plan.scores, plan.scores_left) == (3 + 2, 0)


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with 200 images of song1 and its votes."""
    folder = tmp_path_factory.mktemp("song")
    data, dataset = DataFolder(folder / "data"), Song1(images=200)
    for name in dataset.stored:
        prepare(image_set(name, dataset, data), data, run=here, report=lambda done, total: None)
    return folder


def test_sets_without_a_factor_grid_are_scored_by_their_votes(song: Path, tmp_path: Path) -> None:
    shutil.copytree(song, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "grid.yaml"
    of_votes = [name for name, metric in METRICS.items() if "votes" in metric.shapes]
    path.write_text(
        "study: s\n"
        "trial: {dataset: {name: song1, images: 200}, framework: beta_vae, beta: 1,\n"
        "  model: linear, latents: 2, steps: 2, batch_size: 4}\n"
        f"evaluate: {{metrics: [{', '.join([*of_votes, 'elbo'])}]}}\n"
    )
    run_study(load_grid(path), tmp_path)
    scores = scores_of(tmp_path / "s")
    assert set(scores["metric"]) == {*of_votes, "elbo"}
    votes = scores[scores["metric"] != "elbo"]
    assert (votes["cells"] == 80).all() and (votes["draws"] == 400).all()


class FewFeatures(torch.nn.Module):
    """In place of Inception: means of a few patches, and noughts."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        patches = torch.nn.functional.avg_pool2d(images_BCHW.float() / 255, 16).flatten(1)
        return torch.nn.functional.pad(patches, (0, FEATURES - patches.shape[1]))


def test_the_fid_is_of_moments_that_the_trial_wrote(
    tiny_grid: GridMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "read_inception", lambda path, device: FewFeatures())
    monkeypatch.setattr(data_check, "check_inception", lambda data: None)
    grid = tiny_grid(
        seeds="[0]",
        replace=("metrics: [mig, factor_vae]", "metrics: [fid_reconstruction, fid_sample]"),
    )
    run_study(grid, tmp_path)
    scores = scores_of(tmp_path / "tiny")
    assert set(scores["score"]) == {"fid_reconstruction", "fid_sample"}
    assert (scores["value"] > 0).all() and (scores["draws"] == 64).all()
    assert (scores["representation"] == "sampled").all()


def test_without_the_weights_of_the_fid_a_run_says_where_they_come_from(
    latentgrid: Callable[..., subprocess.CompletedProcess[str]],
    tiny_grid: GridMaker,
    tmp_path: Path,
) -> None:
    tiny_grid(replace=("metrics: [mig, factor_vae]", "metrics: [fid_sample]"))
    options = ("--out", tmp_path / "out", "--data-dir", tmp_path / "data")
    planned = latentgrid("plan", tmp_path / "tiny.yaml", *options)
    assert f"latentgrid data fetch inception --data-dir {tmp_path / 'data'}" in planned.stdout
    done = latentgrid("run", tmp_path / "tiny.yaml", "--local", *options)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert str(tmp_path / "data" / "inception" / WEIGHTS) in line and WEIGHTS_URL in line
    assert not (tmp_path / "out").exists()
