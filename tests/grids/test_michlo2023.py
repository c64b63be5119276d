"""The grid files of Michlo et al. 2023 against what the paper prints and its code ran."""

from __future__ import annotations

import functools
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import grids.load
from grids.load import Grid, load_grid
from grids.measurement import Measurement
from grids.trial import Trial

FOLDER = Path(grids.load.__file__).parent / "michlo2023"

# Supplement, table 4, and the scripts of nmichlo/msc-research 625e57ec: trials, optimiser steps.
PUBLISHED = {
    "adversarial": (160, 18_432_000),
    "adversarial-as-run": (160, 18_432_000),
    "overlap": (160, 9_216_000),
    "overlap-as-run": (160, 9_216_000),
    "overlap_small_beta-as-run": (80, 4_608_000),
    "augmented_loss": (40, 2_304_000),
    "augmented_loss-as-run": (40, 2_304_000),
    "autoencoders-as-run": (18, 1_036_800),
    "learning_order": (10, 1_000_000),
}
# Ours: made small, without a download.
SMALL = {
    "adversarial-small": (16, 9_600),
    "overlap-small": (24, 16_800),
    "augmented_loss-small": (16, 16_000),
    "learning_order-small": (3, 24_000),
}
# Steps of a beta-VAE on 64 images of 64x64. Two trials at once, at 60 ms a step, have 30,000 in 15
# minutes; what is left is for scores.
BUDGET = 26_000
MEASUREMENTS = {"importance": 5, "importance-small": 4, "distances": 16}
TABLE_4 = ("adversarial", "overlap", "augmented_loss")
BENCHMARKS = {"dsprites", "shapes3d", "cars3d", "smallnorb_michlo"}
FRAMEWORKS = ("beta_vae", "ada_gvae")


@functools.cache
def grid(name: str) -> Grid:
    return load_grid(FOLDER / f"{name}.yaml")


def trials(name: str) -> list[Trial]:
    return [trial for trial in grid(name).trials if isinstance(trial, Trial)]


def swept(name: str, *columns: str) -> Counter[tuple[Any, ...]]:
    """How often each combination of values of these columns occurs."""
    rows = [trial.columns() for trial in trials(name)]
    return Counter(tuple(row[column] for column in columns) for row in rows)


def values(name: str, column: str) -> set[Any]:
    """The values of a column; None is of trials that have no such parameter."""
    return {trial.columns().get(column) for trial in trials(name)}


def test_every_file_of_the_folder_is_counted_here() -> None:
    names = {path.stem for path in FOLDER.iterdir()}
    assert names == {*PUBLISHED, *SMALL, *MEASUREMENTS}


@pytest.mark.parametrize("name", [*PUBLISHED, *SMALL])
def test_trials_and_steps(name: str) -> None:
    number, steps = (PUBLISHED | SMALL)[name]
    assert len({trial.trial_id for trial in trials(name)}) == len(trials(name)) == number
    assert sum(trial.steps for trial in trials(name)) == steps


def test_table_4_as_a_whole() -> None:
    assert sum(PUBLISHED[name][0] for name in TABLE_4) == 360
    assert sum(PUBLISHED[name][1] for name in TABLE_4) == 29_952_000


@pytest.mark.parametrize("name", [*PUBLISHED, *SMALL, *MEASUREMENTS])
def test_a_file_says_what_it_is(name: str) -> None:
    assert grid(name).report == "michlo2023"
    assert grid(name).study == f"michlo2023-{name}".replace("_", "-")
    assert grid(name).source is not None
    if name not in MEASUREMENTS:
        assert "\n  precision: " in grid(name).text


