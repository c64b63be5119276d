from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mutual_info_score

from metrics import score
from metrics.table import CodeTable, draw_rows, generator
from metrics.unsupervised import (
    gaussian_total_correlation,
    gaussian_wasserstein,
    mean_of_pairs,
    mutual_informations,
)
from tests.reference.tables import GRIDS, KINDS, table_of

Doubles = npt.NDArray[np.float64]

TC = "unsupervised_gaussian_total_correlation"
WASSERSTEIN = "unsupervised_gaussian_wasserstein"
NORMALISED = "unsupervised_gaussian_wasserstein_normalised"
INFORMATION = "unsupervised_mutual_information"
ACTIVE_TC = "unsupervised_active_gaussian_total_correlation"
ACTIVE_INFORMATION = "unsupervised_active_mutual_information"
ACTIVE = "unsupervised_active_latents"


def plain_scores(codes: Doubles) -> dict[str, float]:
    """Locatello et al. 2019, with the determinant and SciPy's root of a matrix."""
    covariance = np.cov(codes.T)
    variances = np.diag(covariance)
    root = scipy.linalg.sqrtm(np.diag(variances) @ covariance)
    wasserstein = np.trace(covariance + np.diag(variances) - 2 * root.real)
    bins = [np.digitize(z, np.histogram(z, 20)[1][:-1]) for z in codes.T]
    latents = range(len(bins))
    pairs = [mutual_info_score(bins[a], bins[b]) for a in latents for b in latents if a != b]
    return {
        TC: (np.log(variances).sum() - np.linalg.slogdet(covariance)[1]) / 2,
        WASSERSTEIN: wasserstein,
        NORMALISED: wasserstein / variances.sum(),
        INFORMATION: float(np.mean(pairs)),
    }


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_definitions_on_the_same_sample(grid: str, kind: str) -> None:
    table = table_of(kind, grid)
    codes = table.rows[draw_rows(table, generator(3, "unsupervised"), 10_000)].astype(np.float64)
    scores = score("unsupervised", table, size="full", seed=3)
    expected = plain_scores(codes)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert scores[ACTIVE] == table.codes.shape[2]
    assert scores[ACTIVE_TC] == scores[TC]
    assert scores[ACTIVE_INFORMATION] == scores[INFORMATION]


# disentanglement_lib 76f41e3, unsupervised_metrics_test.py.


def test_the_oracles_of_the_gaussian_scores() -> None:
    tied = np.array([[1, 0.9], [0.9, 1]])
    assert gaussian_total_correlation(np.eye(5)) == 0.0
    assert gaussian_total_correlation(tied) == pytest.approx(-math.log(1 - 0.81) / 2)
    assert gaussian_wasserstein(np.eye(5)) == 0.0
    # The eigenvalues are 1.9 and .1.
    assert gaussian_wasserstein(tied) == pytest.approx(4 - 2 * (math.sqrt(1.9) + math.sqrt(0.1)))


covariances = st.integers(1, 6).flatmap(
    lambda latents: st.integers(0, 2**32).map(
        lambda seed: np.cov(
            np.random.default_rng(seed).standard_normal((latents, 2 * latents + 4))
        ).reshape(latents, latents)
    )
)


@settings(max_examples=50)
@given(covariance=covariances, exponent=st.integers(-6, 6))
def test_laws_of_the_gaussian_scores(covariance: Doubles, exponent: int) -> None:
    variances = np.diag(covariance)
    # The total correlation is the divergence from the product of the marginals, which no scale of
    # a latent changes; the distance is squared, so that the scale of all comes out of it squared.
    divergence = (np.log(variances).sum() - np.linalg.slogdet(covariance)[1]) / 2
    scales = 10.0 ** (exponent * np.linspace(-1, 1, len(variances)))
    rescaled = covariance * np.outer(scales, scales)
    assert gaussian_total_correlation(covariance) == pytest.approx(divergence, abs=1e-9)
    assert gaussian_total_correlation(rescaled) == pytest.approx(divergence, abs=1e-9)
    distance = gaussian_wasserstein(covariance)
    assert -1e-12 < distance < 2 * variances.sum()
    assert gaussian_wasserstein(covariance * 10.0**exponent) == pytest.approx(
        distance * 10.0**exponent, abs=1e-7 * 10.0**exponent
    )
    assert gaussian_wasserstein(np.diag(variances)) == pytest.approx(0, abs=1e-12)


def full(codes: npt.NDArray[np.floating], sizes: tuple[int, ...]) -> dict[str, float]:
    return score("unsupervised", CodeTable.checked(codes, sizes), size="full", seed=0)


