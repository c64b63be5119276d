"""Are factors learnt in the order of table 1? A growing capacity, after Burgess et al. 2017."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from results.analysis.intervals import interval
from results.analysis.learning_order import (
    FOLLOWED_SHARE,
    NONE,
    RISEN_NATS,
    followed_factors,
    kl_by_factor,
    order_agreement,
    risen_at,
)
from results.arrays import read_arrays
from results.published.burgess2017 import SEEN_NATS
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.figures import colour, sheet
from results.report.michlo2023.experiments import grids_of, trials_of
from results.report.michlo2023.measured import Measured, importance_of
from results.report.studies import Studies

TITLE = "Learning order: which factors a growing capacity learns first"
TAKES = "grids/michlo2023/learning_order.yaml, or its -small variant"
LATENTS = "latents.npz"
MOST_PANELS = 12


@dataclass(frozen=True, kw_only=True)
class Learning:
    """The trials of one study that learn the same images, and what was found of them.

    `importance` is the published mean distance of each factor, or ours where the paper has none;
    empty where neither is there. `by_factor`, `risen` and `agreement` are those of
    results.analysis.learning_order.
    """

    study: str
    images: str
    factors: tuple[str, ...]
    trials: pd.DataFrame
    curves: pd.DataFrame
    latents: dict[str, np.ndarray]
    published: dict[str, float]
    ours: dict[str, float]
    by_factor: pd.DataFrame
    risen: pd.DataFrame
    agreement: pd.Series

    @property
    def importance(self) -> dict[str, float]:
        return self.published or self.ours


def learnings(studies: Studies, found: Measured) -> list[Learning]:
    return [
        learning
        for grid in grids_of(studies)
        for learning in _of_study(studies, trials_of(studies, grid), grid.study, found)
    ]


def _of_study(
    studies: Studies, trials: pd.DataFrame, study: str, found: Measured
) -> Iterator[Learning]:
    growing = trials[trials["framework"] == "annealed_vae"]
    factors_of = {
        trial.trial_id: trial.dataset.factor_names
        for grid in studies.grids
        for trial in grid.trials
    }
    for images, of in growing.groupby("images", sort=False):
        factors = factors_of[of["trial_id"].iloc[0]]
        latents = {
            trial_id: ratios
            for trial_id in of.loc[of["status"] == "completed", "trial_id"]
            if (ratios := _variance_ratios(studies, trial_id)) is not None
        }
        curves = studies.curves[studies.curves["trial_id"].isin(of["trial_id"])]
        by_factor = kl_by_factor(curves, latents, factors)
        risen = risen_at(by_factor)
        published, ours = importance_of(str(images), found.by_mse)
        importance = published or ours
        yield Learning(
            study=study,
            images=str(images),
            factors=factors,
            trials=of,
            curves=curves,
            latents=latents,
            published=published,
            ours=ours,
            by_factor=by_factor,
            risen=risen,
            agreement=order_agreement(risen, importance) if importance else pd.Series(dtype=float),
        )


def _variance_ratios(studies: Studies, trial_id: str) -> np.ndarray | None:
    folder = studies.artifacts(trial_id)
    if folder is None or not (folder / LATENTS).exists():
        return None
    arrays = read_arrays(folder / LATENTS, "variance_ratios")
    return np.asarray(arrays["variance_ratios"], dtype=np.float64)


def sections(found: list[Learning]) -> list[Section]:
    if not found:
        return [Section(TITLE, [Missing("Learning order", f"No study has it: {TAKES}.")])]
    several = len(found) > 1
    blocks = []
    for number, learning in enumerate(found):
        blocks += _blocks(learning, f"learning_order_{number + 1}" if several else "learning_order")
    return [Section(TITLE, blocks)]


def _blocks(learning: Learning, name: str) -> list[Block]:
    title = f"{learning.images}, {learning.study}"
    if not learning.latents:
        why = (
            f"None of the {len(learning.trials)} trials of {learning.study} has completed and left "
            "which factors its latents follow."
        )
        return [Missing(f"Learning order of {title}", why)]
    blocks: list[Block] = [_mean_curves(learning, name, title), _latent_curves(learning, name)]
    blocks.append(
        Table(
            name,
            f"{title}: capacity at which a factor's latents hold a bit",
            order_table(learning),
            f"A factor has risen once its latents hold {RISEN_NATS:.2f} nats together. Seeds in "
            "which it never does count with the largest capacity. Importance is the mean distance "
            "of table 1, published and ours. `follows` is how much of the variance of its latents "
            "the factor explains, at the end.",
        )
    )
    if not learning.importance:
        why = f"There are no distances of {learning.images}: a study with `measurement` of it."
        blocks.append(Missing("Order against importance", why))
    return blocks


def order_table(learning: Learning) -> pd.DataFrame:
    """A row a factor, the most important first; capacities in nats, intervals over seeds."""
    explained = explained_shares(learning)
    last = learning.by_factor.groupby("trial_id")["step"].transform("max")
    at_end = learning.by_factor[learning.by_factor["step"] == last]
    rows = []
    for factor in learning.factors:
        risen = learning.risen.loc[learning.risen["factor"] == factor, "capacity_nats"]
        found = interval(risen.clip(upper=largest_capacity(learning)))
        rows.append(
            {
                "factor": factor,
                "published importance": learning.published.get(factor, math.nan),
                "importance": learning.ours.get(factor, math.nan),
                "capacity_nats": found.value,
                "low": found.low,
                "high": found.high,
                "seeds": found.n,
                "risen": int(np.isfinite(risen).sum()),
                "final kl_nats": at_end.loc[at_end["factor"] == factor, "kl_nats"].mean(),
                "follows": explained[factor],
            }
        )
    table = pd.DataFrame(rows)
    by = "published importance" if learning.published else "importance"
    return table.sort_values(by, ascending=False, kind="stable", ignore_index=True)


def explained_shares(learning: Learning) -> dict[str, float]:
    """By factor the mean of 1 - r_fz over its latents, by their share of the factor's final KL."""
    totals = dict.fromkeys(learning.factors, 0.0)
    weights = dict.fromkeys(learning.factors, 0.0)
    for trial_id, ratios in learning.latents.items():
        curve = learning.curves[learning.curves["trial_id"] == trial_id]
        if curve.empty:
            continue
        kl_nats = curve.sort_values("step")["kl_nats_by_latent"].iloc[-1]
        for latent, factor in enumerate(followed_factors(ratios)):
            if factor == NONE:
                continue
            name = learning.factors[factor]
            totals[name] += kl_nats[latent] * (1 - ratios[factor, latent])
            weights[name] += kl_nats[latent]
    return {name: totals[name] / weights[name] if weights[name] else math.nan for name in totals}