def test_studies_have_folders_of_their_own() -> None:
    names = [grid(name).study for name in (*PUBLISHED, *SMALL, *MEASUREMENTS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["adversarial", "adversarial-as-run"])
def test_adversarial_is_swept_as_in_table_4(name: str) -> None:
    betas = (0.000316, 0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0)
    cells = product(sorted(BENCHMARKS | {"xysquares"}), FRAMEWORKS, (9, 25), betas)
    assert swept(name, "dataset", "framework", "latents", "beta") == Counter(cells)
    assert values(name, "steps") == {115_200}
    assert values(name, "dataset.spacing") == values(name, "dataset.grid_size") == {8, None}
    assert values(name, "reconstruction") == {"mse"}


@pytest.mark.parametrize("name", ["overlap", "overlap-as-run"])
def test_overlap_is_swept_as_in_table_4(name: str) -> None:
    cells = product((8, 7, 6, 5, 4, 3, 2, 1), FRAMEWORKS, (0.001, 0.00316), range(5))
    assert swept(name, "dataset.spacing", "framework", "beta", "seed") == Counter(cells)
    assert values(name, "steps") == {57_600}
    assert values(name, "dataset") == {"xysquares"} and values(name, "latents") == {9}
    assert {trial.images for trial in trials(name)} == {262_144}, "8 x 8 at every spacing"


@pytest.mark.parametrize("name", ["augmented_loss", "augmented_loss-as-run"])
def test_augmented_loss_is_swept_as_in_table_4(name: str) -> None:
    cells = product(("mse", "mse_boxblur"), FRAMEWORKS, (0.0001, 0.0316), range(5))
    assert swept(name, "reconstruction", "framework", "beta", "seed") == Counter(cells)
    assert values(name, "steps") == {57_600} and values(name, "latents") == {25}
    assert values(name, "dataset.spacing") == values(name, "dataset.grid_size") == {8}
    assert values(name, "reconstruction.radius") == {31, None}
    assert values(name, "reconstruction.weight") == {63**2, None}


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "learning_order"])
def test_what_all_published_trials_share(name: str) -> None:
    as_run = name.endswith("-as-run")
    assert values(name, "model") == {"conv64_disent" if as_run else "conv64"}
    assert values(name, "sampling") == {"without_replacement" if as_run else "with_replacement"}
    assert values(name, "optimizer") == {"adam"} and values(name, "optimizer.lr") == {1e-3}
    assert values(name, "batch_size") == {256}
    assert values(name, "beta_convention") == {None if name == "autoencoders-as-run" else "mean"}
    assert values(name, "dataset.standardise") == {True}
    assert values(name, "dataset.resize") <= {"bilinear", None}
    assert values(name, "precision") == {"fp32"}
    assert values(name, "beta_schedule") == values(name, "lr_schedule") == {"constant"}
    for trial in trials(name):
        if trial.framework.name == "ada_gvae":
            row = trial.columns()
            assert row["framework.divergence"] == "symmetric"
            assert row["framework.threshold_ratio"] == 0.5
            assert row["framework.k_rule"] == ("orig" if as_run else "uniform")
            assert row["framework.averaging"] == ("disent_0_5" if as_run else "gvae")


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "learning_order"])
def test_scores_during_training_are_those_of_the_code(name: str) -> None:
    evaluate = grid(name).evaluate
    often, seldom = {"mig", "sap", "unsupervised"}, {"dci", "factor_vae"}
    if name.endswith("-as-run"):
        often |= {"flatness", "distance_correlation"}
        seldom |= {"factor_vae_unpruned"}
    assert dict(evaluate.every_by_metric) == dict.fromkeys(often, 2400) | dict.fromkeys(
        seldom, 7200
    )
    assert set(evaluate.metrics) == often | seldom
    assert (evaluate.during, evaluate.final) == ("fast", "full")


@pytest.mark.parametrize("name", TABLE_4)
def test_as_run_shares_no_trial_with_as_printed(name: str) -> None:
    """The networks differ."""
    printed = {trial.trial_id for trial in trials(name)}
    assert printed.isdisjoint(trial.trial_id for trial in trials(f"{name}-as-run"))


