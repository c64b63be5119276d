"""The grids of Fil et al. 2021: what they sweep, stated once more, and how much it comes to."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import grids.load
from grids.load import Grid, load_grid
from grids.trial import Trial

FOLDER = Path(grids.load.__file__).parent / "fil2021"

BETAS = (0.1, 1, 4, 10)
GREY_SEEDS, COLOUR_SEEDS, FID_SEEDS = (123, 427, 235, 921), (123, 427, 235), (4723, 1263)
EPOCH = {"dsprites": 2_880, "shapes3d": 7_500, "mpi3d_toy": 16_200, "cifar10": 782, "cifar100": 782}
"""Steps: ceil(images / batch size)."""


def grid(name: str) -> Grid:
    return load_grid(FOLDER / f"{name}.yaml")


def ids(*names: str) -> set[str]:
    return {trial.trial_id for name in names for trial in grid(name).trials}


def columns(name: str, *wanted: str, **only: Any) -> list[tuple[Any, ...]]:
    """The wanted columns of the trials that have the values of `only`, sorted."""
    rows = [trial.columns() for trial in grid(name).trials]
    return sorted(
        tuple(row[key] for key in wanted)
        for row in rows
        if all(row[key.replace("__", ".")] == value for key, value in only.items())
    )


def product(*values: Any) -> list[tuple[Any, ...]]:
    return sorted(itertools.product(*values))


@pytest.mark.parametrize(
    ("name", "trials", "steps"),
    [
        ("mlp", 16, 1_843_200),
        ("mlp-as-run", 16, 1_843_200),
        ("conv", 40, 13_219_200),
        ("conv-as-run", 40, 3_304_800),
        ("fid", 16, 500_480),
        ("fid-as-run", 16, 125_120),
        ("baselines", 20, 20),
        ("baselines-as-run", 20, 20),
        ("ica", 56, 56),
        ("mpi3d_real", 36, 15_552_012),
        ("more_seeds", 800, 235_680_000),
        ("gaussian_sigma", 90, 29_743_200),
    ],
)
def test_how_much_a_grid_is(name: str, trials: int, steps: int) -> None:
    found = grid(name)
    assert found.study == f"fil2021-{name}".replace("_", "-")
    assert found.report == "fil2021" and found.source
    assert len(found.trials) == len(ids(name)) == trials
    assert sum(trial.steps for trial in found.trials if isinstance(trial, Trial)) == steps
    assert {trial.precision for trial in found.trials if isinstance(trial, Trial)} == {"fp32"}


BUDGET_SECONDS = 2 * 15 * 60
"""Two cores for 15 minutes."""


# Milliseconds a step and seconds a trial (fit, codes, scores) of one thread, 2026-11-26.
@pytest.mark.parametrize(
    ("name", "trials", "steps", "step_ms", "trial_seconds"),
    [
        ("mlp-small", 8, 12_000, 44, 120),
        ("conv-small", 36, 28_812, 32, 15),
        ("fid-small", 12, 21_600, 32, 20),
        ("baselines-small", 8, 8, 0, 35),
        ("ica-small", 24, 24, 0, 35),
        ("mpi3d_real-small", 24, 28_800, 32, 10),
        ("more_seeds-small", 20, 24_000, 32, 10),
        ("gaussian_sigma-small", 15, 18_000, 32, 10),
    ],
)
def test_small_grids_take_a_quarter_of_an_hour_and_no_download(
    name: str, trials: int, steps: int, step_ms: float, trial_seconds: float
) -> None:
    found = grid(name)
    assert found.study == f"fil2021-{name}".replace("_", "-")
    assert found.report == "fil2021" and found.source
    assert len(ids(name)) == trials
    assert sum(trial.steps for trial in found.trials if isinstance(trial, Trial)) == steps
    assert steps * step_ms / 1000 + trials * trial_seconds <= 0.9 * BUDGET_SECONDS
    for trial in found.trials:
        assert isinstance(trial, Trial) and not trial.dataset.stored
    assert not any(resources.gpus for resources in found.resources)


def test_small_grids_sweep_the_published_betas() -> None:
    for name in ("mlp-small", "conv-small", "fid-small", "mpi3d_real-small"):
        betas = {beta for (beta,) in columns(name, "beta_sum", framework="beta_vae")}
        assert betas == set(BETAS)
    assert len(ids("more_seeds-small") & ids("conv-small")) == 6


def test_every_file_is_tested() -> None:
    tested = {file.stem for file in FOLDER.glob("*.yaml")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in tested if f'("{name}", ' not in text} == set()


def test_72_vaes_and_20_baselines() -> None:
    assert len(ids("mlp", "conv", "fid")) == 72
    assert len(ids("baselines")) == 20


@pytest.mark.parametrize("name", ["mlp", "mlp-as-run"])
def test_the_mlp(name: str) -> None:
    assert columns(name, "beta_sum", "seed") == product(BETAS, GREY_SEEDS)
    same = (
        "dataset", "framework", "model", "latents", "reconstruction", "optimizer", "optimizer.lr",
        "batch_size", "sampling", "steps",
    )  # fmt: skip
    assert set(columns(name, *same)) == {
        ("dsprites", "beta_vae", "mlp_higgins", 10, "bernoulli", "adagrad", 0.01, 256,
         "without_replacement", 40 * EPOCH["dsprites"])
    }  # fmt: skip


def test_the_code_lowers_the_learning_rate_of_convolutions_only() -> None:
    assert set(columns("mlp", "lr_schedule")) == {("step",)}
    assert set(columns("mlp-as-run", "lr_schedule")) == {("constant",)}
    for name, at in {"mlp": 0.75, "conv": 0.75, "fid": 0.75, "conv-as-run": 0.8}.items():
        schedule = ("lr_schedule", "lr_schedule.factor", "lr_schedule.at")
        assert set(columns(name, *schedule)) == {("step", 0.2, at)}


@pytest.mark.parametrize(("name", "epochs"), [("conv", 40), ("conv-as-run", 10)])
def test_the_convolutions(name: str, epochs: int) -> None:
    for dataset, seeds, lr, batch_size in (
        ("dsprites", GREY_SEEDS, 5e-4, 256),
        ("shapes3d", COLOUR_SEEDS, 1e-4, 64),
        ("mpi3d_toy", COLOUR_SEEDS, 5e-4, 64),
    ):
        assert columns(name, "beta_sum", "seed", dataset=dataset) == product(BETAS, seeds)
        same = ("optimizer", "optimizer.lr", "batch_size", "steps", "latents", "model")
        assert set(columns(name, *same, dataset=dataset)) == {
            ("adam", lr, batch_size, epochs * EPOCH[dataset], 10, "conv_burgess")
        }


@pytest.mark.parametrize(("name", "epochs"), [("fid", 40), ("fid-as-run", 10)])
def test_the_photographs(name: str, epochs: int) -> None:
    sets = ("cifar10", "cifar100")
    assert columns(name, "dataset", "beta_sum", "seed") == product(sets, BETAS, FID_SEEDS)
    same = ("optimizer", "optimizer.lr", "batch_size", "steps", "latents", "model")
    assert set(columns(name, *same)) == {("adam", 5e-4, 64, epochs * 782, 128, "conv_burgess")}
    metrics = grid(name).evaluate.metrics
    assert {"fid_reconstruction", "fid_sample", "reconstruction"} <= set(metrics)
    assert len(range(0, epochs * 782, grid(name).evaluate.every or 0)) >= 5  # figures 7 and 8


@pytest.mark.parametrize("name", ["baselines", "baselines-as-run"])
def test_baselines_have_the_published_fit_sizes(name: str) -> None:
    for dataset, seeds, sizes in (
        ("dsprites", GREY_SEEDS, {"pca": 25_000, "ica": 2_500}),
        ("shapes3d", COLOUR_SEEDS, {"pca": 3_500, "ica": 1_000}),
        ("mpi3d_toy", COLOUR_SEEDS, {"pca": 3_500, "ica": 1_000}),
    ):
        for framework, size in sizes.items():
            found = columns(name, "batch_size", "seed", dataset=dataset, framework=framework)
            assert found == product([size], seeds)
        for name_of_whitening in columns(name, "framework.whitening", framework="ica"):
            as_run = "arbitrary_variance" if name == "baselines-as-run" else "unit_variance"
            assert name_of_whitening == (as_run,)
    sampling = {"baselines": "without_replacement", "baselines-as-run": "with_replacement"}
    assert set(columns(name, "sampling")) == {(sampling[name],)}


def test_ica_is_varied_around_the_published_fit() -> None:
    settings = ("framework.whitening", "framework.algorithm", "framework.contrast")
    assert columns("ica", *settings, "seed", batch_size=2_500) == product(
        ("arbitrary_variance", "unit_variance"),
        ("deflation", "parallel"),
        ("cube", "exp", "logcosh"),
        GREY_SEEDS,
    )
    assert columns("ica", "batch_size", "seed")[:4] == product([1_000], GREY_SEEDS)
    assert len(ids("ica") & ids("baselines")) == len(GREY_SEEDS)


def test_photographs_of_the_robot_are_trained_on_as_its_renders() -> None:
    for dataset in ("mpi3d_realistic", "mpi3d_real"):
        only = {"dataset": dataset, "framework": "beta_vae"}
        assert columns("mpi3d_real", "beta_sum", "seed", **only) == product(BETAS, COLOUR_SEEDS)
        settings = ("beta_sum", "seed", "model", "latents", "optimizer.lr", "batch_size", "steps")
        renders = columns("conv", *settings, dataset="mpi3d_toy")
        assert columns("mpi3d_real", *settings, **only) == renders


def test_more_seeds_have_the_published_ones_among_them() -> None:
    published = ids("mlp", "conv")
    assert len(published) == 56 and published < ids("more_seeds")
    seeds = {seed for (seed,) in columns("more_seeds", "seed")}
    assert len(seeds) == 50 and set(GREY_SEEDS) <= seeds
    cells = {row[:-1] for row in columns("more_seeds", "dataset", "model", "beta_sum", "seed")}
    assert len(cells) == 4 * len(BETAS)


def test_sigma_squared_of_a_vae_is_beta_of_a_beta_vae() -> None:
    name = "gaussian_sigma"
    vaes = columns(name, "reconstruction.sigma", "seed", framework="vae", dataset="shapes3d",
                   reconstruction__learned=False)  # fmt: skip
    assert [(round(sigma**2, 12), seed) for sigma, seed in vaes] == product(BETAS, COLOUR_SEEDS)
    betas = columns(name, "beta_sum", "seed", framework="beta_vae", dataset="shapes3d")
    assert betas == product(BETAS, COLOUR_SEEDS)
    learned = columns(name, "dataset", "seed", reconstruction__learned=True)
    assert len(learned) == 10
    same = ("optimizer.lr", "batch_size", "steps")
    for dataset in ("dsprites", "shapes3d", "mpi3d_toy"):
        assert set(columns(name, *same, dataset=dataset)) == set(
            columns("conv", *same, dataset=dataset)
        )


def test_no_beta_is_a_mean() -> None:
    for name in ("mlp", "conv", "fid", "mpi3d_real", "more_seeds", "gaussian_sigma"):
        for trial in grid(name).trials:
            assert isinstance(trial, Trial)
            assert trial.beta_convention == "sum" or not trial.framework.conventions
