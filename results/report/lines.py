"""Many runs as a few lines: which parameters tell the lines apart, and what is within a line.

Runs that differ by their seeds alone have a mean. Whatever else is within a line makes it a line of
medians, with the spread of all its runs, and is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from grids.configuration import PARTS

MOST_LINES = 7
SPREAD = (0.05, 0.95)
SPREAD_IN_WORDS = "from the 5th to the 95th percentile of all runs"


def is_loss(parameter: str) -> bool:
    """Whether runs that differ in it minimise two losses, which have no mean."""
    return parameter.partition(".")[0] == "reconstruction"


def axis_of(runs: pd.DataFrame, swept: Sequence[str]) -> str:
    """The parameter with most values, a number if there is one.

    Of those that most runs have, and that do not follow from another one, as steps that were chosen
    for a dataset.
    """

    def follows(name: str) -> bool:
        others = [runs.groupby(other, dropna=False)[name] for other in swept if other != name]
        return any(values.nunique(dropna=False).max() == 1 for values in others)

    known = [name for name in swept if runs[name].notna().mean() > 0.5 and not follows(name)]
    numbers = [name for name in known if pd.api.types.is_numeric_dtype(runs[name])]
    return max(numbers or known or swept, key=lambda name: runs[name].nunique())


def told_apart(runs: pd.DataFrame, parameters: Sequence[str]) -> list[str]:
    """The first parameters that make more lines, but those that made more than MOST_LINES."""
    kept: list[str] = []
    lines = 1
    for name in parameters:
        more = len(runs.drop_duplicates([*kept, name]))
        if lines < more <= MOST_LINES:
            kept.append(name)
            lines = more
    return kept


def within(runs: pd.DataFrame, swept: Sequence[str], shown: Sequence[str]) -> list[str]:
    """The parameters that differ between runs that are alike in those shown."""
    alike = len(runs.drop_duplicates(shown)) if shown else 1
    return [
        name
        for name in swept
        if name not in shown and len(runs.drop_duplicates([*shown, name])) > alike
    ]


def over(runs: pd.DataFrame, pooled: Sequence[str]) -> str:
    """`beta, latents and seeds`; nothing where every run stands for itself."""
    names = [*pooled, *(["seeds"] if runs["seed"].nunique() > 1 else [])]
    return " and ".join([", ".join(names[:-1]), *names[-1:]] if len(names) > 1 else names)


def labels(rows: pd.DataFrame, parameters: Sequence[str]) -> pd.Series:
    """`beta_vae, beta 0.001` for each row; empty without parameters."""
    if not parameters:
        return pd.Series("", index=rows.index)
    grouped = rows.groupby(list(parameters), dropna=False, sort=False)
    words = [_label(parameters, values) for values, _ in grouped]
    return grouped.ngroup().map(dict(enumerate(words)))


def _label(parameters: Sequence[str], values: Sequence[Any]) -> str:
    names = [name.rpartition(".")[2] for name in parameters]
    words = [
        short(value) if parameter in PARTS else f"{name} {short(value)}"
        for parameter, name, value in zip(parameters, names, values, strict=True)
        if not pd.isna(value)
    ]
    return ", ".join(words) or f"without {' and '.join(names)}"


def short(value: Any) -> str:
    """Four digits that count, and whole numbers as they are; a dash for none."""
    if pd.isna(value):
        return "–"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else f"{value:.4g}"
    return str(value)


def medians(rows: pd.DataFrame, keys: Sequence[str], value: str = "value") -> pd.DataFrame:
    """As intervals.by_group: `value`, `low` and `high` are the median and SPREAD of the rows."""
    grouped = rows.groupby(list(keys), dropna=False)[value]
    found = grouped.quantile(np.array([SPREAD[0], 0.5, SPREAD[1]])).unstack()
    found.columns = pd.Index(["low", "value", "high"])
    return found.assign(n=grouped.count())[["value", "low", "high", "n"]].reset_index()
