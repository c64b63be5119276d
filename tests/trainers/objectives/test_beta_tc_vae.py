from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from grids import parts
from trainers import gaussian
from trainers.objectives.beta_tc_vae import beta_tc_vae, stratified, total_correlation, weighted
from trainers.objectives.beta_vae import beta_vae
from trainers.objectives.vae import vae

Array = npt.NDArray[np.float64]
DTYPES = [torch.float64, torch.float32]


def log_density(z: float, mean: float, variance: float) -> float:
    return -0.5 * ((z - mean) ** 2 / variance + math.log(2 * math.pi * variance))


def by_definition(batch: Any, weights: Any) -> float:
    """Sample by sample, with sums of densities written out."""
    rows, total = len(batch.z), 0.0
    for j in range(rows):
        joint, single = densities(batch.z[j], batch.mean, batch.variance, weights[j])
        total += math.log(joint) - sum(math.log(value) for value in single)
    return total / rows


def densities(z: Array, mean: Array, variance: Array, weights: Any) -> tuple[float, list[float]]:
    """sum_i w_i q(z | x_i) of a sample z, of all latents at once and of each."""
    joint, single = 0.0, [0.0] * len(z)
    for i in range(len(mean)):
        logs = [log_density(z[d], mean[i, d], variance[i, d]) for d in range(len(z))]
        joint += weights[i] * math.exp(sum(logs))
        for d, value in enumerate(logs):
            single[d] += weights[i] * math.exp(value)
    return joint, single


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_terms_are_their_definitions(
    trial_of: Any, make_batch: Any, estimator: str, dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype)
    trial = trial_of("beta_tc_vae", framework=parts.BetaTCVAE(estimator=estimator))  # type: ignore[arg-type]
    weights = np.full((6, 6), 1 / (6 * 64))  # 64 images in the dataset
    if estimator == "stratified":
        weights = np.full((6, 6), 1 / 5)
        for j in range(6):
            weights[j, j], weights[j, (j + 1) % 6] = 1 / 64, (64 - 5) / (64 * 5)
    expected = by_definition(batch, weights)
    terms = beta_tc_vae(batch.model, batch.step._replace(beta=4.0), trial)
    assert terms.own["total_correlation_nats"].item() == pytest.approx(expected, rel=1e-4)
    loss = batch.error + batch.kl.sum() + 3 * expected
    assert terms.loss.item() == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("estimator", ["weighted", "stratified"])