def test_small_betas_are_of_ada_gvae() -> None:
    cells = product((8, 7, 6, 5, 4, 3, 2, 1), (1e-4, 1e-5), range(5))
    name = "overlap_small_beta-as-run"
    assert swept(name, "dataset.spacing", "beta", "seed") == Counter(cells)
    assert values(name, "framework") == {"ada_gvae"} and values(name, "latents") == {9}
    # Beside the main sweep they are one design: all else is equal.
    varying = {"beta", "beta_sum", "beta_mean", "dataset.spacing", "seed"}
    main = [trial for trial in trials("overlap-as-run") if trial.framework.name == "ada_gvae"]
    kept = {
        tuple(sorted((k, v) for k, v in trial.columns().items() if k not in varying))
        for trial in [*main, *trials(name)]
    }
    assert len(kept) == 1


def test_autoencoders_of_both_scripts() -> None:
    cells = [(dataset, "mse") for dataset in sorted(BENCHMARKS | {"xysquares"})]
    cells += [("xysquares", "mse_boxblur")]
    expected = Counter((*cell, seed) for cell in cells for seed in range(3))
    name = "autoencoders-as-run"
    assert swept(name, "dataset", "reconstruction", "seed") == expected
    assert values(name, "framework") == {"autoencoder"} and values(name, "latents") == {25}
    assert values(name, "steps") == {57_600}


def test_learning_order_is_as_burgess_has_it() -> None:
    name = "learning_order"
    assert swept(name, "seed") == Counter((seed,) for seed in range(10))
    [row] = {tuple((k, v) for k, v in t.columns().items() if k != "seed") for t in trials(name)}
    row = dict(row)
    assert row["dataset"] == "dsprites" and not row["dataset.standardise"]
    assert row["framework"] == "annealed_vae" and row["framework.gamma"] == 1000
    assert row["framework.capacity_nats"] == 25
    assert row["framework.anneal_steps"] == row["steps"] == 100_000
    assert row["reconstruction"] == "bernoulli" and row["latents"] == 10
    assert row["optimizer.lr"] == 5e-4 and row["batch_size"] == 64
    assert grid(name).evaluate.keep_codes, "what tells which factor a latent stands for"


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_measurements(name: str) -> None:
    found = [m for m in grid(name).trials if isinstance(m, Measurement)]
    assert len({m.trial_id for m in found}) == len(found) == MEASUREMENTS[name]
    assert {(m.pairs, m.seed) for m in found} == {(50_000, 777)}


def test_importance_measures_the_datasets_of_table_1() -> None:
    found = {m.dataset.name for m in grid("importance").trials}
    assert found == BENCHMARKS | {"xysquares"}
    assert {m.reconstruction.name for m in grid("importance").trials} == {"mse"}


def test_distances_are_of_every_spacing_under_both_losses() -> None:
    rows = [m.columns() for m in grid("distances").trials]
    cells = [(row["dataset.spacing"], row["reconstruction"]) for row in rows]
    assert sorted(cells) == sorted(product(range(1, 9), ("mse", "mse_boxblur")))


@pytest.mark.parametrize("name", [name for name in MEASUREMENTS if name != "importance"])
def test_other_measurements_need_no_download(name: str) -> None:
    assert {m.dataset.stored for m in grid(name).trials} == {()}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_study_takes_little(name: str) -> None:
    """A pair costs as much as two images."""
    assert {trial.dataset.stored for trial in trials(name)} == {()}, "needs no download"
    images = sum(t.steps * t.batch_size * (2 if t.framework.pairs else 1) for t in trials(name))
    assert images <= BUDGET * 64
    assert not any(resources.gpus for resources in grid(name).resources)


def test_small_overlap_is_swept_from_none_to_more_than_half() -> None:
    cells = product((16, 6, 3), FRAMEWORKS, range(4))
    assert swept("overlap-small", "dataset.spacing", "framework", "seed") == Counter(cells)


def test_small_augmented_loss_has_both_losses_on_squares_without_overlap() -> None:
    name = "augmented_loss-small"
    cells = product(("mse", "mse_boxblur"), FRAMEWORKS, range(4))
    assert swept(name, "reconstruction", "framework", "seed") == Counter(cells)
    assert values(name, "reconstruction.radius") == {31, None}
    assert values(name, "reconstruction.weight") == {63**2, None}
    [dataset] = {trial.dataset for trial in trials(name)}
    assert dataset.spacing >= dataset.square_size
