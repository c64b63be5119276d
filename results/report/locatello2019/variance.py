"""How much of the scores' variance objective and regularisation explain (tables a and b)."""

from __future__ import annotations

import pandas as pd

from results.analysis.setting_means import SETTING
from results.published.locatello2019 import EXPLAINED_BY_METHOD, EXPLAINED_BY_SETTING
from results.published.locatello2019 import METRICS as PRINTED
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.locatello2019.analyses import BY_METHOD, BY_SETTING, Analyses
from results.report.locatello2019.matrices import PERCENT, beside, heat_maps, table
from results.report.locatello2019.runs import GRID_FILE, METRICS, Runs

TABLES = {BY_METHOD: EXPLAINED_BY_METHOD, BY_SETTING: EXPLAINED_BY_SETTING}


def section(runs: Runs, found: Analyses) -> Section:
    return Section("Variance explained", _blocks(runs, found))


def _blocks(runs: Runs, found: Analyses) -> list[Block]:
    if not found.explained:
        why = (
            "It takes a dataset with runs of two methods that are scored; "
            f"{GRID_FILE} has six methods of six strengths and fifty seeds."
        )
        return [Missing("Variance explained by objective and regularisation", why)]
    numbers = table(found.explained, "regression", "score", runs, _published)
    pairs = zip(numbers["dataset"], numbers["regression"], strict=True)
    groups = pd.Series([_groups(runs, *pair) for pair in pairs])
    numbers["by chance"] = (PERCENT * (groups - 1) / (numbers["runs"] - 1)).round(1)
    maps = heat_maps(
        _maps(numbers), limits=(0, 100), cmap="viridis", columns=2, panel_inches=(4.6, 3.0)
    )
    return [
        Drawing("variance_explained_maps", "Variance explained, %", maps),
        Table(
            "variance_explained",
            "Variance explained, %: R² of the score on indicators of the objective (table a), and "
            "of every objective with its regularisation (table b)",
            numbers,
            "What table b leaves is the seed's. `by chance` is what as many groups explain of as "
            f"many runs without any effect. {beside(runs)}",
        ),
    ]


def _groups(runs: Runs, dataset: str, regression: str) -> int:
    keys = ["method"] if regression == BY_METHOD else SETTING
    return len(runs.of(dataset)[keys].drop_duplicates())


def _published(dataset: str, regression: str, score: str) -> float | None:
    of = TABLES[regression].get(dataset)
    return None if of is None else of[PRINTED.index(score)]


def _maps(numbers: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Ours, and below them the published ones where there are any."""
    metrics = [name for name in METRICS if name in set(numbers["score"])]
    panels = {}
    for column, whose in (("value", "ours"), ("published", "published")):
        if column not in numbers:
            continue
        there = numbers.dropna(subset=[column])
        for regression, of in there.groupby("regression", sort=False):
            wide = of.pivot(index="dataset", columns="score", values=column)
            wide = wide.reindex(index=of["dataset"].unique(), columns=metrics)
            panels[f"{whose}, by {regression}"] = wide
    return panels
