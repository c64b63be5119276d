"""The claims of a paper, each judged by a statistic with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from results.analysis.intervals import Interval
from results.report.blocks import Table

HELD = "held"
NOT_HELD = "did not hold"
NOT_ENOUGH = "not enough runs"
FEWEST_RUNS = 3
"""Of fewer the bootstrap knows next to nothing: its interval is far too narrow."""


class Claim(NamedTuple):
    """A statement, where it stands, and the statistic that has to lie above `bound` (or below)."""

    statement: str
    source: str
    statistic: str
    interval: Interval | None
    """None where these studies have no runs of it."""
    bound: float = 0.0
    above: bool = True


def verdict(claim: Claim) -> str:
    """Held where the whole interval lies on the side that is claimed, and the reverse.

    Not enough runs where it lies on both, or where it is of fewer than three runs.
    """
    found, bound = claim.interval, claim.bound
    if found is None or math.isnan(found.low) or found.n < FEWEST_RUNS:
        return NOT_ENOUGH
    low, high = found.low, found.high
    if not claim.above:
        low, high, bound = -high, -low, -bound
    # What is equal but for the rounding of floats is equal.
    if round(low - bound, 9) > 0:
        return HELD
    return NOT_HELD if round(high - bound, 9) <= 0 else NOT_ENOUGH


def claims_table(name: str, claims: Sequence[Claim]) -> Table:
    """A row a claim: statement, source, statistic, value with its interval, n, verdict.

    What these studies have no runs of comes last.
    """
    rows = []
    for claim in sorted(claims, key=lambda claim: not (claim.interval and claim.interval.n)):
        found = claim.interval or Interval(math.nan, math.nan, math.nan, 0)
        side = "above" if claim.above else "below"
        claimed = "" if claim.interval is None else f"; claimed: {side} {claim.bound:g}"
        rows.append(
            {
                "statement": claim.statement,
                "source": claim.source,
                "statistic": claim.statistic + claimed,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "n": found.n,
                "verdict": verdict(claim),
            }
        )
    return Table(
        name,
        "Claims",
        pd.DataFrame(rows),
        "Intervals are 95 % bootstrap intervals over runs. A claim held, or did not, where the "
        "whole interval lies on one side of the bound; where it lies on both, or is of fewer than "
        f"{FEWEST_RUNS} runs (n), there are not enough runs to tell. Last come those of which "
        "these studies have no runs (n is 0), and which take other trials.",
    )
