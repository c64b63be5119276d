"""What the paper states, each judged by a statistic of these runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from results.analysis.dominance import bad_beats_good, best_method_share, best_strength_share
from results.analysis.intervals import Interval, interval
from results.analysis.resampling import Resampled, known_mean, mean_of, stacked
from results.analysis.setting_means import setting_means
from results.analysis.transfer import dataset_transfer
from results.report.blocks import Section
from results.report.claims import Claim, claims_table
from results.report.locatello2019.analyses import BY_METHOD, Analyses, Matrices
from results.report.locatello2019.runs import METRICS, TASKS, TOTAL_CORRELATION, Runs

STRONG = 0.5
"""Our reading of a correlation that is strong, or reliable: the paper gives no number."""
STILL_NATS = 0.01
"""Likewise, of a score that has not moved."""
A_CHANCE = 0.05
"""Of what can happen, which a single case would show."""
ODD = "Modularity"
COMMON = [name for name in METRICS if name != ODD]
TREES = [task for task in TASKS if task.startswith("GBT")]
SPRITES = ("dsprites", "dsprites_rendered")


def section(runs: Runs, found: Analyses, theorem: pd.DataFrame | None) -> Section:
    claims = [
        *_theorem(theorem),
        *_total_correlation(runs, found),
        *_agreement(found.agreement),
        *_choice(runs, found),
        *_selection(found),
        *_transfer(found),
        *_downstream(found.downstream),
    ]
    return Section(
        "Claims",
        [claims_table("locatello_claims", claims)],
        "Statistics are averaged over the datasets, metrics and methods that have them. n counts "
        "the seeds of a setting (their median), of theorem 1 scores. Where the paper has a word "
        "and no number (strong, reliably), the bound is ours.",
    )


def _theorem(scores: pd.DataFrame | None) -> list[Claim]:
    kept = moved = None
    if scores is not None:
        supervised, others = scores[scores["supervised"]], scores[~scores["supervised"]]
        kept = interval(supervised["f(z)"] / supervised["z"])
        moved = interval((others["f(z)"] - others["z"]).abs())
    return [
        Claim(
            "A perfect code can be entangled in full without a change of its distribution: metrics "
            "that know the factors fall",
            "Theorem 1; appendix A",
            "share of its score that a supervised metric keeps",
            kept,
            bound=0.5,
            above=False,
        ),
        Claim(
            "Unsupervised scores do not see that a code was entangled",
            "Theorem 1",
            "change of an unsupervised score",
            moved,
            bound=STILL_NATS,
            above=False,
        ),
    ]


def _total_correlation(runs: Runs, found: Analyses) -> list[Claim]:
    trends = {name: mean_of(list(of.values())) for name, of in found.trends.items()}
    means = setting_means(runs.rows, [TOTAL_CORRELATION[name] for name in ("mean", "sampled")])
    gap = means and means.means.map(lambda m: known_mean(m[..., 0] - m[..., 1], 2))
    return [
        Claim(
            "The total correlation of the sampled representation falls as the regularisation grows",
            "Key experimental results 1, figure 1",
            "rank correlation of both over runs of a method",
            _interval(trends["sampled"]),
            above=False,
        ),
        Claim(
            "The total correlation of the mean representation rises as the regularisation grows",
            "Key experimental results 1, figure 1",
            "rank correlation of both over runs of a method",
            _interval(trends["mean"]),
        ),
        Claim(
            "A factorised aggregated posterior does not make the dimensions of the mean "
            "representation uncorrelated",
            "Conclusions, 1",
            "total correlation of the mean minus that of the sampled representation, nats",
            _interval(gap),
        ),
    ]


def _agreement(matrices: Matrices) -> list[Claim]:
    pairs = [(a, b) for i, a in enumerate(COMMON) for b in COMMON[i + 1 :]]
    source = "Key experimental results 2, figure 2"
    return [
        Claim(
            "All metrics except Modularity are mildly correlated",
            source,
            "rank correlation over the pairs of them",
            _mean_entry(matrices, pairs),
        ),
        Claim(
            "Modularity is less correlated with the other metrics than they are",
            source,
            "rank correlation over its pairs minus that over the others",
            _mean_entry(matrices, [(ODD, name) for name in COMMON], minus=pairs),
            above=False,
        ),
        *(
            Claim(
                f"{first} and {second} are strongly correlated",
                source,
                "rank correlation of the pair minus that of the pairs without it and Modularity",
                _mean_entry(
                    matrices,
                    [(first, second)],
                    minus=[pair for pair in pairs if pair != (first, second)],
                ),
            )
            for first, second in (("BetaVAE", "FactorVAE"), ("MIG", "DCI"))
        ),
    ]


def _choice(runs: Runs, found: Analyses) -> list[Claim]:
    explained = [
        matrix.part([BY_METHOD], matrix.columns).entries.map(lambda m: known_mean(m, 2))
        for matrix in found.explained.values()
    ]
    metrics = runs.there(METRICS)
    score = "FactorVAE" if "FactorVAE" in metrics else next(iter(metrics), None)
    beaten = []
    if score is not None:
        groups = runs.rows.groupby(["dataset", "method"], sort=False)
        beaten = [share for _, of in groups if (share := bad_beats_good(of, score)) is not None]
    methods = found.means and best_method_share(found.means)
    strengths = found.means and best_strength_share(found.means)
    return [
        Claim(
            "Random seeds and hyperparameters matter more than the model",
            "Conclusions, 2; table (a)",
            "share of a metric's variance that the objective explains",
            _interval(mean_of(explained)),
            bound=0.5,
            above=False,
        ),
        Claim(
            "A good run with a bad hyperparameter can beat a bad run with a good one",
            "Key experimental results 3, figure 3",
            f"chance that a run of a method's worst setting beats one of its best, by {score}",
            _interval(mean_of(beaten)),
            bound=A_CHANCE,
        ),
        Claim(
            "No model dominates all the others consistently",
            "Key experimental results 4",
            "share of the pairs of dataset and metric in which the most frequent best method is "
            "best",
            _interval(methods),
            bound=1.0,
            above=False,
        ),
        Claim(
            "For no model is there a consistent choice of the regularisation strength",
            "Key experimental results 4",
            "share of the pairs of dataset and metric in which the most frequent best strength of "
            "a method is best",
            _interval(strengths),
            bound=1.0,
            above=False,
        ),
    ]


def _selection(found: Analyses) -> list[Claim]:
    strongest = [
        matrix.entries.map(lambda m: np.abs(known_mean(m, 1)).max(axis=-1))
        for matrix in found.unsupervised.values()
    ]
    return [
        Claim(
            "Unsupervised scores have some correlation with metrics, but no clear pattern",
            "Key experimental results 4",
            "largest of the unsupervised scores: size of its rank correlation, averaged over the "
            "metrics with its sign",
            _interval(mean_of(strongest)),
            bound=STRONG,
            above=False,
        )
    ]


def _transfer(found: Analyses) -> list[Claim]:
    by_kind = {
        kind: of.set_index("seed")["success"]
        for kind, of in found.success.groupby(["metric", "dataset"])
    }
    same, other = by_kind.get(("same", "same")), by_kind.get(("other", "other"))
    drop = None if same is None or other is None else interval((same - other).dropna().round(9))
    return [
        Claim(
            "What is good on dSprites is good on Color-dSprites",
            "Key experimental results 4",
            "rank correlation of settings between the two, over the metrics",
            _interval(_between_sprites(found)),
            bound=STRONG,
        ),
        Claim(
            "A setting chosen by the same metric and dataset, but another seed, beats a random run",
            "Key experimental results 4: 80.7 %; what success is, is our reading",
            "rate of success",
            None if same is None else interval(same),
            bound=0.5,
        ),
        Claim(
            "It does so less often when it was chosen by another metric on another dataset",
            "Key experimental results 4: from 80.7 % to 54.9 %",
            "rate of success of the same minus that of others",
            drop,
        ),
        Claim(
            "A setting chosen by another metric on another dataset succeeds in less than half of "
            "the cases",
            "Key experimental results 4, caption; its own number is 54.9 %",
            "rate of success",
            None if other is None else interval(other),
            bound=0.5,
            above=False,
        ),
    ]


def _between_sprites(found: Analyses) -> Resampled | None:
    means = found.means
    plain = [] if means is None else [name for name in SPRITES if name in means.datasets]
    if means is None or not plain or "color_dsprites" not in means.datasets:
        return None
    at = means.datasets.index(plain[0]), means.datasets.index("color_dsprites")
    between = [dataset_transfer(means, score) for score in means.scores]
    return mean_of([rho.map(lambda m: m[..., at[0], at[1]]) for rho in between])


def _downstream(matrices: Matrices) -> list[Claim]:
    return [
        Claim(
            "Scores, but those of Modularity, go with the accuracy of boosted trees",
            "Key experimental results 5, figure 5",
            "rank correlation",
            _mean_entry(matrices, [(name, task) for name in COMMON for task in TREES]),
        ),
        Claim(
            "Higher scores do not reliably lead to a higher sample efficiency",
            "Key experimental results 5, figure 6; conclusions, 3",
            "rank correlation of the FactorVAE score and the efficiency of boosted trees",
            _mean_entry(matrices, [("FactorVAE", "efficiency (GBT)")]),
            bound=STRONG,
            above=False,
        ),
    ]


def _mean_entry(
    matrices: Matrices,
    pairs: Sequence[tuple[str, str]],
    minus: Sequence[tuple[str, str]] | None = None,
) -> Interval | None:
    """The mean of some entries (minus that of others), over those datasets that have any."""
    found = []
    for matrix in matrices.values():
        parts = [matrix.mean(of) for of in (pairs, minus) if of is not None]
        there = [part for part in parts if part is not None]
        if len(there) == len(parts):
            found.append(stacked(*there).map(lambda m: m[..., 0] - m[..., 1:].sum(axis=-1)))
    return _interval(mean_of(found))


def _interval(found: Resampled | None) -> Interval | None:
    return None if found is None else found.interval()
