from __future__ import annotations

import math

import pytest

from results.analysis.intervals import Interval
from results.report.claims import HELD, NOT_ENOUGH, NOT_HELD, Claim, claims_table, verdict

NAN = math.nan


@pytest.mark.parametrize(
    ("interval", "bound", "above", "expected"),
    [
        (Interval(2, 1, 3, 5), 0.5, True, HELD),
        (Interval(2, 1, 3, 5), 3.5, True, NOT_HELD),
        (Interval(2, 1, 3, 5), 2.5, True, NOT_ENOUGH),
        (Interval(2, 1, 3, 5), 3.5, False, HELD),
        (Interval(2, 1, 3, 5), 0.5, False, NOT_HELD),
        (Interval(2, 1, 3, 2), 0.5, True, NOT_ENOUGH),  # two runs tell nothing
        (Interval(0.5, 5e-15, 1, 5), 0, True, NOT_ENOUGH),  # 0, but for rounding
        (Interval(2, NAN, NAN, 1), 0.5, True, NOT_ENOUGH),
        (None, 0.5, True, NOT_ENOUGH),
    ],
)
def test_a_claim_is_judged_by_where_its_whole_interval_lies(
    interval: Interval | None, bound: float, above: bool, expected: str
) -> None:
    assert verdict(Claim("s", "p", "mean", interval, bound, above)) == expected


def test_a_claim_has_a_row_whether_it_has_runs_or_not() -> None:
    claims = [
        Claim("scores rise", "section 5", "slope", Interval(1, 0.5, 2, 9)),
        Claim("scores fall", "section 6", "slope", None, above=False),
    ]
    frame = claims_table("claims", claims).frame
    assert frame["verdict"].tolist() == [HELD, NOT_ENOUGH]
    assert frame["statistic"].tolist() == ["slope; claimed: above 0", "slope"]
    assert frame["n"].tolist() == [9, 0]
