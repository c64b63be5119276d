"""In which order does a growing capacity learn the factors?

Burgess et al. 2017, section 5, raise the capacity C of an AnnealedVAE and watch the KL of each
latent; Michlo et al. 2023 (supplement, A) predict the order by the distances between images. Rows
of results.schema.CURVES of such trials in; F factors, Z latents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.correlation import rank_correlation

RISEN_NATS = math.log(2)
"""One bit: enough to tell one half of a factor from the other."""

FOLLOWED_SHARE = 0.25
"""Of a latent's variance, that the factor explains which it follows: ours. Of noise it is .1."""
NONE = -1

Doubles = npt.NDArray[np.float64]


def followed_factors(variance_ratios: Doubles) -> npt.NDArray[np.int64]:
    """The factor that each latent follows, int64 [Z]: for which it stands stillest.

        f(z) = argmin_f r_fz,     r_fz = E_v[Var(z | f = v)] / Var(z)

    of metrics.latents, as the votes of the FactorVAE score have it (Kim and Mnih 2018, section 4).
    `NONE` where it explains less than `FOLLOWED_SHARE`: a capacity that is forced upon latents
    which have learned nothing is noise.
    """
    follows = 1 - variance_ratios.min(axis=0) >= FOLLOWED_SHARE
    return np.where(follows, variance_ratios.argmin(axis=0), NONE).astype(np.int64)


def kl_by_factor(
    curves: pd.DataFrame, latents: Mapping[str, Doubles], factors: Sequence[str]
) -> pd.DataFrame:
    """The KL that the latents of a factor f hold together, K_f(t) = sum_{z: f(z) = f} KL_z(t).

    `latents` has the variance ratios [F, Z] of each trial. A row a trial, report and factor:
    `trial_id`, `step`, `capacity_nats`, `factor`, `kl_nats`; 0 for a factor without a latent. A
    latent counts for the factor that it follows in the end, all the time.
    """
    found = [pd.DataFrame(columns=["trial_id", "step", "capacity_nats", "factor", "kl_nats"])]
    for trial_id, rows in curves.groupby("trial_id", sort=False):
        if trial_id not in latents:
            continue
        of_latents = np.stack(rows["kl_nats_by_latent"].to_list()).astype(np.float64)
        follows = followed_factors(latents[str(trial_id)])
        of_factors = of_latents @ (follows[:, None] == np.arange(len(factors)))
        wide = pd.DataFrame(of_factors, columns=list(factors))
        wide[["trial_id", "step", "capacity_nats"]] = rows[
            ["trial_id", "step", "capacity_nats"]
        ].to_numpy()
        found.append(
            wide.melt(
                ["trial_id", "step", "capacity_nats"], var_name="factor", value_name="kl_nats"
            )
        )
    filled = [frame for frame in found if len(frame)]
    table = pd.concat(filled, ignore_index=True) if filled else found[0]
    return table.astype({"capacity_nats": float, "kl_nats": float})


def risen_at(by_factor: pd.DataFrame, nats: float = RISEN_NATS) -> pd.DataFrame:
    """The least capacity at which a factor's latents hold so much.

        C_f = min { C(t) : K_f(t) >= nats }

    A row a trial and factor with `capacity_nats`, infinite where they never do.
    """
    capacity = by_factor["capacity_nats"].where(by_factor["kl_nats"] >= nats, math.inf)
    keyed = by_factor.assign(capacity_nats=capacity)
    return keyed.groupby(["trial_id", "factor"], sort=False)["capacity_nats"].min().reset_index()


def order_agreement(risen: pd.DataFrame, importance: Mapping[str, float]) -> pd.Series:
    """By trial, Spearman's correlation of importance with how early a factor rises.

        corr(rank d_f, rank -C_f)

    1 where the factor with the larger distance d_f always rises first. Factors that never rise
    share the last place; NaN where no factor rises, or all do at once.
    """

    by_trial = {
        str(trial_id): rank_correlation(-rows["capacity_nats"], rows["factor"].map(importance))
        for trial_id, rows in risen.groupby("trial_id", sort=False)
    }
    return pd.Series(by_trial, dtype=float)
