"""Which betas figure 9 is of."""

from __future__ import annotations

import numpy as np
import pandas as pd

from results.published.michlo2023 import BETAS_OF_FIGURE_9, FIRST_SPACING_OF_THE_SECOND


def chosen_betas(trials: pd.DataFrame) -> tuple[dict[str, set[str]], str]:
    """The trials of each line of figure 9 by its label, and what is to be said of the choice.

    Of a framework the trials at the beta that the authors' code chose for their spacing, if the
    grid has that beta at each of its spacings; else a line for each beta.
    """
    lines: dict[str, set[str]] = {}
    as_published = True
    for framework, of in trials.groupby("framework", sort=False):
        chosen = of[at_published_beta(of)]
        if set(chosen["dataset.spacing"]) == set(of["dataset.spacing"]):
            lines[str(framework)] = set(chosen["trial_id"])
            continue
        as_published = False
        for beta, at in of.groupby(of["beta_mean"].astype(float), dropna=False):
            label = str(framework) if pd.isna(beta) else f"{framework}, beta {beta:.3g}"
            lines[label] = set(at["trial_id"])
    if as_published:
        note = "The beta of a spacing is the one that the authors' code chose for it; " + "; ".join(
            f"{framework}: {_in_words(*betas)}"
            for framework, betas in BETAS_OF_FIGURE_9.items()
            if framework in lines
        )
    else:
        note = "The betas that figure 9 shows are not all there, so each beta has its line"
    return lines, note + "."


def _in_words(below: float, from_there: float) -> str:
    if below == from_there:
        return f"{below:g}"
    return f"{below:g} below spacing {FIRST_SPACING_OF_THE_SECOND}, else {from_there:g}"


def at_published_beta(trials: pd.DataFrame) -> pd.Series:
    """Whether figure 9 shows the trial, by its framework, spacing and beta (mean form)."""
    chosen = [
        BETAS_OF_FIGURE_9.get(framework, (np.nan, np.nan))[
            int(spacing >= FIRST_SPACING_OF_THE_SECOND)
        ]
        for framework, spacing in zip(trials["framework"], trials["dataset.spacing"], strict=True)
    ]
    betas = trials["beta_mean"].to_numpy(dtype=np.float64, na_value=np.nan)
    return pd.Series(np.isclose(betas, chosen, rtol=1e-6), index=trials.index)
