"""What the paper states of the order in which factors are learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from results.analysis.intervals import interval
from results.report.claims import Claim
from results.report.michlo2023.learning_order import Learning, largest_capacity

BY_IMPORTANCE = (
    "Factors with a larger average distance are learnt first",
    "supplement, A and figure 1",
)
SPRITE_ORDER = (("x", "y"), ("scale",), ("shape",), ("orientation",))
"""The order of dSprites: supplement, figure 1."""


def claims_of_learning(learnings: Sequence[Learning]) -> list[Claim]:
    claims = [claim for learning in learnings for claim in _claims(learning)]
    return claims or [Claim(*BY_IMPORTANCE, "no study of this report has a growing capacity", None)]


def _claims(learning: Learning) -> Iterator[Claim]:
    """Intervals over seeds."""
    where = f"{learning.images}, {learning.study}"
    yield Claim(
        *BY_IMPORTANCE,
        f"rank correlation of a factor's distance and how early it rises; {where}",
        interval(learning.agreement) if len(learning.agreement) else None,
    )
    sprites = {factor for place in SPRITE_ORDER for factor in place}
    if not learning.latents or set(learning.factors) != sprites:
        return
    risen = learning.risen.pivot(index="trial_id", columns="factor", values="capacity_nats")
    # A factor that never rises counts with the largest capacity, which is less than it takes.
    capacity = risen.clip(upper=largest_capacity(learning))
    for earlier, later in pairwise(SPRITE_ORDER):
        first, second = " and ".join(earlier), " and ".join(later)
        # A seed in which neither does says nothing of their order.
        told = capacity[np.isfinite(risen[[*earlier, *later]].to_numpy()).any(axis=1)]
        gap = told[list(later)].mean(axis=1) - told[list(earlier)].mean(axis=1)
        yield Claim(
            f"{first} before {second}",
            "supplement, figure 1, after Burgess et al. 2017",
            f"capacity in nats at which {second} rises less that of {first}; {where}",
            interval(gap),
        )
