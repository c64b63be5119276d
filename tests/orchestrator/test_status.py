"""The tables of scores that a terminal shows."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from grids.load import Grid, load_grid
from orchestrator.show import in_words, progress_line, scores_table
from orchestrator.status import Status, score_summary, status_of, with_fractions
from results.analysis.swept import swept_parameters
from results.schema import SCHEMAS
from results.tables import Frames

TRIAL = (
    "study: s\n"
    "trial: {dataset: xysquares, model: conv64, latents: 4, steps: 9, batch_size: 4}\n"
    "evaluate: {metrics: [mig]}\n"
)
FRAMEWORKS = """cases:
  - {framework: beta_vae, grid: {beta: [1.0e-3, 4]}}
  - {framework: {name: ada_gvae, k_rule: uniform}, beta: 1}
  - {framework: annealed_vae, framework.anneal_steps: 5, grid: {framework.gamma: [10, 1000]}}
  - {framework: factor_vae, optimizer.lr: 1.0e-4}
grid: {seed: [0, 1], dataset.spacing: [8, 1]}
"""


def grid_of(tmp_path: Path, text: str) -> Grid:
    path = tmp_path / "g.yaml"
    path.write_text(TRIAL + text)
    return load_grid(path)


def frames_of(grid: Grid) -> Frames:
    """Each trial has the score .25 + .5 seed."""
    empty = {name: schema.empty_table().to_pandas() for name, schema in SCHEMAS.items()}
    rows = [
        {
            "trial_id": trial.trial_id,
            "step": trial.steps,
            "representation": "mean",
            "metric": "mig",
            "score": "mig",
            "size": "full",
            "value": 0.25 + 0.5 * trial.seed,
        }
        for trial in grid.trials
    ]
    scores = pd.DataFrame(rows).reindex(columns=empty["scores"].columns)
    return Frames(**empty | {"scores": scores})


def printed(grid: Grid) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(scores_table(score_summary(grid, frames_of(grid))))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def test_few_parameters_are_columns(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "grid: {framework: [vae, dip_vae_i], seed: [0, 1]}\n")
    summary = score_summary(grid, frames_of(grid))
    assert list(summary.columns) == ["framework", "score", "mean", "sd", "n"]
    assert summary["mean"].tolist() == [0.5, 0.5] and summary["n"].tolist() == [2, 2]
    assert "framework" in printed(grid) and "trials" not in printed(grid)


def test_of_many_scores_the_first_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    latents = list(range(2, 207))
    grid = grid_of(tmp_path, f"grid: {{framework: [vae], latents: {latents}, seed: [0, 1]}}\n")
    lines = printed(grid).splitlines()
    assert sum("0.500 ±" in line for line in lines) == 200
    assert lines[-1].startswith("and 5 more lines")


def test_what_follows_from_a_framework_is_no_column(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, FRAMEWORKS)
    summary = score_summary(grid, frames_of(grid))
    parameters = [c for c in summary.columns if c not in ("score", "mean", "sd", "n")]
    assert parameters == ["dataset.spacing", "framework", "beta", "framework.gamma"]
    assert summary["n"].tolist() == [2] * 12


def test_what_a_trial_may_lack_tells_it_from_those_that_have_it(tmp_path: Path) -> None:
    """`k` is null or a number within one framework; `resize` is a matter of the dataset alone."""
    grid = grid_of(
        tmp_path,
        "cases:\n"
        "  - {framework: vae}\n  - {framework: ada_gvae, beta: 1}\n"
        "  - {framework: {name: ada_gvae, k_rule: fixed, k: 2}, beta: 1}\n"
        "grid: {dataset: [shapes3d, {name: cars3d}]}\n",
    )
    rows = pd.DataFrame([{"trial_id": t.trial_id, **t.columns()} for t in grid.trials])
    assert swept_parameters(rows) == [
        "dataset",
        "framework",
        "beta",
        "framework.k_rule",
        "framework.k",
    ]


def test_many_parameters_are_one_column_within_80_and_no_value_is_cut(tmp_path: Path) -> None:
    text = printed(grid_of(tmp_path, FRAMEWORKS))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("0.500 ± 0.354") == 12 and "…" not in text
    assert "spacing 1, beta_vae, beta 4.0" in text and "spacing 8, factor_vae" in text


def test_words_leave_out_blanks_and_defaults_and_name_schedules() -> None:
    assert in_words(
        {
            "framework": "annealed_vae",
            "beta": float("nan"),
            "framework.gamma": 1000.0,
            "framework.capacity_nats": 5.0,
            "lr_schedule": "linear",
            "beta_schedule": "constant",
        }
    ) == ("annealed_vae, capacity_nats 5.0, lr_schedule linear")


@pytest.mark.parametrize("field", ["lr", "eps"])
def test_words_keep_a_default_of_a_part_that_all_trials_have(field: str) -> None:
    """Beside other values it is what tells the trials apart."""
    assert in_words({f"optimizer.{field}": 1e-3}) == f"{field} 0.001"


def test_the_time_left_counts_what_trials_take_beside_training(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "grid: {beta: [1], framework: [beta_vae], seed: [0, 1, 2, 3, 4]}\n")
    first, second, *_ = (trial.trial_id for trial in grid.trials)
    frames = frames_of(grid)
    attempt = {"kind": "trial", "cpus": 1.0, "gpu_share": 0.0, "start_step": 0}
    ended = {"trial_id": first, "outcome": "completed", "steps_done": 9, "train_seconds": 9.0}
    runs = {"trial_id": second, "outcome": "running", "steps_done": 3, "train_seconds": 6.0}
    rows = [
        {"attempt_id": "a", "wall_seconds": 109.0, **ended, **attempt},
        {"attempt_id": "b", "wall_seconds": 7.0, **runs, **attempt},
    ]
    row = {"trial_id": first, "status": "completed", "attempt_id": "a"}
    frames = frames._replace(
        attempts=pd.DataFrame(rows).reindex(columns=frames.attempts.columns),
        trials=pd.DataFrame([row]).reindex(columns=frames.trials.columns),
    )
    found = status_of(grid, with_fractions(frames), {})
    # 33 of 45 steps at half a step a second; 100 seconds beside them for each of four trials.
    assert found.eta_hours == pytest.approx((33 / 0.5 + 4 * 100) / 3600)


@pytest.mark.parametrize(
    ("failed", "scores", "at_work", "begins"),
    [
        (0, 4, False, "finished: 2 of 2 trials completed, 0 failed; "),
        (0, 3, False, "trained 2/2, 0 failed | final scores 3 of 4 | "),  # codes wait to be scored
        (0, 3, True, "trained 2/2, 0 failed | final scores 3 of 4 | "),
        (1, 2, False, "finished: 1 of 2 trials completed, 1 failed, 2 of 4 final scores; "),
    ],
)
def test_a_study_that_waits_for_scores_alone_is_not_said_to_be_finished(
    failed: int, scores: int, at_work: bool, begins: str
) -> None:
    status = Status(
        study="s",
        trials=2,
        completed=2 - failed,
        diverged=0,
        failed=failed,
        running=[],
        at_work=at_work,
        steps=18,
        steps_done=18,
        steps_per_second=0.0,
        eta_hours=None,
        scores=scores,
        scores_wanted=4,
        cpu_hours=0.01,
        wasted_cpu_hours=0.0,
        gpu_hours=0.0,
        wasted_gpu_hours=0.0,
    )
    assert progress_line(status).startswith(begins)
