"""Scores of Song 2018, which are printed as figures only.

The numbers are those of the CSV files beside its code (github.com/chanyoungs/ucl_project_2018 at
39416a8); those of five to seven factors are read off the heat maps there, as the files break off
before them. Mean and standard deviation (ddof 0) over two runs in per cent, of the score as that
code has it, `factor_vae_ucl_legacy`. Whether the thesis' own figures are of the same numbers is
not known: their captions say three runs, and section 4.1.3 has the spread at its largest where
there are as many latents as factors, which is so here for the best epoch and not for the last.
"""

from __future__ import annotations

import pandas as pd

BETAS = (1, 2, 4, 8)
PLACES = {"latents": (5, 10, 15, 20), "complexity": (1, 2, 3, 4, 5, 6, 7)}
LATENTS_OF_COMPLEXITY, COMPLEXITY_OF_LATENTS = 20, 5
"""What stays as it is while the other varies."""
EPOCHS = {1: 10, 2: 10, 3: 20, 4: 30, 5: 30, 6: 60, 7: 60}
"""By the number of factors (section 3.4)."""
STEPS_AN_EPOCH = 15_625

Scores = tuple[tuple[tuple[float, float], ...], ...]
SCORES: dict[tuple[str, str], Scores] = {  # a row a beta, a column a place
    ("latents", "last"): (
        ((70.3, 1.3), (73.5, 3.4), (70.5, 4.4), (68.9, 2.2)),
        ((68.5, 2.4), (82.6, 9.1), (65.1, 0.6), (61.6, 10.5)),
        ((78.9, 3.5), (69.8, 1.4), (73.7, 1.1), (67.7, 2.7)),
        ((72.1, 2.8), (71.4, 1.3), (62.2, 2.2), (60.0, 0.0)),
    ),
    ("latents", "best"): (
        ((70.3, 1.3), (73.5, 3.4), (70.6, 4.2), (71.3, 3.9)),
        ((70.1, 1.9), (84.6, 11.1), (65.8, 1.3), (67.1, 12.6)),
        ((84.6, 4.9), (73.1, 4.2), (77.7, 2.9), (73.4, 0.8)),
        ((76.9, 1.9), (73.5, 0.8), (66.4, 6.4), (60.0, 0.0)),
    ),
    ("complexity", "last"): (
        ((100, 0), (100, 0), (78.8, 6.5), (69.8, 5.2), (68.9, 2.2), (85.4, 1.9), (47.4, 0.3)),
        ((100, 0), (96.6, 3.4), (82.2, 3.5), (82.9, 2.4), (61.6, 10.5), (74.6, 0.5), (52.0, 0.5)),
        ((100, 0), (100, 0), (86.1, 0.3), (74.8, 5.5), (67.7, 2.7), (78.8, 4.4), (49.6, 2.7)),
        ((100, 0), (94.1, 5.9), (87.7, 0.1), (85.5, 2.6), (60.0, 0.0), (75.9, 0.9), (45.2, 1.4)),
    ),
    ("complexity", "best"): (
        ((100, 0), (100, 0), (80.8, 8.6), (81.9, 7.1), (71.3, 3.9), (85.9, 2.4), (51.1, 3.9)),
        ((100, 0), (99.8, 0.2), (82.7, 3.4), (90.2, 5.6), (67.1, 12.6), (79.2, 1.1), (52.9, 0.3)),
        ((100, 0), (100, 0), (86.5, 0.5), (79.7, 3.6), (73.4, 0.8), (85.4, 5.9), (52.2, 0.1)),
        ((100, 0), (96.9, 3.1), (87.7, 0.1), (91.9, 0.6), (60.0, 0.0), (78.5, 0.1), (47.9, 0.1)),
    ),
}


def scores(along: str) -> pd.DataFrame:
    """selection (last, best), place, beta, published, published_sd; along latents or complexity."""
    return pd.DataFrame(
        [
            (selection, place, float(beta), *cell)
            for (over, selection), table in SCORES.items()
            if over == along
            for beta, row in zip(BETAS, table, strict=True)
            for place, cell in zip(PLACES[along], row, strict=True)
        ],
        columns=["selection", "place", "beta", "published", "published_sd"],
    )
