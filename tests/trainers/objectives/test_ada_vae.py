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

from grids import parts
from grids.trial import Trial
from trainers.models import MODELS
from trainers.objectives.ada_vae import ada_vae, averaged, shared
from trainers.objectives.step import Step

MakeTrial = Callable[..., Trial]
Array = npt.NDArray[np.float64]
Pairs = parts.AdaGVAE | parts.AdaMLVAE
DIVERGENCES = ("symmetric", "forward", "reverse", "distance", "sampled_distance")
FRAMEWORKS: list[Pairs] = [
    *(
        parts.AdaGVAE(averaging=averaging, divergence=divergence, threshold_ratio=ratio)  # type: ignore[arg-type]
        for averaging in ("gvae", "gvae_std", "disent_0_5")
        for divergence in DIVERGENCES
        for ratio in (0.5, 0.2)
    ),
    *(parts.AdaMLVAE(divergence=divergence) for divergence in DIVERGENCES),  # type: ignore[arg-type]
]
NOISE = torch.randn(6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def posteriors(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Mean and log variance of three pairs, the first three rows and their partners, 5 latents."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    return drawn[0].to(dtype), drawn[1].to(dtype)


def by_definition(
    mean: Array, logvar: Array, framework: Pairs
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Pair by pair and latent by latent: the averaged means and variances, and what is shared."""
    pairs, latents, noise = len(mean) // 2, mean.shape[1], NOISE.numpy()
    means, variances = mean.copy(), np.exp(logvar)
    is_shared = np.zeros((pairs, latents), dtype=bool)
    for p in range(pairs):
        m1, m2 = mean[p], mean[p + pairs]
        v1, v2 = np.exp(logvar[p]), np.exp(logvar[p + pairs])
        forward = 0.5 * (v1 / v2 + (m2 - m1) ** 2 / v2 - 1 + np.log(v2) - np.log(v1))
        reverse = 0.5 * (v2 / v1 + (m1 - m2) ** 2 / v1 - 1 + np.log(v1) - np.log(v2))
        delta = {
            "forward": forward,
            "reverse": reverse,
            "symmetric": 0.25 * (v1 / v2 + v2 / v1 - 2 + (m1 - m2) ** 2 * (1 / v1 + 1 / v2)),
            "distance": np.abs(m1 - m2),
            "sampled_distance": np.abs(
                m1 + np.sqrt(v1) * noise[p] - m2 - np.sqrt(v2) * noise[p + pairs]
            ),
        }[framework.divergence]
        threshold = delta.min() + framework.threshold_ratio * (delta.max() - delta.min())
        for d in range(latents):
            if delta[d] < threshold:
                is_shared[p, d] = True
                variance, average = (v1[d] + v2[d]) / 2, (m1[d] + m2[d]) / 2
                if isinstance(framework, parts.AdaMLVAE):
                    variance = 2 * v1[d] * v2[d] / (v1[d] + v2[d])
                    average = variance / 2 * (m1[d] / v1[d] + m2[d] / v2[d])
                elif framework.averaging == "gvae_std":
                    variance = ((v1[d] ** 0.5 + v2[d] ** 0.5) / 2) ** 2
                elif framework.averaging == "disent_0_5":
                    average = m2[d]
                means[[p, p + pairs], d] = average
                variances[[p, p + pairs], d] = variance
    return means, variances, is_shared


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_averaged_posteriors_are_their_definition(framework: Pairs, dtype: torch.dtype) -> None:
    mean, logvar, is_shared = averaged(*posteriors(dtype), NOISE.to(dtype), framework)
    wide_mean, wide_logvar = posteriors()
    expected = by_definition(wide_mean.numpy(), wide_logvar.numpy(), framework)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(mean.numpy(), expected[0], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(logvar.exp().numpy(), expected[1], rtol=tolerance)
    assert np.array_equal(is_shared.numpy(), expected[2])
    assert 0 < is_shared.sum() < is_shared.numel()


def test_the_threshold_is_strictly_above_what_is_shared() -> None:
    delta = torch.tensor([[0.0, 1.0, 2.0, 1.0 - 1e-9], [0.5, 0.5, 0.5, 0.5]], dtype=torch.float64)
    assert shared(delta, 0.5).tolist() == [[True, False, False, True], [False] * 4]


@given(
    st.lists(st.floats(0, 100), min_size=2, max_size=12).filter(lambda d: max(d) - min(d) > 1e-3)
)
def test_the_smallest_divergence_is_shared_and_the_largest_kept(delta: list[float]) -> None:
    chosen = shared(torch.tensor([delta], dtype=torch.float64), 0.5)[0]
    assert chosen[int(np.argmin(delta))]
    assert not chosen[int(np.argmax(delta))]


@pytest.mark.parametrize("name", ["ada_gvae", "ada_ml_vae"])
def test_the_forward_divergence_shares_what_disentanglement_lib_shares(name: str) -> None:
    """Its delta is twice KL(q1 || q2); kept are latents in the upper of two bins, with a bin as
    tf.histogram_fixed_width_bins has it."""
    rng, pairs, latents = np.random.default_rng(0), 400, 7
    mean, logvar = rng.standard_normal((2, 2 * pairs, latents)) * [[[1.5]], [[0.7]]]
    framework = parts.FRAMEWORKS[name](divergence="forward")  # type: ignore[call-arg]
    assert isinstance(framework, parts.AdaGVAE | parts.AdaMLVAE)
    _, _, is_shared = averaged(
        torch.tensor(mean), torch.tensor(logvar), torch.zeros(2 * pairs, latents), framework
    )
    for p in range(pairs):
        delta = []
        for d in range(latents):
            v1, v2 = np.exp(logvar[p, d]), np.exp(logvar[p + pairs, d])
            apart = (mean[p + pairs, d] - mean[p, d]) ** 2
            delta.append(v1 / v2 + apart / v2 - 1 + np.log(v2) - np.log(v1))
        for d in range(latents):
            bin_of = int(2 * (delta[d] - min(delta)) / (max(delta) - min(delta)))
            assert bool(is_shared[p, d]) == (min(bin_of, 1) == 0)


@pytest.mark.parametrize("divergence", ["distance", "sampled_distance"])
def test_distances_are_of_means_or_of_the_samples_of_the_step(divergence: str) -> None:
    """Means 0 1 9 apart, at once; noise that brings the last together and the first apart."""
    mean = torch.tensor([[0.0, 0, 0], [0, 1, 9]])
    noise = torch.tensor([[8.0, 0, 0], [0, 0, -9]])
    framework = parts.AdaGVAE(divergence=divergence)  # type: ignore[arg-type]
    _, _, is_shared = averaged(mean, torch.zeros(2, 3), noise, framework)
    expected = {"distance": [[True, True, False]], "sampled_distance": [[False, True, True]]}
    assert is_shared.tolist() == expected[divergence]


def test_what_is_kept_stays_bit_for_bit() -> None:
    mean, logvar = posteriors()
    for framework in FRAMEWORKS:
        new_mean, new_logvar, is_shared = averaged(mean, logvar, NOISE, framework)
        kept = ~is_shared.repeat(2, 1)
        assert torch.equal(new_mean[kept], mean[kept])
        assert torch.equal(new_logvar[kept], logvar[kept])


def test_equal_posteriors_stay_as_they_are() -> None:
    mean, logvar = (values[:3].repeat(2, 1) for values in posteriors())
    new_mean, new_logvar, is_shared = averaged(mean, logvar, NOISE, parts.AdaGVAE())
    assert not is_shared.any()
    assert torch.equal(new_mean, mean)
    assert torch.equal(new_logvar, logvar)


@pytest.mark.parametrize(
    "framework",
    [
        parts.AdaGVAE(),
        parts.AdaGVAE(averaging="gvae_std"),
        parts.AdaGVAE(averaging="disent_0_5", divergence="sampled_distance"),
        parts.AdaMLVAE(),
    ],
)
def test_gradients_are_those_of_the_averaged_posteriors(framework: Pairs) -> None:
    def function(mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        return averaged(mean, logvar, NOISE, framework)[:2]

    variables = [values.requires_grad_() for values in posteriors()]
    assert torch.autograd.gradcheck(function, variables)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("framework", [parts.AdaGVAE(), parts.AdaMLVAE()])
@pytest.mark.parametrize("convention", ["mean", "sum"])
def test_terms_are_those_of_the_two_images_halved(
    small_trial: MakeTrial, convention: str, framework: Pairs, dtype: torch.dtype
) -> None:
    trial = small_trial(framework=framework, beta=0.1, beta_convention=convention, latents=5)
    generator = torch.Generator().manual_seed(0)
    model = MODELS["linear"].make((1, 4, 4), 5, 10).double()
    with torch.no_grad():
        for parameter in model.parameters():
            drawn = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(0.5 * drawn)
    images = torch.rand(6, 1, 4, 4, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        encoded = [values.numpy() for values in model.encode(images)]
        mean, variance, is_shared = by_definition(encoded[0], encoded[1], framework)
        output = model.decode(torch.tensor(mean + np.sqrt(variance) * NOISE.numpy())).numpy()
        step = Step(images.to(dtype), NOISE.to(dtype), torch.tensor(0), 0.3)
        terms = ada_vae(model.to(dtype), step, trial)
    assert is_shared.any()
    error = ((output - images.numpy()) ** 2).reshape(6, -1).sum(axis=1)
    kl = (0.5 * (mean**2 + variance - np.log(variance) - 1)).sum(axis=1)
    reconstruction, kl_term = (0.5 * (x[:3] + x[3:]).mean() for x in (error, kl))
    expected = (
        reconstruction / 16 + 0.3 * kl_term / 5
        if convention == "mean"
        else reconstruction + 0.3 * kl_term
    )
    tolerance = 1e-10 if dtype == torch.float64 else 1e-5
    assert terms.loss.item() == pytest.approx(expected, rel=tolerance)
    assert terms.reconstruction_per_image.item() == pytest.approx(reconstruction, rel=tolerance)
    assert terms.kl_nats_by_latent is not None
    assert terms.kl_nats_by_latent.sum().item() == pytest.approx(kl_term, rel=tolerance)
    assert math.isclose(terms.own["shared_latents"].item(), is_shared.sum() / 3, rel_tol=1e-6)
