from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import metrics
from metrics.evidence import Evidence
from metrics.npz import read_evidence
from metrics.table import CodeTable

TOLD = Evidence(1_000, 12.5, np.array([2.0, 0.0, 0.005, 0.5]))


def test_the_elbo_is_the_negative_sum_of_its_terms() -> None:
    scored = {
        name: metrics.score(name, TOLD, size="full", seed=0)
        for name in ("reconstruction", "kl", "elbo")
    }
    assert scored["reconstruction"] == {"reconstruction": 12.5}
    assert scored["kl"] == {"kl": pytest.approx(2.505), "kl_active_latents": 2.0}
    assert scored["elbo"] == {"elbo": pytest.approx(-15.005)}


def test_active_is_more_than_a_hundredth_of_a_nat() -> None:
    told = Evidence(1_000, 12.5, np.array([0.0099, 0.01, 0.0101]))
    assert metrics.score("kl", told, size="full", seed=0)["kl_active_latents"] == 1.0


def test_without_a_posterior_there_is_a_reconstruction_only() -> None:
    told = Evidence(1_000, 12.5)
    assert metrics.score("reconstruction", told, size="full", seed=0) == {"reconstruction": 12.5}
    for name in ("kl", "elbo"):
        with pytest.raises(ValueError, match="no KL; valid: reconstruction"):
            metrics.score(name, told, size="full", seed=0)


@pytest.mark.parametrize("terms", [(np.nan, [1.0]), (1.0, [np.inf, 0.0])])
def test_terms_that_are_not_finite_are_refused(terms: tuple[float, list[float]]) -> None:
    with pytest.raises(ValueError, match="NaN or Inf"):
        Evidence(1, terms[0], np.array(terms[1]))


def test_a_shape_that_a_metric_does_not_take_is_named() -> None:
    table = CodeTable(np.zeros((1, 4, 1), np.float32), (4,))
    with pytest.raises(ValueError, match="elbo takes the evidence of a trial, not a code table"):
        metrics.score("elbo", table, size="full", seed=0)


def test_a_file_gives_its_terms_back_and_a_damaged_one_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    np.savez(
        path,
        evidence_images=TOLD.images,
        evidence_reconstruction_per_image=TOLD.reconstruction_per_image,
        evidence_kl_nats_by_latent=TOLD.kl_nats_by_latent,
    )
    again = read_evidence(path)
    assert (again.images, again.reconstruction_per_image) == (1_000, 12.5)
    assert again.kl_nats_by_latent is not None
    assert again.kl_nats_by_latent.tolist() == [2.0, 0.0, 0.005, 0.5]
    np.savez(path, codes=np.zeros(3))
    with pytest.raises(ValueError, match="no terms of the evidence"):
        read_evidence(path)
    path.write_bytes(b"PK\3\4 cut off")
    with pytest.raises(ValueError, match="not a whole .npz file"):
        read_evidence(path)
