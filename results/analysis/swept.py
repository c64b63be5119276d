"""Which parameters a grid sweeps."""

from __future__ import annotations

from typing import Any

import pandas as pd

DERIVED = ("study", "trial_id", "beta_sum", "beta_mean")
"""Columns that tell trials apart but are no parameter of their own."""


def swept_parameters(trials: pd.DataFrame) -> list[str]:
    """The parameters that tell a grid's trials apart, in the order of the columns.

    What follows from another one is left out: a parameter that has one value for each name of its
    part; the convention of beta, where it is only missing with beta itself.
    """
    swept = [
        name
        for name in trials.columns
        if name not in DERIVED and _told_apart(trials[name]).nunique(dropna=False) > 1
    ]

    def part(name: str) -> str:
        return "framework" if name == "beta_convention" else name.partition(".")[0]

    return [name for name in swept if not _follows(trials, name, part(name), swept)]


def swept_besides_seed(trials: pd.DataFrame, *, most: int) -> list[str]:
    """The same without the seed; where more than `most` are left, without what follows from the
    framework."""
    swept = [name for name in swept_parameters(trials) if name != "seed"]
    if len(swept) > most:
        swept = [name for name in swept if not _follows(trials, name, "framework", swept)]
    return swept


def _told_apart(values: pd.Series[Any]) -> pd.Series[Any]:
    """Where values of several types stand beside each other, as texts: 1 is True otherwise."""
    return values.astype(str) if values.dtype == object else values


def _follows(trials: pd.DataFrame, name: str, part: str, swept: list[str]) -> bool:
    """Whether a parameter has one value for each choice of a part that differs, too."""
    if name == part or part not in swept:
        return False
    values = trials[name].astype(str).groupby(trials[part])
    return bool((values.nunique(dropna=False) == 1).all())
