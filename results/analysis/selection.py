"""Which of a trial's scores a number is of: those of its end, or its best ones.

Rows of `scores`, as results.schema has them, in and out.
"""

from __future__ import annotations

import pandas as pd

KEYS = ["trial_id", "representation", "score"]
"""Of which a selection leaves one row."""


def final_scores(scores: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The scores of the finished weights: those at the trial's last step.

    `trials` has `trial_id` and `steps`. Of scores of both sizes the `full` one.
    """
    last_step = scores["trial_id"].map(trials.set_index("trial_id")["steps"])
    return _one_each(scores[scores["step"] == last_step])


def best_scores(scores: pd.DataFrame, *, size: str | None = None) -> pd.DataFrame:
    """The largest value that each score of a trial had at any step, of scores of one size or any.

    Michlo et al. 2023 (figures 6, 9, 11) and Song 2018 ("best epoch") report these.
    """
    of_size = scores if size is None else scores[scores["size"] == size]
    largest = of_size.sort_values(["value", "step"], ascending=[False, True], kind="stable")
    return largest.drop_duplicates(KEYS).sort_index()


def scores_at(scores: pd.DataFrame, step: int) -> pd.DataFrame:
    """The scores at one step."""
    return _one_each(scores[scores["step"] == step])


def _one_each(scores: pd.DataFrame) -> pd.DataFrame:
    """`full` before `fast`, a newer version of a metric before an older, seed 0 before others."""
    ordered = scores.sort_values(
        ["size", "metric_version", "seed"], ascending=[False, False, True], kind="stable"
    )
    return ordered.drop_duplicates(KEYS).sort_index()


def of_means(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of mean codes, and those that are of samples alone: losses and the FID."""
    mean = scores["representation"] == "mean"
    return scores[mean | ~scores["score"].isin(scores.loc[mean, "score"].unique())]


def wide(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a trial and representation, a column a score: for correlations between scores."""
    return scores.pivot(index=["trial_id", "representation"], columns="score", values="value")
