"""Cells of runs for the claims: which group they are of, and statistics over them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from results.analysis.cell_means import Doubles, over_cells
from results.analysis.intervals import Interval
from results.report.fil2021.runs import Group

BETAS = (0.1, 1.0, 4.0, 10.0)


def group_of(groups: Iterable[Group], datasets: Sequence[str], model: str) -> Group | None:
    """The first one of VAEs with scores, on the first of the datasets that has any."""
    found = [g for g in of_vaes(groups) if g.model == model and len(g.final)]
    return next((g for dataset in datasets for g in found if g.dataset == dataset), None)


def of_vaes(groups: Iterable[Group]) -> list[Group]:
    """Those of the paper; section 4.2 and gaussian_sigma.yaml have another likelihood."""
    return [
        group
        for group in groups
        if not group.baseline and set(group.trials["reconstruction"]) == {"bernoulli"}
    ]


def baseline_of(groups: Iterable[Group], datasets: Sequence[str], name: str, score: str) -> Any:
    """The runs of PCA or ICA at their default settings."""
    for dataset in datasets:
        for group in groups:
            if group.baseline and group.dataset == dataset and (runs := group.of(score, name)):
                return runs
    return []


def judged(
    cells: Sequence[Any], statistic: Callable[[Doubles], Any], centre: Any = np.median
) -> Interval | None:
    """None where a cell has no runs."""
    if not cells or not all(len(cell) for cell in cells):
        return None
    return over_cells(cells, statistic, centre)


def by_beta(group: Group | None, score: str, betas: Sequence[float] = BETAS) -> list[list[float]]:
    return [group.with_beta(score, beta) if group else [] for beta in betas]


def together(group: Group | None, setting: str, scores: Sequence[str]) -> Any:
    """[runs, scores] of a setting."""
    if group is None or not set(scores) <= set(group.final):
        return []
    rows = group.final.loc[group.final["setting"] == setting, list(scores)]
    return rows.dropna().to_numpy(dtype=float)
