"""Claims of sections 3.1.3 and 3.1.4, on what the latents do."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from results.analysis.intervals import interval
from results.analysis.rank_agreement import rank_agreement
from results.report.claims import Claim
from results.report.fil2021.cells import group_of
from results.report.fil2021.claims_of_scores import VERY_HIGH
from results.report.fil2021.latents import extents, followed_factors
from results.report.fil2021.runs import CONV, MLP, SHAPES_2D, WITHOUT_SHAPE, Group
from results.report.studies import Studies

WELL = 0.25
"""Of a factor that is "learnt well" some latent keeps at most a quarter of its variance: ours."""


def of_latents(studies: Studies, groups: Sequence[Group]) -> list[Claim]:
    two_d = [g for g in (group_of(groups, SHAPES_2D, model) for model in (MLP, CONV)) if g]
    ids = [
        trial_id
        for group in two_d
        if WITHOUT_SHAPE in group.final
        for trial_id in group.final.loc[group.final[WITHOUT_SHAPE] >= VERY_HIGH, "trial_id"]
    ]
    followed = [followed_factors(studies, trial_id, WELL) for trial_id in ids]
    reach = [extents(studies, group).assign(step=0) for group in two_d]
    by_beta = next((rows for rows in reach if rows["beta"].nunique() > 1), pd.DataFrame())
    return [
        Claim(
            "High scores do not mean disentangled latents: two of five are learnt well",
            "sections 1, 3.1.3, figure 4",
            f"factors with a latent that keeps at most {WELL:g} of its variance while the factor "
            f"is held, of runs with {VERY_HIGH:g} % or more of four factors",
            interval(followed) if followed else None,
            bound=3,
            above=False,
        ),
        Claim(
            "Higher beta makes embeddings denser",
            "section 3.1.4, figure 5",
            "rank correlation over runs of beta and how far the codes along the factors reach",
            rank_agreement(by_beta, "beta", "extent") if len(by_beta) else None,
            above=False,
        ),
    ]
