"""Planted findings are found, their opposites are refuted, and of nothing there is no verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from grids.trial import Trial
from results.report.claims import HELD, NOT_ENOUGH, NOT_HELD, Claim, verdict
from results.report.michlo2023.claims import (
    BELOW,
    BLURRED,
    DATA,
    LOSS,
    OVERLAP,
    claims_of_scores,
    sections,
)
from results.report.michlo2023.claims_of_distances import claims_of_distances
from results.report.michlo2023.experiments import experiments
from results.report.michlo2023.measured import measured


def score_of(trial: Trial, score: str, step: int) -> float:
    """As the paper finds it, with a little noise that a trial keeps."""
    noise = 0.02 * np.random.default_rng(int(trial.trial_id[:8], 16)).normal()
    value = 0.1 if trial.dataset.name == "xysquares" else 0.5
    value += 0.05 * (8 - getattr(trial.dataset, "spacing", 8))
    value += 0.3 if trial.reconstruction.name == "mse_boxblur" else 0.0
    return float(value + noise)


def verdicts(claims: list[Claim], statement: tuple[str, str]) -> list[str]:
    return [verdict(claim) for claim in claims if claim[:2] == statement]


@pytest.mark.parametrize(
    ("grid", "statement", "rows"),
    [
        ("overlap", OVERLAP, 8),
        ("adversarial", BELOW, 8),
        ("adversarial", DATA, 4),
        ("augmented_loss", BLURRED, 8),
        ("augmented_loss", LOSS, 4),
    ],
)
def test_a_finding_holds_and_its_opposite_does_not(
    made: Any, grid: str, statement: tuple[str, str], rows: int
) -> None:
    claims = claims_of_scores(experiments(made.studies(made.grid(grid), value=score_of)))
    assert verdicts(claims, statement) == [HELD] * rows
    if statement in (DATA, LOSS):
        return
    claims = claims_of_scores(
        experiments(made.studies(made.grid(grid), value=lambda *of: 1 - score_of(*of)))
    )
    assert verdicts(claims, statement) == [NOT_HELD] * rows


def test_the_squares_are_compared_with_the_lowest_benchmark(made: Any) -> None:
    means = {"xysquares": 0.2, "dsprites_rendered": 0.8, "xyobject": 0.3}
    studies = made.studies(
        made.grid("adversarial"), value=lambda trial, score, step: means[trial.dataset.name]
    )
    [claim, *_] = claims_of_scores(experiments(studies))
    assert "less that of xyobject" in claim.statistic
    assert claim.interval is not None and claim.interval.value == pytest.approx(-0.1)


def of_betas(trial: Trial, score: str, step: int) -> float:
    """The blur adds a little, of which the betas' difference must not be taken for chance."""
    noise = 0.01 * np.random.default_rng(int(trial.trial_id[:8], 16)).normal()
    value = 0.1 if trial.beta == 0.001 else 0.9
    return float(value + 0.05 * (trial.reconstruction.name == "mse_boxblur") + noise)


def test_seeds_are_resampled_within_settings(made: Any) -> None:
    betas = ("  seed: [0, 1, 2]", "  beta: [0.001, 0.1]\n  seed: [0, 1, 2, 3]")
    grid = made.grid("augmented_loss", replace=betas)
    claims = claims_of_scores(experiments(made.studies(grid, value=of_betas)))
    for statement, held in ((BLURRED, HELD), (LOSS, HELD)):
        of = [claim for claim in claims if claim[:2] == statement]
        assert of and {claim.interval.n for claim in of if claim.interval} == {4}
        assert {verdict(claim) for claim in of} == {held}
        assert not any("n counts" in claim.statistic for claim in of)


def test_where_settings_have_one_seed_they_are_counted_and_it_is_said(made: Any) -> None:
    claims = claims_of_scores(experiments(made.studies(made.grid("adversarial"), value=score_of)))
    for statement, n in ((BELOW, 4), (DATA, 24)):
        of = [claim for claim in claims if claim[:2] == statement]
        assert {claim.interval.n for claim in of if claim.interval} == {n}
        assert all(c.statistic.endswith("; n counts settings, of one seed each") for c in of)


def test_too_few_seeds_are_a_mean_of_their_setting(made: Any) -> None:
    """Two seeds of each of 12 settings: not 24 independent runs."""
    seeds = ("grid:\n", "grid:\n  seed: [0, 1]\n")
    grid = made.grid("adversarial", replace=seeds)
    claims = claims_of_scores(experiments(made.studies(grid, value=score_of)))
    of = [claim for claim in claims if claim[:2] == BELOW]
    assert {claim.interval.n for claim in of if claim.interval} == {4}
    assert all(c.statistic.endswith("; n counts settings, of 2 seeds each") for c in of)


def test_one_side_alone_is_no_comparison(made: Any) -> None:
    studies = made.studies(
        made.grid("augmented_loss"),
        status=lambda trial: "completed" if trial.reconstruction.name == "mse" else "waiting",
    )
    claims = claims_of_scores(experiments(studies))
    assert set(verdicts(claims, BLURRED)) == {NOT_ENOUGH}


def test_of_no_runs_there_is_no_verdict(made: Any) -> None:
    studies = made.studies(made.grid("overlap"), status=lambda trial: "waiting")
    [section] = sections(experiments(studies), measured(studies), [])
    [table] = section.blocks
    assert set(table.frame["verdict"]) == {NOT_ENOUGH}
    assert len(table.frame) >= 15


def test_distances_like_the_papers_hold(made: Any) -> None:
    sprites = {"y": 0.0584, "x": 0.0559, "scale": 0.025, "shape": 0.0214, "orientation": 0.0172}
    found = measured(made.measured(dsprites_rendered=sprites | {"random": 0.0754}))
    by = {claim.statement: verdict(claim) for claim in claims_of_distances(found)}
    order = "The order of importance in dSprites is position, scale, shape, orientation"
    assert by == {
        "Images that differ along one factor are nearer to each other than random ones": HELD,
        order: HELD,  # of the stand-in, which comes second
        "Ground-truth distances usually correspond to perceived distances": HELD,
        "Colour is circular: perceived distances go around it": NOT_ENOUGH,
        "Along the factors of XYSquares all perceived distances are equal": HELD,
        "The cumulative distances of XYSquares are a step function": HELD,
        "Less spacing makes perceived distances correlate with ground-truth ones": HELD,
        "With a box blur perceived distances correspond to ground-truth ones again": NOT_ENOUGH,
    }


def test_a_blur_is_told_from_none(made: Any) -> None:
    found = measured(made.measured(loss="mse, mse_boxblur"))
    by = {claim.statement: claim for claim in claims_of_distances(found)}
    level = by["The cumulative distances of XYSquares are a step function"].interval
    assert level is not None and level.n == 7
    for statement in (
        "With a box blur perceived distances correspond to ground-truth ones again",
        "Along the factors of XYSquares all perceived distances are equal",
    ):
        assert verdict(by[statement]) == HELD


def test_distances_unlike_the_papers_do_not_hold(made: Any) -> None:
    """The random ones nearest, and all squares in order."""
    studies = made.measured(dsprites_rendered={"random": 0.001}, equal_at=1)
    by = {claim.statement: verdict(claim) for claim in claims_of_distances(measured(studies))}
    for statement in (
        "Along the factors of XYSquares all perceived distances are equal",
        "The cumulative distances of XYSquares are a step function",
        "Less spacing makes perceived distances correlate with ground-truth ones",
    ):
        assert by[statement] == NOT_HELD
