"""Which parameters a grid sweeps."""

from __future__ import annotations

import pandas as pd

DERIVED = ("study", "trial_id", "seed", "beta_sum", "beta_mean")
"""Columns that tell trials apart but are no parameter of their own."""


def swept_parameters(trials: pd.DataFrame, *, most: int) -> list[str]:
    """The parameters that tell trials apart, the seed left out, in the order of the columns.

    Left out is what follows from the name of a part, and, where more than `most` are left, what
    follows from the framework.
    """
    swept = [
        name
        for name in trials.columns
        if name not in DERIVED and trials[name].astype(str).nunique() > 1
    ]
    swept = [name for name in swept if not _follows(trials, name, name.partition(".")[0], swept)]
    if len(swept) > most:
        swept = [name for name in swept if not _follows(trials, name, "framework", swept)]
    return swept


def _follows(trials: pd.DataFrame, name: str, part: str, swept: list[str]) -> bool:
    """Whether a parameter has one value for each choice of a part that differs, too."""
    if name == part or part not in swept:
        return False
    return bool((trials[name].astype(str).groupby(trials[part]).nunique() == 1).all())
