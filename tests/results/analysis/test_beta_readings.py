from __future__ import annotations

import itertools

import pandas as pd
import pytest

from results.analysis.beta_readings import AS_RUN, NORMALISED, PRINTED, named_beta, reading_of

GREY, COLOUR = 4096, 3 * 4096
WEIGHTS = {  # of beta = 1 by latents and pixels, as Song's code, section 3.4 and Higgins have it
    PRINTED: {(5, GREY): 1, (10, GREY): 1, (20, GREY): 1, (20, COLOUR): 1},
    AS_RUN: {(5, GREY): 0.5, (10, GREY): 1, (20, GREY): 2, (20, COLOUR): 2 / 3},
    NORMALISED: {(5, GREY): 2, (10, GREY): 1, (20, GREY): 0.5, (20, COLOUR): 1.5},
}
BETAS = (1, 2, 4, 8)


def grid(reading: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (latents, pixels, weight * beta)
            for ((latents, pixels), weight), beta in itertools.product(
                WEIGHTS[reading].items(), BETAS
            )
        ],
        columns=["latents", "pixels", "beta_sum"],
    )


@pytest.mark.parametrize("reading", WEIGHTS)
def test_a_grid_is_read_as_it_was_written(reading: str) -> None:
    assert reading_of(grid(reading)) == reading
    assert named_beta(grid(reading), reading).tolist() == list(BETAS) * 4


def test_one_size_of_ten_latents_and_grey_images_is_as_printed() -> None:
    trials = grid(AS_RUN)
    assert reading_of(trials[trials["latents"] == 10]) == PRINTED


def test_betas_that_fit_no_reading_stand_as_printed() -> None:
    trials = grid(PRINTED)
    assert reading_of(trials[:-1]) == PRINTED
    assert reading_of(trials.assign(beta_sum=float("nan"))) == PRINTED
