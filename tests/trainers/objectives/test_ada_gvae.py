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
from trainers.models import conv64
from trainers.objectives.ada_gvae import ada_gvae, averaged, shared

MakeTrial = Callable[..., Trial]
Array = npt.NDArray[np.float64]
FRAMEWORKS = [
    parts.AdaGVAE(averaging=averaging, divergence=divergence, threshold_ratio=ratio)
    for averaging in ("gvae", "ml_vae")
    for divergence in ("symmetric", "forward", "reverse")
    for ratio in (0.5, 0.2)
]


def posteriors(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Mean and log variance of three pairs, the first three rows and their partners, 5 latents."""
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(2, 6, 5, generator=generator, dtype=torch.float64)
    return drawn[0].to(dtype), drawn[1].to(dtype)


def by_definition(
    mean: Array, logvar: Array, framework: parts.AdaGVAE
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Pair by pair and latent by latent: the averaged means and variances, and what is shared."""
    pairs, latents = len(mean) // 2, mean.shape[1]
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
        }[framework.divergence]
        threshold = delta.min() + framework.threshold_ratio * (delta.max() - delta.min())
        for d in range(latents):
            if delta[d] < threshold:
                is_shared[p, d] = True
                if framework.averaging == "gvae":
                    variance, average = (v1[d] + v2[d]) / 2, (m1[d] + m2[d]) / 2
                else:
                    variance = 2 * v1[d] * v2[d] / (v1[d] + v2[d])
                    average = variance / 2 * (m1[d] / v1[d] + m2[d] / v2[d])
                means[[p, p + pairs], d] = average
                variances[[p, p + pairs], d] = variance
    return means, variances, is_shared


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_averaged_posteriors_are_their_definition(
    framework: parts.AdaGVAE, dtype: torch.dtype
) -> None:
    mean, logvar, is_shared = averaged(*posteriors(dtype), framework)
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


def test_the_forward_divergence_shares_what_disentanglement_lib_shares() -> None:
    """Its delta is twice KL(q1 || q2), and it cuts at the middle of a histogram of two bins."""
    mean, logvar = posteriors()
    delta_lib = (
        (logvar[:3].exp() + (mean[3:] - mean[:3]) ** 2) / logvar[3:].exp()
        - 1
        + logvar[3:]
        - logvar[:3]
    )
    for row in range(3):
        edges = np.histogram_bin_edges(delta_lib[row].numpy(), bins=2)
        _, _, is_shared = averaged(mean, logvar, parts.AdaGVAE(divergence="forward"))
        assert np.array_equal(is_shared[row].numpy(), delta_lib[row].numpy() < edges[1])


def test_equal_posteriors_stay_as_they_are() -> None:
    mean, logvar = (values[:3].repeat(2, 1) for values in posteriors())
    new_mean, new_logvar, is_shared = averaged(mean, logvar, parts.AdaGVAE())
    assert not is_shared.any()
    assert torch.equal(new_mean, mean)
    assert torch.equal(new_logvar, logvar)


@pytest.mark.parametrize("averaging", ["gvae", "ml_vae"])
def test_gradients_are_those_of_the_averaged_posteriors(averaging: str) -> None:
    framework = parts.AdaGVAE(averaging=averaging)  # type: ignore[arg-type]

    def function(mean: Tensor, logvar: Tensor) -> tuple[Tensor, Tensor]:
        return averaged(mean, logvar, framework)[:2]

    variables = [values.requires_grad_() for values in posteriors()]
    assert torch.autograd.gradcheck(function, variables)


@pytest.mark.parametrize("convention", ["mean", "sum"])
def test_terms_are_those_of_the_two_images_halved(small_trial: MakeTrial, convention: str) -> None:
    trial = small_trial(framework=parts.AdaGVAE(), beta=0.3, beta_convention=convention, latents=5)
    model = conv64((3, 64, 64), 5).double()
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(6, 3, 64, 64, generator=generator, dtype=torch.float64)
    noise = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        model.encoder[-1].weight.mul_(30)  # type: ignore[index]  # so that some latents are kept
        encoded = [values.numpy() for values in model.encode(images)]
        mean, variance, is_shared = by_definition(encoded[0], encoded[1], parts.AdaGVAE())
        output = model.decode(torch.tensor(mean + np.sqrt(variance) * noise.numpy())).numpy()
        terms = ada_gvae(model, images, noise, trial)
    error = ((output - images.numpy()) ** 2).reshape(6, -1).sum(axis=1)
    kl = (0.5 * (mean**2 + variance - np.log(variance) - 1)).sum(axis=1)
    reconstruction, kl_term = (0.5 * (x[:3] + x[3:]).mean() for x in (error, kl))
    elements = 3 * 64 * 64
    expected = (
        reconstruction / elements + 0.3 * kl_term / 5
        if convention == "mean"
        else reconstruction + 0.3 * kl_term
    )
    assert float(terms.loss) == pytest.approx(expected, rel=1e-10)
    assert float(terms.reconstruction_per_image) == pytest.approx(reconstruction, rel=1e-10)
    assert float(terms.kl_nats_by_latent.sum()) == pytest.approx(kl_term, rel=1e-10)
    assert math.isclose(float(terms.framework["shared_latents"]), is_shared.sum() / 3, rel_tol=1e-6)
