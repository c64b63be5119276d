"""How many images are encoded, and how many scores computed, counted by hand."""

from __future__ import annotations

import dataclasses

from benchmarks.score_costs import Codes, Images, Score, codes_for, images_of, scores_of
from grids import datasets, parts
from grids.settings import Evaluate
from grids.trial import Trial


def trial_of(dataset: parts.Dataset) -> Trial:
    return Trial(
        dataset=dataset,
        framework=parts.BetaVAE(),
        beta=1.0,
        model=parts.Conv64(),
        latents=10,
        steps=7_000,
    )


def test_codes_are_as_many_as_the_dataset_has() -> None:
    dsprites = Codes("table", (3, 6, 40, 32, 32), 1, 10)
    assert codes_for(trial_of(datasets.DSprites()), "table") == dsprites
    assert codes_for(trial_of(datasets.NoisyDSprites()), "table") == dsprites
    assert dsprites.rows == 737_280
    norb = Codes("table", (5, 9, 18, 6), 10, 10)
    assert codes_for(trial_of(datasets.SmallNORB()), "table") == norb
    assert norb.rows == 48_600
    votes = Codes("votes", (400, 400), 1, 10)
    assert codes_for(trial_of(datasets.Song5()), "votes") == votes


def test_a_trial_is_encoded_and_scored_at_each_of_its_steps_and_at_the_end() -> None:
    # Steps 2,000, 4,000, 6,000 and 7,000; DCI at the third and the last.
    settings = Evaluate(
        metrics=("mig", "dci", "reconstruction"),
        every_by_metric=(("mig", 2_000), ("dci", 6_000)),
        representations=("mean", "sampled"),
    )
    trial = trial_of(datasets.Cars3D())
    kept = dataclasses.replace(settings, keep_codes=True)
    whole = 4 * 24 * 183
    assert images_of(trial, kept) == Images(encoded=4 * whole, evaluated=10_000)
    encoded, evaluated = images_of(trial, settings)
    assert evaluated == 10_000
    assert whole < encoded < whole + 3 * 2_000 + 2_000  # during training what MIG and DCI draw
    table, evidence = codes_for(trial, "table"), codes_for(trial, "evidence")
    assert scores_of(trial, settings) == {
        **{(table, Score("mig", "fast", which)): 3 for which in ("mean", "sampled")},
        **{(table, Score("mig", "full", which)): 1 for which in ("mean", "sampled")},
        **{(table, Score("dci", "fast", which)): 1 for which in ("mean", "sampled")},
        **{(table, Score("dci", "full", which)): 1 for which in ("mean", "sampled")},
        (evidence, Score("reconstruction", "full", "sampled")): 1,
    }


def test_votes_are_encoded_with_images_of_all_kinds() -> None:
    settings = Evaluate(metrics=("factor_vae", "kl"), every=3_500, during="full")
    found = images_of(trial_of(datasets.Song1()), settings)
    assert found == Images(encoded=2 * (80 * 400 + 10_000), evaluated=20_000)
