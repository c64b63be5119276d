from __future__ import annotations

import pandas as pd

from results.analysis.selection import best_scores, final_scores, scores_at, wide

TRIALS = pd.DataFrame({"trial_id": ["a", "b"], "steps": [20, 30]})


def scores(*rows: tuple[object, ...]) -> pd.DataFrame:
    """Rows of (trial, step, size, score, value)."""
    frame = pd.DataFrame(rows, columns=["trial_id", "step", "size", "score", "value"])
    return frame.assign(representation="mean", metric_version=1, seed=0)


ROWS = scores(
    ("a", 10, "fast", "mig", 0.9),
    ("a", 20, "fast", "mig", 0.5),
    ("a", 20, "full", "mig", 0.6),
    ("b", 20, "fast", "mig", 0.7),  # still in training: it has 30 steps
)


def test_final_scores_are_of_the_last_step_and_of_the_full_size() -> None:
    assert final_scores(ROWS, TRIALS)["value"].tolist() == [0.6]


def test_the_best_scores_are_of_any_step() -> None:
    assert best_scores(ROWS)["value"].tolist() == [0.9, 0.7]
    assert best_scores(ROWS, size="full")["value"].tolist() == [0.6]


def test_scores_at_a_step_are_one_a_trial() -> None:
    assert scores_at(ROWS, 20)["value"].tolist() == [0.6, 0.7]


def test_the_newest_version_of_a_metric_counts() -> None:
    newer = scores(("a", 20, "full", "mig", 0.4)).assign(metric_version=2)
    both = pd.concat([ROWS, newer], ignore_index=True)
    assert final_scores(both, TRIALS)["value"].tolist() == [0.4]


def test_wide_has_a_column_a_score() -> None:
    two = scores(("a", 20, "full", "mig", 0.6), ("a", 20, "full", "dci", 0.2))
    table = wide(two)
    assert table.loc[("a", "mean"), ["mig", "dci"]].tolist() == [0.6, 0.2]
