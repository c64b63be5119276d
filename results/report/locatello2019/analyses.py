"""The analyses of the paper, each done once: sections show them, claims are judged by them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from results.analysis.rank_correlation import rank_correlations
from results.analysis.resampling import Resampled, known_mean, stacked
from results.analysis.setting_means import SETTING, SettingMeans, setting_means
from results.analysis.transfer import success_rates
from results.analysis.variance import variance_explained
from results.report.locatello2019.runs import (
    METRICS,
    TASKS,
    TOTAL_CORRELATION,
    UNSUPERVISED,
    Runs,
)

WEAKER_WITH_MORE = "annealed_vae"
"""The paper leaves it out where it draws something against the regularisation."""


class Matrix(NamedTuple):
    """A statistic of every row and column, [rows, columns]; `runs` is how many it is of."""

    rows: list[str]
    columns: list[str]
    entries: Resampled
    runs: int

    def part(self, rows: list[str], columns: list[str]) -> Matrix:
        first = [self.rows.index(name) for name in rows]
        second = [self.columns.index(name) for name in columns]
        entries = self.entries.map(lambda m: m[..., first, :][..., second])
        return Matrix(rows, columns, entries, self.runs)

    def mean(self, pairs: Sequence[tuple[str, str]]) -> Resampled | None:
        """The mean of the entries of those pairs that are there; None of none."""
        there = [(a, b) for a, b in pairs if a in self.rows and b in self.columns]
        if not there:
            return None
        first = [self.rows.index(row) for row, _ in there]
        second = [self.columns.index(column) for _, column in there]
        return self.entries.map(lambda m: known_mean(m[..., first, second], 1))


Matrices = dict[str, Matrix]
"""By dataset; those without enough runs are left out."""


@dataclass(frozen=True)
class Analyses:
    """`explained` has R^2 by method and by setting (rows) of each metric; the other matrices are of
    rank correlations. `trends` are those of the regularisation with the total correlation of
    each representation, by dataset and method."""

    agreement: Matrices
    explained: Matrices
    unsupervised: Matrices
    downstream: Matrices
    trends: dict[str, dict[tuple[str, str], Resampled]]
    means: SettingMeans | None
    success: pd.DataFrame


BY_METHOD, BY_SETTING = "objective", "objective x regularisation"


def analyse(runs: Runs) -> Analyses:
    metrics = runs.there(METRICS)
    return Analyses(
        agreement=_correlations(runs, METRICS, METRICS),
        explained=_explained(runs),
        unsupervised=_correlations(runs, UNSUPERVISED, METRICS),
        downstream=_correlations(runs, METRICS, tuple(TASKS)),
        trends={name: _trends(runs, score) for name, score in TOTAL_CORRELATION.items()},
        means=setting_means(runs.rows, metrics) if metrics else None,
        success=success_rates(runs.rows, metrics),
    )


def _correlations(runs: Runs, rows: Sequence[str], columns: Sequence[str]) -> Matrices:
    found = {}
    for dataset in runs.datasets:
        first, second = runs.there(rows, dataset), runs.there(columns, dataset)
        scores = list(dict.fromkeys([*first, *second]))
        if not first or not second or len(scores) < 2:
            continue
        of = runs.of(dataset).dropna(subset=scores)
        entries = rank_correlations(of, scores)
        if entries is not None:
            square = Matrix(scores, scores, entries, len(of))
            found[dataset] = square.part(first, second)
    return found


def _explained(runs: Runs) -> Matrices:
    found = {}
    for dataset in runs.datasets:
        metrics = runs.there(METRICS, dataset)
        of = runs.of(dataset).dropna(subset=metrics)
        if not metrics or of["method"].nunique() < 2:
            continue
        by_method = variance_explained(of, metrics, ["method"])
        by_setting = variance_explained(of, metrics, SETTING)
        if by_method is not None and by_setting is not None:
            both = stacked(by_method, by_setting)
            found[dataset] = Matrix([BY_METHOD, BY_SETTING], metrics, both, len(of))
    return found


def _trends(runs: Runs, score: str) -> dict[tuple[str, str], Resampled]:
    found = {}
    there = runs.rows.dropna(subset=[score, "regularisation"])
    there = there[~there["method"].str.startswith(WEAKER_WITH_MORE)]
    for key, of in there.groupby(["dataset", "method"], sort=False):
        rho = rank_correlations(of, ["regularisation", score])
        if rho is not None and of["regularisation"].nunique() > 1:
            dataset, method = map(str, key)
            found[dataset, method] = rho.map(lambda m: m[..., 0, 1])
    return found
