"""`latentgrid report`, `traversals` and `export` on a study that was run."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from grids.load import load_grid
from orchestrator import manifest
from results import load
from results.store import StudyFolder
from tests.orchestrator.conftest import run_study
from tests.orchestrator.test_cli import one_line

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def study(tiny_grid: Any, tmp_path: Path) -> Path:
    run_study(tiny_grid(), tmp_path)
    return tmp_path / "tiny"


def test_a_study_that_was_run_is_reported_drawn_and_exported(
    latentgrid: Command, study: Path, tmp_path: Path
) -> None:
    before = sorted(study.rglob("*"))
    done = latentgrid("report", study)
    assert done.returncode == 0, done.stderr
    page = tmp_path / "tiny-report" / "report.html"
    assert done.stderr.strip() == f"written: {page}"
    assert "Scores by swept parameter" in page.read_text()
    scores = pd.read_csv(page.parent / "tables" / "final_scores.csv").set_index("score")
    final = load(study).scores
    mig = final[(final["score"] == "mig") & (final["step"] == 6)]["value"]
    assert scores.loc["mig", "value"] == pytest.approx(mig.mean())
    assert scores.loc["mig", "n"] == 2

    trial_id = load(study).trials["trial_id"][0]
    done = latentgrid("traversals", study, trial_id[:8], "--out", tmp_path / "latents.png")
    assert done.returncode == 0, done.stderr
    done = latentgrid("traversals", study, trial_id[:8])
    beside = study.with_name(f"{study.name}-{trial_id[:8]}.png")
    assert done.returncode == 0, done.stderr
    assert beside.read_bytes() == (tmp_path / "latents.png").read_bytes()
    with Image.open(tmp_path / "latents.png") as picture:
        assert len(np.unique(np.asarray(picture).reshape(-1, 4), axis=0)) > 10

    done = latentgrid("export", study, "--csv", tmp_path / "csv", "--tensorboard", tmp_path / "tb")
    assert done.returncode == 0, done.stderr
    assert len(pd.read_csv(tmp_path / "csv" / "scores.csv")) == len(final)
    assert sorted(path.name for path in (tmp_path / "tb").iterdir()) == sorted(
        load(study).trials["trial_id"]
    )
    assert sorted(study.rglob("*")) == before  # a study is only read


def test_what_cannot_be_reported_is_refused_in_one_line(
    latentgrid: Command, study: Path, tmp_path: Path
) -> None:
    assert "not a study's folder" in one_line(latentgrid("report", tmp_path))
    line = one_line(latentgrid("report", study, "--out", study))
    assert "is a study's folder; valid: another folder" in line
    line = one_line(latentgrid("traversals", study, "zzz", "--out", tmp_path / "x.png"))
    assert "zzz is no trial of this study; valid: one of" in line
    line = one_line(latentgrid("traversals", study, "", "--out", tmp_path / "x.png"))
    assert "begins 2 ids" in line
    assert "ends in .png" in one_line(
        latentgrid("traversals", study, "a", "--out", tmp_path / "x.jpg")
    )
    assert "valid: --csv DIR" in one_line(latentgrid("export", study))
    file = study / "study.yaml"
    for command in (("report", "--out"), ("export", "--csv"), ("export", "--tensorboard")):
        line = one_line(latentgrid(command[0], study, command[1], file))
        assert command[1] in line and "is a file" in line


def test_a_study_of_measurements_has_no_trial_to_draw(latentgrid: Command, tmp_path: Path) -> None:
    path = tmp_path / "importance.yaml"
    path.write_text("study: importance\nmeasurement: {dataset: xysquares, pairs: 60}\n")
    folder = StudyFolder(tmp_path / "importance", 1)
    manifest.write(folder, load_grid(path), {}, "made up")
    out = tmp_path / "x.png"
    line = one_line(latentgrid("traversals", folder.root, "a", "--out", out))
    assert "has no trained trials, being a study of measurements; valid: " in line