def test_at_beta_1_it_is_the_vae(
    trial_of: Any, make_batch: Any, estimator: str, dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype)
    trial = trial_of("beta_tc_vae", beta=1.0, framework=parts.BetaTCVAE(estimator=estimator))  # type: ignore[arg-type]
    same = trial_of("beta_vae", beta=1.0, beta_convention="sum")
    losses = [
        objective(batch.model, batch.step, of).loss
        for objective, of in ((beta_tc_vae, trial), (beta_vae, same), (vae, trial_of("vae")))
    ]
    gradients = [torch.autograd.grad(loss, list(batch.model.parameters())) for loss in losses]
    for loss, gradient in zip(losses[1:], gradients[1:], strict=True):
        assert torch.equal(loss, losses[0])
        for one, other in zip(gradient, gradients[0], strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("estimator", [weighted, stratified])
def test_of_one_latent_there_is_no_total_correlation(estimator: Any, dtype: torch.dtype) -> None:
    z, mean, logvar = torch.randn(3, 7, 1, dtype=dtype)
    total = total_correlation(z, mean, logvar, estimator(7, 100, z))
    assert float(total) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_weighted_is_disentanglement_libs_and_a_constant(dtype: torch.dtype) -> None:
    """Which leaves the weights out: it is (Z - 1) ln(B N) less, of the same gradients."""
    z, mean, logvar = posteriors(7, 4)
    theirs = 0.0
    for j in range(7):
        variance = np.exp(logvar.numpy())
        joint, single = densities(z[j].numpy(), mean.numpy(), variance, [1.0] * 7)
        theirs += (math.log(joint) - sum(math.log(value) for value in single)) / 7
    log_weights = weighted(7, 100, z.to(dtype))
    ours = total_correlation(z.to(dtype), mean.to(dtype), logvar.to(dtype), log_weights)
    assert ours.item() == pytest.approx(theirs + 3 * math.log(7 * 100), rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stratified_weights_stand_on_the_diagonal_and_rows_add_up_to_one(
    dtype: torch.dtype,
) -> None:
    weights = stratified(4, 10, torch.zeros(1, dtype=dtype)).exp().numpy()
    np.testing.assert_allclose(np.diag(weights), 0.1, rtol=1e-6)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    for row in weights:
        np.testing.assert_allclose(sorted(row), [0.1, 0.233333, 1 / 3, 1 / 3], rtol=1e-5)


def test_weights_in_the_first_columns_are_another_number() -> None:
    """Where the code of the authors of the paper has them, whichever the sample."""
    z, mean, logvar = posteriors(4, 3)
    legacy = torch.full((4, 4), 1 / 3, dtype=torch.float64)
    legacy[:, 0], legacy[:, 1] = 0.1, 7 / 30
    ours = total_correlation(z, mean, logvar, stratified(4, 10, z))
    theirs = total_correlation(z, mean, logvar, legacy.log())
    assert abs(ours.item() - theirs.item()) > 0.01


@pytest.mark.parametrize("batch_size", [2, 3, 5])
def test_stratified_densities_are_those_of_the_dataset_in_expectation(batch_size: int) -> None:
    """Over every batch of a dataset of 5 that begins with one image: q^(z) has the mean q(z). A
    single batch need not, even of the whole dataset."""
    _, mean, logvar = posteriors(5, 2)
    z, images = mean[:1] + 0.3, 5
    log_weights = stratified(batch_size, images, z)[0]
    found = []
    for others in itertools.permutations(range(1, 5), batch_size - 1):
        rows = [0, *others]
        density = gaussian.log_density(z, mean[rows], logvar[rows]).sum(dim=1)
        found.append(torch.logsumexp(density + log_weights, dim=0).exp().item())
    expected, _ = densities(z[0].numpy(), mean.numpy(), np.exp(logvar.numpy()), [1 / 5] * 5)
    assert np.mean(found) == pytest.approx(expected, rel=1e-12)
    assert np.ptp(found) > 1e-3 * expected


def test_weighted_of_a_whole_dataset_is_exact_but_for_ln_n(make_batch: Any) -> None:
    """w = 1 / N^2 for 1 / N: ln q^(z) is ln q(z) - ln N, and TC (Z - 1) ln N more."""
    batch = make_batch()
    exact = by_definition(batch, np.full((6, 6), 1 / 6))
    z, mean, logvar = (torch.tensor(v) for v in (batch.z, batch.mean, np.log(batch.variance)))
    ours = total_correlation(z, mean, logvar, weighted(6, 6, z))
    assert ours.item() == pytest.approx(exact + 2 * math.log(6), rel=1e-10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_grid_of_codes_has_no_total_correlation_and_a_line_of_them_ln_n(
    dtype: torch.dtype,
) -> None:
    """With w = 1 / N; the codes of the line are so far apart that each is known from any latent."""
    grid = torch.cartesian_prod(torch.arange(3), torch.arange(2)).to(dtype)
    line = 100 * torch.arange(6).to(dtype)[:, None].expand(6, 2)
    for mean, expected in ((grid, 0.0), (line, math.log(6))):
        log_weights = torch.full((6, 6), -math.log(6), dtype=dtype)
        z = mean + torch.tensor([0.4, -0.3], dtype=dtype)
        found = total_correlation(z, mean, torch.zeros_like(mean), log_weights)
        assert found.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("estimator", [weighted, stratified])
def test_gradients_are_those_of_the_total_correlation(estimator: Any) -> None:
    given_as = [values.requires_grad_() for values in posteriors(4, 3)]

    def total(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
        return total_correlation(z, mean, logvar, estimator(4, 10, z))

    assert torch.autograd.gradcheck(total, given_as)


def test_one_image_and_fewer_images_than_the_batch_give_finite_gradients() -> None:
    for rows, images in ((1, 10), (4, 2), (4, 3), (2, 2)):
        z, mean, logvar = (values.requires_grad_() for values in posteriors(rows, 3))
        total = total_correlation(z, mean, logvar, stratified(rows, images, z))
        for gradient in torch.autograd.grad(total, (z, mean, logvar)):
            assert gradient.isfinite().all()


def posteriors(rows: int, latents: int) -> tuple[Tensor, Tensor, Tensor]:
    """Samples, means and log variances."""
    generator = torch.Generator().manual_seed(4)
    drawn = torch.randn(3, rows, latents, generator=generator, dtype=torch.float64)
    return drawn[0], drawn[1], drawn[2]
