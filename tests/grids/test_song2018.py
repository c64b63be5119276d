"""The grids of Song 2018: what they sweep, stated once more, and how much it comes to."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

import grids.load
from grids.datasets import Song
from grids.load import Grid, load_grid
from grids.trial import Trial

FOLDER = Path(grids.load.__file__).parent / "song2018"

BETAS, LATENTS, RUNS = (1, 2, 4, 8), (5, 10, 15, 20), (0, 1, 2)
EPOCH = 15_625
EPOCHS = {1: 10, 2: 10, 3: 20, 4: 30, 5: 30, 6: 60, 7: 60}
"""By the number of factors."""
PIXELS = {factors: 4096 if factors < 6 else 12_288 for factors in EPOCHS}
VOTES = ["factor_vae", "factor_vae_weighted", "factor_vae_printed", "factor_vae_ucl_legacy"]

Row = tuple[Any, ...]


def grid(name: str) -> Grid:
    return load_grid(FOLDER / f"{name}.yaml")


def ids(*names: str) -> set[str]:
    return {trial.trial_id for name in names for trial in grid(name).trials}


def shared(one: str, other: str) -> int:
    return len(ids(one) & ids(other))


def cells(name: str) -> list[Row]:
    """(factors, latents, beta, run) of the trials, sorted; a beta of 0 where there is none."""
    rows = []
    for trial in grid(name).trials:
        assert isinstance(trial, Trial)
        beta = round(trial.beta_sum or 0, 12)
        rows.append((int(trial.dataset.name[-1]), trial.latents, beta, trial.seed))
    return sorted(rows)


def product(*values: Any) -> list[Row]:
    return sorted(itertools.product(*values))


@pytest.mark.parametrize(
    ("name", "trials", "steps"),
    [
        ("bottleneck", 48, 22_500_000),
        ("bottleneck-as-run", 32, 15_000_000),
        ("complexity", 84, 41_250_000),
        ("complexity-as-run", 56, 27_500_000),
        ("normalised_beta", 120, 58_125_000),
        ("wide_beta", 120, 84_375_000),
        ("capacity", 72, 33_750_000),
        ("methods", 300, 145_312_500),
    ],
)
def test_how_much_a_grid_is(name: str, trials: int, steps: int) -> None:
    found = grid(name)
    assert found.study == f"song2018-{name}".replace("_", "-")
    assert found.report == "song2018" and found.source
    assert len(found.trials) == len(ids(name)) == trials
    assert sum(trial.steps for trial in found.trials if isinstance(trial, Trial)) == steps
    for trial in found.trials:
        row = trial.columns()
        assert row["precision"] == "fp32" and row["model"] == "conv_song"
        assert (row["optimizer"], row["optimizer.lr"], row["batch_size"]) == ("adam", 5e-4, 64)
        assert row["sampling"] == "without_replacement" and row["dataset.images"] == 1_000_000
        assert row["steps"] == EPOCH * EPOCHS[int(str(row["dataset"])[-1])]
    # The last epoch and the best one.
    assert found.evaluate.every == EPOCH and found.evaluate.during == "full"
    assert set(VOTES) <= set(found.evaluate.metrics)


BUDGET_SECONDS = 2 * 15 * 60
"""Two cores for 15 minutes."""


# Milliseconds a step, seconds a score (codes of images and votes) and seconds to prepare the sets,
# of one thread, 2026-11-26.
@pytest.mark.parametrize(
    ("name", "trials", "steps", "step_ms", "score_seconds", "prepare_seconds"),
    [
        ("bottleneck-small", 12, 43_200, 23, 5, 15),
        ("complexity-small", 24, 50_400, 23, 4, 60),
        ("normalised_beta-small", 12, 43_200, 23, 5, 15),
        ("wide_beta-small", 12, 43_200, 23, 5, 15),
        ("capacity-small", 12, 43_200, 23, 5, 15),
        ("methods-small", 20, 48_000, 23, 4, 30),
    ],
)
def test_small_grids_take_a_quarter_of_an_hour_and_no_download(
    name: str,
    trials: int,
    steps: int,
    step_ms: float,
    score_seconds: float,
    prepare_seconds: float,
) -> None:
    found = grid(name)
    assert found.study == f"song2018-{name}".replace("_", "-")
    assert found.report == "song2018" and found.source
    assert len(ids(name)) == trials
    assert sum(trial.steps for trial in found.trials if isinstance(trial, Trial)) == steps
    every = found.evaluate.every
    assert every and set(VOTES) <= set(found.evaluate.metrics)
    seconds = steps * step_ms / 1000 + steps / every * score_seconds + prepare_seconds
    assert seconds <= 0.9 * BUDGET_SECONDS
    for trial in found.trials:
        assert isinstance(trial, Trial) and isinstance(trial.dataset, Song)
        assert trial.dataset.images == 20_000 and trial.dataset.vote_images == 64
        assert trial.steps % every == 0  # no score of a part of an interval
    assert not any(resources.gpus for resources in found.resources)


def test_small_grids_share_trials() -> None:
    assert shared("bottleneck-small", "complexity-small") == 6
    assert shared("bottleneck-small", "wide_beta-small") == 6


def test_every_file_is_tested() -> None:
    tested = {file.stem for file in FOLDER.glob("*.yaml")}
    text = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in tested if f'("{name}", ' not in text} == set()


def test_the_experiments_as_printed() -> None:
    assert cells("bottleneck") == product([5], LATENTS, BETAS, RUNS)
    assert cells("complexity") == product(EPOCHS, [20], BETAS, RUNS)


def test_the_experiments_share_the_trials_of_five_factors_and_twenty_latents() -> None:
    assert shared("bottleneck", "complexity") == 12
    assert len(ids("bottleneck", "complexity")) == 120
    assert shared("bottleneck-as-run", "complexity-as-run") == 8
    assert len(ids("bottleneck-as-run", "complexity-as-run")) == 80


def test_the_code_scales_beta_and_has_two_runs() -> None:
    """main.py: normaliser = (latent_size / 10) * (64 * 64 / input_size)."""

    def as_run(factors: int, latents: int) -> list[Row]:
        scale = latents / 10 * 4096 / PIXELS[factors]
        return product([factors], [latents], [round(beta * scale, 12) for beta in BETAS], RUNS[:2])

    assert cells("bottleneck-as-run") == [row for z in LATENTS for row in as_run(5, z)]
    assert cells("complexity-as-run") == [row for k in EPOCHS for row in as_run(k, 20)]


def test_six_factors_have_colours_as_printed_and_as_run() -> None:
    for name, colour in (("complexity", "hue"), ("complexity-as-run", "rgb")):
        rows = [trial.columns() for trial in grid(name).trials]
        assert {row["dataset.colour"] for row in rows if row["dataset"] == "song6"} == {colour}
        assert {row["dataset.colour"] for row in rows if row["dataset"] == "song7"} == {"hue"}


def test_normalised_betas_are_those_of_ten_latents_and_grey_images() -> None:
    def normalised(factors: int, latents: int) -> list[Row]:
        scale = 10 / 4096 * PIXELS[factors] / latents
        return product([factors], [latents], [round(beta * scale, 12) for beta in BETAS], RUNS)

    in_the_file = {(5, z) for z in LATENTS} | {(k, 20) for k in EPOCHS}
    expected = [row for cell in in_the_file for row in normalised(*cell)]
    assert cells("normalised_beta") == sorted(expected)
    assert len(ids("normalised_beta") & ids("bottleneck", "complexity")) == 66


def test_wide_betas_have_the_published_ones_among_them() -> None:
    betas = [1 / 64, 1 / 16, 1 / 4, 1, 2, 4, 8, 16, 32, 64]
    assert cells("wide_beta") == product([4, 5, 6, 7], [20], betas, RUNS)
    assert shared("wide_beta", "complexity") == 4 * len(BETAS) * len(RUNS)


def test_capacities() -> None:
    rows = [trial.columns() for trial in grid("capacity").trials]
    assert {row["dataset"] for row in rows} == {"song5"}
    found = sorted(
        (row["framework"], row.get("framework.variant", ""), row["framework.gamma"],
         row["framework.capacity_nats"], row["latents"], row["seed"])
        for row in rows
    )  # fmt: skip
    assert found == sorted(
        product(["annealed_vae"], [""], [100, 1000], [10, 25, 50], [5, 20], RUNS)
        + product(["capacity_vae"], ["spread", "settle"], [100], [2.5, 5, 10], [5, 20], RUNS)
    )


def test_other_methods_are_run_in_the_cells_of_both_experiments() -> None:
    published = {(5, z) for z in LATENTS} | {(k, 20) for k in EPOCHS}
    runs = [(k, z, seed) for k, z, _, seed in cells("methods")]
    assert sorted(runs) == sorted(10 * [(*cell, run) for cell in published for run in RUNS])
    strengths = {
        (row["framework"], row["framework.gamma"] if row["framework"] == "factor_vae" else None,
         row.get("framework.lambda_od"), row["beta_sum"], row.get("framework.capacity_nats"))
        for row in (trial.columns() for trial in grid("methods").trials)
    }  # fmt: skip
    assert strengths == {
        *(("factor_vae", gamma, None, None, None) for gamma in (10, 50)),
        *((f"dip_vae_{n}", None, od, None, None) for n in ("i", "ii") for od in (5, 20)),
        *(("beta_tc_vae", None, None, beta, None) for beta in (4, 8)),
        *(("annealed_vae", None, None, None, nats) for nats in (25, 50)),
    }
    assert shared("methods", "capacity") == 2 * 2 * len(RUNS)
