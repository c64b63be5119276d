"""The betas of figure 9."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from results.report.michlo2023.overlap import at_published_beta, chosen_betas


def trials(frameworks: list[str], spacings: list[int], betas: list[float]) -> pd.DataFrame:
    rows = list(itertools.product(frameworks, spacings, betas))
    table = pd.DataFrame(rows, columns=["framework", "dataset.spacing", "beta_mean"])
    return table.assign(trial_id=[str(number) for number in range(len(table))])


@pytest.mark.parametrize(
    ("framework", "spacing", "beta"),
    [
        ("beta_vae", 1, 0.00316),
        ("beta_vae", 2, 0.00316),
        ("beta_vae", 3, 0.001),
        ("beta_vae", 8, 0.001),
        ("ada_gvae", 1, 0.001),
        ("ada_gvae", 8, 0.001),
    ],
)
def test_one_beta_of_the_two_is_shown(framework: str, spacing: int, beta: float) -> None:
    both = trials([framework], [spacing], [0.001, 0.00316])
    assert both.loc[at_published_beta(both), "beta_mean"].to_list() == [beta]


def test_the_published_grid_has_a_line_a_framework() -> None:
    grid = trials(["beta_vae", "ada_gvae"], list(range(1, 9)), [0.001, 0.00316])
    lines, note = chosen_betas(grid)
    assert {label: len(ids) for label, ids in lines.items()} == {"beta_vae": 8, "ada_gvae": 8}
    assert "beta_vae: 0.00316 below spacing 3, else 0.001" in note


def test_other_betas_have_a_line_each() -> None:
    lines, note = chosen_betas(trials(["ada_gvae"], [1, 8], [0.0001, 0.00001]))
    assert set(lines) == {"ada_gvae, beta 0.0001", "ada_gvae, beta 1e-05"}
    assert "not all there" in note


def test_a_framework_without_a_beta_has_one_line() -> None:
    lines, _ = chosen_betas(trials(["autoencoder"], [1, 8], [float("nan")]))
    assert {label: len(ids) for label, ids in lines.items()} == {"autoencoder": 2}


def test_a_beta_that_some_spacing_lacks_is_not_the_published_choice() -> None:
    lines, _ = chosen_betas(trials(["beta_vae"], [1, 8], [0.001]))
    assert set(lines) == {"beta_vae, beta 0.001"}
