"""Groups that are resampled together have the intervals that each has by itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from results.analysis.intervals import by_group, interval


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_a_group_has_the_interval_of_its_values(statistic) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"a": rng.integers(0, 4, 60), "b": rng.choice(["x", None], 60)})
    rows["value"] = rng.normal(size=60).round(1)
    rows.loc[::7, "value"] = np.nan
    rows.loc[len(rows)] = [9, "one", 1.5]
    rows.loc[len(rows)] = [9, "none", np.nan]
    table = by_group(rows, ["a", "b"], statistic=statistic)
    assert len(table) == len(rows.drop_duplicates(["a", "b"]))
    for row in table.itertuples():
        same = rows["b"].isna() if pd.isna(row.b) else rows["b"] == row.b
        values = rows.loc[(rows["a"] == row.a) & same, "value"]
        found = interval(values, statistic)
        assert row.n == found.n
        np.testing.assert_allclose([row.value, row.low, row.high], found[:3])
        np.testing.assert_allclose(row.sd, values.std())


def test_no_rows_have_no_groups() -> None:
    table = by_group(pd.DataFrame({"a": [], "value": []}), ["a"])
    assert list(table.columns) == ["a", "value", "low", "high", "n", "sd"] and table.empty
