"""The runs of the studies, a column a score, as the analyses of the paper take them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from results.analysis.methods import DATASETS, settings_of
from results.analysis.selection import final_scores, wide
from results.published.locatello2019 import FIXED, STRENGTHS
from results.report.studies import Studies

GRID_FILE = "grids/locatello2019/unsupervised.yaml"

METRICS = ("BetaVAE", "FactorVAE", "MIG", "DCI", "Modularity", "SAP")
UNSUPERVISED = ("reconstruction", "TC (sampled)", "KL", "negative ELBO")
TASKS = {
    **{f"LR{n}": f"downstream_logistic_{n}" for n in (10, 100, 1_000, 10_000)},
    **{f"GBT{n}": f"downstream_boosting_{n}" for n in (10, 100, 1_000, 10_000)},
    "efficiency (LR)": "downstream_logistic_efficiency",
    "efficiency (GBT)": "downstream_boosting_efficiency",
}
REPORT = "locatello2019"
TOTAL_CORRELATION = {"sampled": "TC (sampled)", "mean": "TC (mean)"}

SCORES = {
    "BetaVAE": ("beta_vae_score", "mean"),
    "FactorVAE": ("factor_vae_score", "mean"),
    "MIG": ("mig", "mean"),
    "DCI": ("dci_disentanglement", "mean"),
    "Modularity": ("modularity", "mean"),
    "SAP": ("sap", "mean"),
    "reconstruction": ("reconstruction", "sampled"),
    "TC (sampled)": ("unsupervised_gaussian_total_correlation", "sampled"),
    "TC (mean)": ("unsupervised_gaussian_total_correlation", "mean"),
    "KL": ("kl", "sampled"),
    "negative ELBO": ("elbo", "sampled"),
    **{task: (score, "mean") for task, score in TASKS.items()},
}
"""The score and its representation, by what the paper calls it."""


@dataclass(frozen=True)
class Runs:
    """`planned` has the settings of all trials; `rows` those of trials with scores, and these.

    Both are frames as of results.analysis.methods; the columns of scores are those of SCORES.
    `published` has the datasets whose trials are those of the paper, seeds aside: published
    numbers stand beside these only.
    """

    planned: pd.DataFrame
    rows: pd.DataFrame
    published: frozenset[str]

    @property
    def datasets(self) -> list[str]:
        return list(dict.fromkeys(self.rows["dataset"]))

    @property
    def methods(self) -> list[str]:
        """All of them, so that a method's colour is the same in all figures."""
        return list(dict.fromkeys(self.planned["method"]))

    def of(self, dataset: str) -> pd.DataFrame:
        return self.rows[self.rows["dataset"] == dataset]

    def there(self, scores: Sequence[str], dataset: str | None = None) -> list[str]:
        """Those of the scores that some run has."""
        rows = self.rows if dataset is None else self.of(dataset)
        return [score for score in scores if rows[score].notna().any()]


def runs_of(studies: Studies) -> Runs:
    """Of the studies whose report is this one."""
    own = {t.trial_id for grid in studies.grids if grid.report == REPORT for t in grid.trials}
    trials = studies.trials[studies.trials["trial_id"].isin(own)]
    planned = settings_of(trials)
    wanted = studies.scores["score"].isin({score for score, _ in SCORES.values()})
    final = wide(final_scores(studies.scores[wanted], trials))
    final = final.reindex(columns=sorted({score for score, _ in SCORES.values()})).astype(float)
    found = {}
    for name, (score, representation) in SCORES.items():
        of = final.index.get_level_values("representation") == representation
        found[name] = final.loc[of, score].droplevel("representation")
    columns = pd.DataFrame(found)
    # The printed row has the signs of the reconstruction, which is a loss, in all columns.
    columns["negative ELBO"] *= -1
    rows = planned.merge(columns.dropna(how="all"), left_on="trial_id", right_index=True)
    return Runs(planned, rows, _published(planned, trials))


def _published(planned: pd.DataFrame, trials: pd.DataFrame) -> frozenset[str]:
    """The datasets of which the grid has the paper's settings, all of them and no others."""
    settings = {(method, value) for method, values in STRENGTHS.items() for value in values}
    fixed = trials[list(FIXED)].astype(object).where(trials[list(FIXED)].notna(), None)
    alike = pd.concat([fixed[name].isin(values) for name, values in FIXED.items()], axis=1)
    alike.index = pd.Index(trials["trial_id"])
    as_published = planned["trial_id"].map(alike.all(axis=1))
    return frozenset(
        str(dataset)
        for dataset, of in planned.groupby("dataset")
        if dataset in DATASETS
        and as_published[of.index].all()
        and set(zip(of["method"], of["regularisation"], strict=True)) == settings
    )
