from __future__ import annotations

import pytest

from results.published.song2018 import scores


@pytest.mark.parametrize("selection", ["last", "best"])
def test_twenty_latents_of_one_experiment_are_five_factors_of_the_other(selection: str) -> None:
    at = {
        along: table[(table["selection"] == selection) & (table["place"] == place)]
        for along, place in (("latents", 20), ("complexity", 5))
        for table in [scores(along)]
    }
    columns = ["beta", "published", "published_sd"]
    assert at["latents"][columns].values.tolist() == at["complexity"][columns].values.tolist()


def test_spreads_over_beta_are_those_derived_from_the_csv_files() -> None:
    spreads = scores("latents").groupby(["selection", "place"])["published"].std(ddof=0)
    # The tables' last digits are rounded.
    assert spreads["last"].tolist() == pytest.approx([3.92, 4.93, 4.50, 3.82], abs=0.03)
    assert spreads["best"].tolist() == pytest.approx([5.91, 4.85, 4.74, 5.12], abs=0.03)