def perfect(*sizes: int) -> Doubles:
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def test_factors_are_independent() -> None:
    scores = full(perfect(5, 6, 7), (5, 6, 7))
    # The plug-in estimate of the information is biased upwards, by about 4 * 5 / 2S and so on.
    assert scores.pop(ACTIVE) == 3.0
    assert scores == pytest.approx(dict.fromkeys(scores, 0.0), abs=0.003)


def test_noughts_score_nought() -> None:
    assert set(full(np.zeros((30, 4)), (5, 6)).values()) == {0.0}


def test_a_single_latent_scores_nought() -> None:
    scores = full(perfect(30), (30,))
    assert scores.pop(ACTIVE) == 1.0
    assert scores == pytest.approx(dict.fromkeys(scores, 0.0), abs=1e-12)


def test_a_latent_that_another_determines_adds_a_finite_number() -> None:
    # The total correlation is infinite: each eigenvalue of nought counts as 1e-12. The other two
    # are 2, of each pair.
    codes = perfect(5, 6)
    scores = full(np.hstack([codes, codes]), (5, 6))
    assert scores[TC] == pytest.approx(-(2 * math.log(1e-12) + 2 * math.log(2)) / 2, abs=0.01)
    # The root of a covariance [[s, s], [s, s]] times s has trace sqrt(2) s, of a trace of 2 s.
    assert scores[NORMALISED] == pytest.approx(2 - math.sqrt(2), abs=1e-3)
    # Two of the twelve ordered pairs on either side are the same: ln 5 and ln 6 nats.
    assert scores[INFORMATION] == pytest.approx((math.log(5) + math.log(6)) / 6, abs=0.003)


@pytest.mark.parametrize("constant", [0.0, -3.7, 1e30])
def test_dead_latents_leave_the_gaussian_scores_as_they_are(constant: float) -> None:
    # The determinant of the whole covariance is nought: disentanglement_lib gives inf or NaN.
    codes = perfect(5, 6) @ np.array([[1.0, 0.2], [0.5, 1.0]])
    alone, beside = full(codes, (5, 6)), full(np.insert(codes, [1], [constant] * 2, 1), (5, 6))
    for name in (TC, WASSERSTEIN, NORMALISED, ACTIVE_TC, ACTIVE_INFORMATION, ACTIVE):
        assert beside[name] == pytest.approx(alone[name], rel=1e-6), name
    # The mean of the study is over all pairs, of which there are now 12 instead of 2.
    assert beside[INFORMATION] == pytest.approx(alone[INFORMATION] / 6)


def test_latents_that_are_all_but_shut_count_unless_only_active_ones_do() -> None:
    # Two latents follow the first one faintly: their deviations are about .003.
    codes = perfect(5, 6)
    noise = 1e-3 * np.random.default_rng(0).standard_normal((30, 2))
    scores = full(np.hstack([codes, 0.01 * codes[:, :1] + noise]), (5, 6))
    assert scores[ACTIVE] == 2.0
    assert scores[TC] > 3
    assert scores[INFORMATION] > 0.1
    assert scores[ACTIVE_TC] == pytest.approx(0, abs=1e-3)
    assert scores[ACTIVE_INFORMATION] == pytest.approx(0, abs=3e-3)


def test_active_is_a_standard_deviation_of_five_hundredths() -> None:
    # A code of +a and -a equally often has standard deviation a.
    signs = 2 * perfect(2, 2, 2) - 1
    assert full(signs * [0.049, 0.051, 1.0], (2, 2, 2))[ACTIVE] == 2.0


def test_the_noise_of_the_encoder_hides_correlation() -> None:
    # Hence the study's finding: the same model has a lower total correlation when sampled.
    rng = np.random.default_rng(0)
    mean = perfect(5, 6, 7) @ rng.standard_normal((3, 4))
    sampled = np.stack([mean + rng.standard_normal(mean.shape) for _ in range(5)])
    assert full(sampled, (5, 6, 7))[TC] < full(mean, (5, 6, 7))[TC] / 10


def test_information_of_binned_codes_is_in_nats() -> None:
    codes = perfect(4, 5)[:, [0, 1, 0]]
    informations = mutual_informations(codes)
    own = np.array([[math.log(4), 0, math.log(4)], [0, math.log(5), 0], [math.log(4), 0, 0]])
    own[2, 2] = math.log(4)
    np.testing.assert_allclose(informations, own, atol=1e-12)
    assert mean_of_pairs(informations) == pytest.approx(2 * math.log(4) / 6)
