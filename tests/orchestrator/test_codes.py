from __future__ import annotations

import numpy as np

from grids.trial import Trial
from orchestrator.codes import latents_of

SONG3 = Trial.from_dict(
    {
        "dataset": "song3",
        "framework": "beta_vae",
        "beta": 1,
        "model": "conv_song",
        "latents": 2,
        "reconstruction": "bernoulli",
        "steps": 1,
        "seed": 0,
    }
)


def test_what_latents_follow_is_known_of_votes_too() -> None:
    random = np.random.default_rng(0)
    arrays = {
        "votes": random.standard_normal((6, 50, 2)).astype(np.float32),
        "labels": np.array([0, 0, 1, 1, 2, 2]),
        "codes": random.standard_normal((100, 2)).astype(np.float32),
    }
    arrays["votes"][2:4, :, 1] = 0.5  # the second latent stands still with the second factor
    ratios = latents_of(SONG3, arrays)["variance_ratios"]
    assert ratios.shape == (3, 2)
    assert ratios[1, 1] == 0 and (np.delete(ratios.ravel(), 3) > 0.5).all()
