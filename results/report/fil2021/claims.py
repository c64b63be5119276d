"""Every hypothesis and finding of Fil et al. 2021, judged by our runs."""

from __future__ import annotations

from collections.abc import Sequence

from results.report.claims import Claim
from results.report.fil2021.claims_of_images import of_images
from results.report.fil2021.claims_of_latents import of_latents
from results.report.fil2021.claims_of_metric import of_metric
from results.report.fil2021.claims_of_scores import of_scores
from results.report.fil2021.runs import Group
from results.report.studies import Studies


def claims(studies: Studies, groups: Sequence[Group]) -> list[Claim]:
    """Each of the first study that has the runs."""
    return [
        *of_scores(groups),
        *of_latents(studies, groups),
        *of_metric(groups),
        *of_images(groups, studies),
    ]
