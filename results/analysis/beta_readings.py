"""What a grid means by beta: Song 2018 prints one thing, and its code does another.

A third is meant: Higgins' beta_norm. Each reading calls a weight of the KL term beta_sum, of Z
latents and N pixel values, by another name: beta = beta_sum / f(Z, N), with f = 1 at 10 latents and
64 x 64 grey pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

Factor = Callable[[pd.Series, pd.Series], pd.Series]

PRINTED, AS_RUN, NORMALISED = "as printed", "as run", "normalised"

READINGS: dict[str, Factor] = {
    # Section 3.4: the loss has beta alone.
    PRINTED: lambda latents, pixels: 0 * latents + 1.0,
    # main.py; section 5.1.1, printed as N beta / D.
    AS_RUN: lambda latents, pixels: latents / 10 * 4096 / pixels,
    # Higgins et al. 2017: beta_norm = beta Z / N is what stays.
    NORMALISED: lambda latents, pixels: 10 / latents * pixels / 4096,
}


def named_beta(trials: pd.DataFrame, reading: str) -> pd.Series:
    """beta by the name that a reading has for it, of trials with beta_sum, latents, pixels.

    Six digits: betas that are one were multiplied and divided.
    """
    factor = READINGS[reading](trials["latents"].astype(float), trials["pixels"].astype(float))
    # Not Series.round: the digits that count, not those after the point.
    return (trials["beta_sum"].astype(float) / factor).map(lambda beta: float(f"{beta:.6g}"))


def reading_of(trials: pd.DataFrame) -> str:
    """The reading by which all combinations of latents and pixels have the same betas.

    The first of READINGS that does; PRINTED where none does, or there are no betas.
    """
    with_beta = trials[trials["beta_sum"].notna()]
    for reading in READINGS:
        beta = named_beta(with_beta, reading)
        sets = beta.groupby([with_beta["latents"], with_beta["pixels"]]).agg(frozenset)
        if sets.nunique() == 1:
            return reading
    return PRINTED
