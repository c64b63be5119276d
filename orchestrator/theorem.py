"""Locatello et al. 2019, theorem 1: scores of a perfect code and of its entangled twin."""

from __future__ import annotations

import pandas as pd

from metrics import METRICS, score
from metrics.table import CodeTable
from results.analysis.entanglement import Doubles, entangled, uniform_factors

SUPERVISED = (
    *("beta_vae", "factor_vae", "mig", "dci", "modularity", "sap"),  # the study's
    *("sap_continuous", "irs"),
)
UNSUPERVISED = "unsupervised"
FACTORS, POSITIONS, REPLICATES = 4, 5, 64


def scores() -> pd.DataFrame:
    """A row a score: `score`, `supervised`, and its values `z` and `f(z)`."""
    z = uniform_factors(POSITIONS, FACTORS, REPLICATES)
    before, after = _scores(z), _scores(entangled(z))
    return pd.DataFrame(
        [
            {
                "score": name,
                "supervised": not name.startswith(UNSUPERVISED),
                "z": before[name],
                "f(z)": after[name],
            }
            for name in before
        ]
    )


def _scores(codes: Doubles) -> dict[str, float]:
    table = CodeTable.checked(codes, (POSITIONS,) * FACTORS)
    found = {}
    for metric in (*SUPERVISED, UNSUPERVISED):
        values = score(metric, table, size="full", seed=0)
        # The study's: of a supervised metric its own value, of the unsupervised the first four.
        shown = METRICS[metric].scores[: 4 if metric == UNSUPERVISED else 1]
        found.update({name: values[name] for name in shown})
    return found
