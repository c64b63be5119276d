from __future__ import annotations

from pathlib import Path

import pytest

import metrics
from grids.datasets import DATASETS
from grids.load import Grid, load_grid
from grids.metrics import METRICS, metrics_of
from grids.settings import Evaluate
from grids.trial import GridError
from orchestrator.work import due_metrics, wanted_scores


def grid(tmp_path: Path, text: str) -> Grid:
    path = tmp_path / "g.yaml"
    path.write_text(
        "study: s\ntrial: {model: conv64, latents: 2, steps: 100, seed: 0}\n" + text + "\n"
    )
    return load_grid(path)


XYSQUARES = "cases: [{dataset: xysquares, framework: vae}]\n"


def test_a_metric_takes_what_its_function_takes() -> None:
    assert {name: set(shapes) for name, shapes in METRICS.items()} == {
        name: set(metric.shapes) for name, metric in metrics.METRICS.items()
    }


def test_a_dataset_is_scored_with_what_it_has() -> None:
    assert "mig" in metrics_of(DATASETS["dsprites"]())
    assert "mig" not in metrics_of(DATASETS["song3"]())
    assert "factor_vae_ucl_legacy" in metrics_of(DATASETS["song3"]())
    assert metrics_of(DATASETS["cifar10"]()) == (
        "reconstruction", "kl", "elbo", "udr", "fid_reconstruction", "fid_sample"
    )  # fmt: skip


def test_steps_between_scores_are_of_each_metric(tmp_path: Path) -> None:
    evaluate = grid(
        tmp_path,
        XYSQUARES + "evaluate: {metrics: [mig, factor_vae, elbo], every: {mig: 20, elbo: 50}}",
    ).evaluate
    assert evaluate.intervals == (20, 50)
    assert due_metrics(20, 100, evaluate) == ["mig"]
    assert due_metrics(50, 100, evaluate) == ["elbo"]
    assert due_metrics(100, 100, evaluate) == ["mig", "factor_vae", "elbo"]
    assert due_metrics(30, 100, evaluate) == []
    wanted = wanted_scores("t", 100, 100, evaluate)
    assert {(key[2], key[3]) for key in wanted} == {
        ("mean", "mig"),
        ("mean", "factor_vae"),
        ("sampled", "elbo"),
    }


def test_a_step_of_the_training_that_is_the_last_has_scores_of_both_sizes() -> None:
    """Else the best of the scores during training could never be the last."""
    metrics = ("mig", "factor_vae", "elbo", "dci")
    every = (("mig", 20), ("factor_vae", 30), ("elbo", 20))
    evaluate = Evaluate(metrics=metrics, every_by_metric=every, during="fast", final="full")
    sizes = {(key[3], key[5]) for key in wanted_scores("t", 100, 100, evaluate)}
    # Of the evidence the trial leaves what one size asks for.
    assert sizes == {*((metric, "full") for metric in metrics), ("mig", "fast")}


def test_one_number_is_for_all_metrics() -> None:
    evaluate = Evaluate(metrics=("mig", "elbo"), every=10)
    assert evaluate.intervals == (10,) and due_metrics(10, 100, evaluate) == ["mig", "elbo"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            XYSQUARES + "evaluate: {metrics: [mig], every: {dci: 10}}",
            "every names 'dci'; valid: mig",
        ),
        (
            XYSQUARES + "evaluate: {metrics: [mig], every: {mig: 0}}",
            "every of mig is 0; valid: an integer of at least 1",
        ),
        (
            XYSQUARES + "evaluate: {metrics: [mig], every: {mig: 101}}",
            "every is 101, and a trial has 100 steps; valid: 1 to 100",
        ),
        (
            "cases: [{dataset: song2, framework: vae}]\nevaluate: {metrics: [mig]}",
            "mig is of codes of a table, and song2 has none; valid: factor_vae, ",
        ),
        (
            "cases: [{dataset: xysquares, framework: autoencoder}]\nevaluate: {metrics: [elbo]}",
            "elbo is of a posterior, and autoencoder has none; valid: mig, ",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_starts(
    tmp_path: Path, text: str, line: str
) -> None:
    with pytest.raises(GridError) as caught:
        grid(tmp_path, text)
    assert line in str(caught.value) and "\n" not in str(caught.value)
