from __future__ import annotations

import pytest

from orchestrator import theorem


def test_supervised_scores_fall_and_unsupervised_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = tuple(metric for metric in theorem.SUPERVISED if metric != "dci")
    monkeypatch.setattr(theorem, "SUPERVISED", quick)
    scores = theorem.scores()
    assert list(scores.columns) == ["score", "supervised", "z", "f(z)"]
    supervised = scores[scores["supervised"]]
    assert list(supervised["score"]) == [
        "beta_vae_score",
        "factor_vae_score",
        "mig",
        "modularity",
        "sap",
        "sap_continuous",
        "irs",
    ]
    assert (supervised["f(z)"] < 0.3 * supervised["z"]).all()
    others = scores[~scores["supervised"]]
    assert len(others) == 4
    assert ((others["f(z)"] - others["z"]).abs() < 2e-3).all()
