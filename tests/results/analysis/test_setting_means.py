from __future__ import annotations

import numpy as np
import pandas as pd

from results.analysis.setting_means import setting_means


def test_they_are_the_means_over_seeds_side_by_side() -> None:
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(
        [
            (dataset, method, strength, seed)
            for dataset in "BA"
            for method, strength in (("m", 2.0), ("m", 1.0), ("vae", np.nan))
            for seed in range(4)
        ],
        columns=["dataset", "method", "regularisation", "seed"],
    )
    runs["setting"] = np.arange(24) // 4
    runs["x"], runs["y"] = rng.normal(size=24), rng.normal(size=24)
    runs.loc[3, "y"] = np.nan
    runs = runs[runs["setting"] != 4].sample(frac=1, random_state=1)
    found = setting_means(runs, ["x", "y"])
    assert found is not None
    named = runs.fillna({"regularisation": -1})
    means = named.groupby(["dataset", "method", "regularisation"])[["x", "y"]].mean()
    for (d, c, s), value in np.ndenumerate(found.means.value):
        dataset, setting, score = found.datasets[d], found.settings.loc[c], found.scores[s]
        key = (dataset, setting["method"], setting.fillna(-1)["regularisation"])
        np.testing.assert_allclose(value, means[score].get(key, np.nan))
    assert np.isnan(found.means.value).sum() == 2  # of the setting that A lacks
    assert found.means.seeds == 4


def test_a_resample_draws_the_seeds_of_a_setting() -> None:
    runs = pd.DataFrame(
        {
            "dataset": "A",
            "method": "m",
            "regularisation": np.repeat([1.0, 2.0], 50),
            "setting": np.repeat([0, 1], 50),
            "x": np.tile(np.arange(50.0), 2) + np.repeat([0.0, 1_000.0], 50),
        }
    )
    found = setting_means(runs, ["x"])
    assert found is not None
    sd = np.arange(50).std() / np.sqrt(50)
    np.testing.assert_allclose(found.means.value[0, :, 0], [24.5, 1_024.5])
    np.testing.assert_allclose(found.means.resampled[:, 0, :, 0].std(axis=0), sd, rtol=0.15)
    assert setting_means(runs[:0], ["x"]) is None
