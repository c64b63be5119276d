from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from trainers import gaussian

DTYPES = [torch.float64, torch.float32]
MEANS = st.floats(-4, 4)
LOGVARS = st.floats(-4, 4)
Array = npt.NDArray[np.float64]


def tensors(*values: float, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    return tuple(torch.tensor(value, dtype=dtype) for value in values)


def density(z: Array, mean: float, variance: float) -> Array:
    return np.asarray(np.exp(-((z - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance))


def kl_by_integration(mean1: float, logvar1: float, mean2: float, logvar2: float) -> float:
    """The integral of q1 ln(q1 / q2), with ln(q1 / q2) written out, by the trapezoid rule."""
    v1, v2 = math.exp(logvar1), math.exp(logvar2)
    z = np.linspace(mean1 - 12 * math.sqrt(v1), mean1 + 12 * math.sqrt(v1), 4001)
    log_ratio = (
        0.5 * (logvar2 - logvar1) + (z - mean2) ** 2 / (2 * v2) - (z - mean1) ** 2 / (2 * v1)
    )
    return float(np.trapezoid(density(z, mean1, v1) * log_ratio, z))


# Worked by hand from the definitions.
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("mean", "variance", "nats"), [(1, 1, 0.5), (0, 4, 1.5 - math.log(2)), (0, 1, 0.0)]
)
def test_kl_from_standard_normal_has_the_known_values(
    dtype: torch.dtype, mean: float, variance: float, nats: float
) -> None:
    value = gaussian.kl_from_standard_normal(*tensors(mean, math.log(variance), dtype=dtype))
    assert value.dtype == dtype
    assert float(value) == pytest.approx(nats, rel=1e-6, abs=1e-12)


# disentanglement_lib's divergence (86a644d, weak_vae.py) is 1.0 and .636294: twice KL(q1 || q2).
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("mean2", "variance2", "forward", "reverse", "symmetric"),
    [(1, 1, 1.0 / 2, 0.5, 0.5), (0, 4, 0.636294 / 2, 0.806853, 0.5625)],
)
def test_divergences_from_the_standard_normal_have_the_known_values(
    dtype: torch.dtype,
    mean2: float,
    variance2: float,
    forward: float,
    reverse: float,
    symmetric: float,
) -> None:
    posteriors = tensors(0, 0, mean2, math.log(variance2), dtype=dtype)
    expected = {"forward": forward, "reverse": reverse, "symmetric": symmetric}
    for name, divergence in gaussian.DIVERGENCES.items():
        assert float(divergence(*posteriors)) == pytest.approx(expected[name], abs=1e-6)


@given(MEANS, LOGVARS, MEANS, LOGVARS)
def test_kl_is_its_integral(m1: float, l1: float, m2: float, l2: float) -> None:
    value = float(gaussian.kl(*tensors(m1, l1, m2, l2)))
    assert value == pytest.approx(kl_by_integration(m1, l1, m2, l2), rel=1e-8, abs=1e-8)


@given(MEANS, LOGVARS, MEANS, LOGVARS)
def test_the_divergences_agree_with_each_other(m1: float, l1: float, m2: float, l2: float) -> None:
    there, back = tensors(m1, l1, m2, l2), tensors(m2, l2, m1, l1)
    forward, reverse = float(gaussian.kl(*there)), float(gaussian.kl(*back))
    assert float(gaussian.reverse_kl(*there)) == reverse
    assert float(gaussian.symmetric_kl(*there)) == pytest.approx((forward + reverse) / 2)
    assert float(gaussian.symmetric_kl(*there)) == float(gaussian.symmetric_kl(*back))
    prior = tensors(m1, l1, 0, 0)
    assert float(gaussian.kl_from_standard_normal(*prior[:2])) == pytest.approx(
        float(gaussian.kl(*prior)), abs=1e-12
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("posteriors", "gvae", "ml_vae"),
    [((0, 1, 0, 4), (0, 2.5), (0, 1.6)), ((0, 1, 1, 4), (0.5, 2.5), (0.2, 1.6))],
)
def test_averages_have_the_known_values(
    dtype: torch.dtype,
    posteriors: tuple[float, float, float, float],
    gvae: tuple[float, float],
    ml_vae: tuple[float, float],
) -> None:
    m1, v1, m2, v2 = posteriors
    given_as = tensors(m1, math.log(v1), m2, math.log(v2), dtype=dtype)
    for name, expected in {"gvae": gvae, "ml_vae": ml_vae}.items():
        mean, logvar = gaussian.AVERAGES[name](*given_as)
        assert (float(mean), math.exp(float(logvar))) == pytest.approx(expected, abs=1e-6)


@given(MEANS, LOGVARS, MEANS, LOGVARS)
def test_averages_are_their_definitions(m1: float, l1: float, m2: float, l2: float) -> None:
    v1, v2 = math.exp(l1), math.exp(l2)
    mean, logvar = gaussian.gvae_average(*tensors(m1, l1, m2, l2))
    assert (float(mean), float(logvar.exp())) == pytest.approx(((m1 + m2) / 2, (v1 + v2) / 2))
    mean, logvar = gaussian.ml_vae_average(*tensors(m1, l1, m2, l2))
    variance = 2 * v1 * v2 / (v1 + v2)
    assert float(logvar.exp()) == pytest.approx(variance)
    assert float(mean) == pytest.approx(variance / 2 * (m1 / v1 + m2 / v2), abs=1e-12)


@given(MEANS, LOGVARS, MEANS, LOGVARS)
def test_averages_of_disent_are_their_definitions(
    m1: float, l1: float, m2: float, l2: float
) -> None:
    v1, v2 = math.exp(l1), math.exp(l2)
    mean, logvar = gaussian.gvae_std_average(*tensors(m1, l1, m2, l2))
    deviation = (math.sqrt(v1) + math.sqrt(v2)) / 2
    assert (float(mean), float(logvar.exp())) == pytest.approx(((m1 + m2) / 2, deviation**2))
    mean, logvar = gaussian.disent_0_5_average(*tensors(m1, l1, m2, l2))
    assert (float(mean), float(logvar.exp())) == pytest.approx((m2, (v1 + v2) / 2))


@given(MEANS, LOGVARS, st.sampled_from(sorted(gaussian.AVERAGES)))
def test_averaging_equal_posteriors_changes_nothing(mean: float, logvar: float, rule: str) -> None:
    averages = gaussian.AVERAGES[rule](*tensors(mean, logvar, mean, logvar))
    assert [float(value) for value in averages] == pytest.approx([mean, logvar], abs=1e-14)


def test_a_variance_beyond_float32_is_averaged_without_overflow() -> None:
    posteriors = tensors(0, 200, 2, 200, dtype=torch.float32)
    for name, average in gaussian.AVERAGES.items():
        mean = 2 if name == "disent_0_5" else 1
        assert [float(value) for value in average(*posteriors)] == pytest.approx([mean, 200])


@pytest.mark.parametrize(
    "function",
    [
        *gaussian.DIVERGENCES.values(),
        *gaussian.AVERAGES.values(),
        lambda m1, l1, m2, l2: gaussian.kl_from_standard_normal(m1, l1),
        lambda m1, l1, m2, l2: gaussian.sample(m1, l1, m2),
        lambda m1, l1, m2, l2: gaussian.log_density(m1, m2, l2),
    ],
)
def test_gradients_are_those_of_the_values(function: Callable[..., Tensor]) -> None:
    generator = torch.Generator().manual_seed(0)
    posteriors = [
        torch.randn(3, 4, dtype=torch.float64, generator=generator).requires_grad_()
        for _ in range(4)
    ]
    assert torch.autograd.gradcheck(function, posteriors)


def test_a_sample_is_the_mean_plus_noise_in_standard_deviations() -> None:
    assert float(gaussian.sample(*tensors(3, math.log(4), -1.5))) == pytest.approx(0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_log_density_is_that_of_every_latent_and_broadcasts(dtype: torch.dtype) -> None:
    z, mean = np.linspace(-3, 3, 7), np.array([[-1.0], [0.5]])
    variance = np.array([[0.25], [4.0]])
    given_as = [torch.tensor(value, dtype=dtype) for value in (z, mean, np.log(variance))]
    found = gaussian.log_density(*given_as).numpy()
    for row in range(2):
        expected = np.log(density(z, mean[row, 0], variance[row, 0]))
        np.testing.assert_allclose(found[row], expected, rtol=1e-5, atol=1e-6)
