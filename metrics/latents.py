"""Which factor each latent follows: what pictures of a representation are drawn from, no scores."""

from __future__ import annotations

import numpy as np

from metrics.table import CodeTable, Doubles, Floats
from metrics.votes import Votes


def variance_ratios(data: CodeTable | Votes) -> Doubles:
    """How still latent z stands while factor f is held fixed, float64 [F, Z].

        r_fz = E_v[ Var(z | f = v) ] / Var(z)

    0 for a latent that is a function of the factor alone, 1 for one that does not notice it, and
    for one that never moves. The votes of the FactorVAE score (Kim and Mnih 2018, section 4) are
    for the least of a row. Of a factor without votes: 1.
    """
    if isinstance(data, Votes):
        all_codes = data.codes.reshape(-1, data.codes.shape[2])
        whole = all_codes if data.global_codes is None else data.global_codes
        variances = whole.var(axis=0, dtype=np.float64)
        within = data.codes.var(axis=1, dtype=np.float64)
        found = [within[data.labels == f] for f in range(data.factors)]
        left = np.stack([w.mean(axis=0) if len(w) else variances for w in found])
    else:
        variances = data.rows.var(axis=0, dtype=np.float64)
        replicates, _, latents = data.codes.shape
        grid = data.codes.reshape(replicates, *data.factor_sizes, latents)
        left = np.empty((len(data.factor_sizes), latents))
        for factor in range(len(data.factor_sizes)):
            others = tuple(a for a in range(grid.ndim - 1) if a != factor + 1)
            left[factor] = grid.var(axis=others, dtype=np.float64).mean(axis=0)
    ratios = np.divide(left, variances, out=np.ones_like(left), where=variances > 0)
    return np.asarray(ratios, dtype=np.float64)


def codes_along(table: CodeTable) -> list[Floats]:
    """Codes along each factor while the others rest in the middle, [positions, Z] a factor."""
    middle = tuple(size // 2 for size in table.factor_sizes)
    grid = table.codes[0].reshape(*table.factor_sizes, -1)
    return [
        grid[(*middle[:factor], slice(None), *middle[factor + 1 :])]
        for factor in range(len(table.factor_sizes))
    ]
