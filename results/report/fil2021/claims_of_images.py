"""Claims of section 3.2, on reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from results.analysis.cell_means import Doubles
from results.analysis.intervals import Interval
from results.analysis.rank_agreement import rank_agreement
from results.published.fil2021 import FID_OF_A_MODERN_VAE, FID_OF_WGAN_GP
from results.report.claims import Claim
from results.report.fil2021.cells import BETAS, by_beta, group_of, judged, of_vaes
from results.report.fil2021.reconstruction import by_step
from results.report.fil2021.runs import ALL_FACTORS, CONV, FID, LOSS, Group
from results.report.studies import Studies

STRONG = 0.8
"""A rank correlation that passes as strong: ours."""


def of_images(groups: Sequence[Group], studies: Studies) -> list[Claim]:
    ten, hundred = (group_of(groups, [name], CONV) for name in ("cifar10", "cifar100"))
    toy = group_of(groups, ["mpi3d_toy"], CONV)
    both = {"CIFAR10": ten, "CIFAR100": hundred}
    steep = [
        Claim(
            "FID steeply increases with beta from 1 on",
            "section 3.2, table 3",
            f"smaller step of the means, 1 to 4 and 4 to 10, on {name}",
            _judged(by_beta(group, FID, BETAS[1:]), lambda m: np.diff(m, axis=1).min(axis=1)),
        )
        for name, group in both.items()
    ]
    together = [
        Claim(
            "FID and the reconstruction loss go together during training",
            "sections 3.2, 5, figures 7 and 8",
            f"rank correlation over steps and trials of all betas, {name}",
            rank_agreement(by_step(studies, group), FID, LOSS) if group else None,
            bound=STRONG,
        )
        for name, group in both.items()
    ]
    of_loss: list[Group | None] = [
        group for group in of_vaes(groups) if LOSS in group.final and len(group.settings) > 1
    ]
    better = [
        Claim(
            "Lower beta gives better reconstructions",
            "sections 1, 3.2, figures 9 and 10",
            "reconstruction loss of the largest beta less that of the smallest"
            + (f", {group.title}" if group else ""),
            _judged(_ends(group), lambda m: m[:, 1] - m[:, 0]) if group else None,
        )
        for group in of_loss or [None]
    ]
    return [
        *steep,
        Claim(
            "The best FID of CIFAR10 is that of beta = 1",
            "section 3.2, table 3",
            "best mean of another beta less that of 1",
            _judged(by_beta(ten, FID, (1.0, 0.1, 4.0, 10.0)), _best_other_less_first),
        ),
        Claim(
            "The best FID of CIFAR100 is that of beta = .1",
            "section 3.2, table 3",
            "best mean of another beta less that of .1",
            _judged(by_beta(hundred, FID), _best_other_less_first),
        ),
        Claim(
            "CIFAR100 has the lower FID throughout",
            "section 3.2, table 3",
            "least difference of the means, CIFAR10 less CIFAR100, over the betas",
            _judged(
                [*by_beta(ten, FID), *by_beta(hundred, FID)],
                lambda m: (m[:, :4] - m[:, 4:]).min(axis=1),
            ),
        ),
        *together,
        *better,
        *(
            Claim(
                f"The reconstructions are inferior to {what}",
                "section 2.2.1, table 3; the comparison is ours",
                "best mean FID of a beta, CIFAR10",
                _judged(by_beta(ten, FID), lambda m: m.min(axis=1)),
                bound=fid,
            )
            for what, fid in (
                ("what WGAN-GP draws", FID_OF_WGAN_GP),
                ("what a modern VAE draws", FID_OF_A_MODERN_VAE),
            )
        ),
        Claim(
            "On complex datasets reconstruction and disentanglement improve together",
            "section 3.2",
            "rank correlation over runs of the reconstruction loss and the score, MPI3DToy",
            _over_runs(toy),
            above=False,
        ),
    ]


def _ends(group: Group) -> list[list[float]]:
    """The losses of its smallest and its largest beta."""
    return [group.of(LOSS, setting) for setting in (group.settings[0], group.settings[-1])]


def _judged(cells: Sequence[Any], statistic: Any) -> Interval | None:
    return judged(cells, statistic, np.mean)


def _best_other_less_first(means: Doubles) -> Any:
    return means[:, 1:].min(axis=1) - means[:, 0]


def _over_runs(group: Group | None) -> Interval | None:
    if group is None or not {LOSS, ALL_FACTORS} <= set(group.final):
        return None
    return rank_agreement(group.final.assign(step=0), LOSS, ALL_FACTORS)