def largest_capacity(learning: Learning) -> float:
    return float(learning.curves["capacity_nats"].max())


def _mean_curves(learning: Learning, name: str, title: str) -> Drawing:
    table = (
        learning.by_factor.groupby(["factor", "step"], sort=False)
        .agg(
            capacity_nats=("capacity_nats", "mean"),
            kl_nats=("kl_nats", "mean"),
            least=("kl_nats", "min"),
            largest=("kl_nats", "max"),
        )
        .reset_index()
    )
    figure, [axes] = sheet(1, panel_inches=(7, 3.6))
    for number, factor in enumerate(learning.factors):
        line = table[table["factor"] == factor].sort_values("step")
        axes.plot(line["capacity_nats"], line["kl_nats"], color=colour(number), label=factor)
        axes.fill_between(
            line["capacity_nats"], line["least"], line["largest"],
            color=colour(number), alpha=0.15, linewidth=0,
        )  # fmt: skip
    axes.axhline(RISEN_NATS, color="0.5", linestyle=":", linewidth=1)
    axes.set_xlabel("capacity C, nats", fontsize="small")
    axes.set_ylabel("KL of a factor's latents, nats", fontsize="small")
    axes.legend(fontsize="small", frameon=False, loc="upper left")
    note = (
        f"Means over {len(learning.latents)} seeds; bands reach from the least to the largest. The "
        "dotted line is one bit. A latent counts for the factor that it follows in the end, for "
        f"none where no factor explains {FOLLOWED_SHARE:.0%} of its variance. "
        "Burgess et al. 2017 (figure 3, one run) see of the sprites: "
        + ", ".join(f"{factor} at {nats:g} nats" for factor, nats in SEEN_NATS.items())
        + "."
    )
    return Drawing(f"{name}_by_factor", title, figure, table, note)


def _latent_curves(learning: Learning, name: str) -> Drawing:
    """A panel a seed, a line a latent in the colour of its factor."""
    shown = list(learning.latents)[:MOST_PANELS]
    seeds = dict(zip(learning.trials["trial_id"], learning.trials["seed"], strict=True))
    figure, axes = sheet(len(shown), share_y=True)
    for panel, trial_id in zip(axes, shown, strict=True):
        rows = learning.curves[learning.curves["trial_id"] == trial_id].sort_values("step")
        of_latents = np.stack(rows["kl_nats_by_latent"].to_list())
        follows = followed_factors(learning.latents[trial_id])
        for latent, factor in enumerate(follows):
            panel.plot(
                rows["capacity_nats"], of_latents[:, latent],
                color="0.7" if factor == NONE else colour(factor), linewidth=1.2
            )  # fmt: skip
        panel.set_title(f"seed {seeds[trial_id]}", fontsize="medium")
        panel.set_xlabel("capacity C, nats", fontsize="small")
    handles = [
        Line2D([], [], color=colour(number), label=factor)
        for number, factor in enumerate(learning.factors)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    axes[0].set_ylabel("KL of a latent, nats", fontsize="small")
    left_out = len(learning.latents) - len(shown)
    note = (
        "A line a latent, in the colour of the factor that it follows in the end; grey where no "
        f"factor explains {FOLLOWED_SHARE:.0%} of its variance."
    )
    if left_out:
        note += f" {left_out} more seeds are not drawn."
    return Drawing(f"{name}_by_latent", "KL of each latent, by seed", figure, note=note)
