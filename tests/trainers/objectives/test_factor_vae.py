from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from grids import parts
from trainers import make_dataset
from trainers.fit import Training
from trainers.objectives.factor_vae import Discriminator, discriminator, factor_vae, permutations

Array = npt.NDArray[np.float64]
DTYPES = [torch.float64, torch.float32]


def permuted(z_BZ: Tensor, seed: int, number: int) -> Tensor:
    [order_BZ] = permutations(seed, number, *z_BZ.shape)
    return z_BZ.gather(0, order_BZ)


class Constant(torch.nn.Module):
    """A discriminator that gives one pair of logits to everything."""

    def __init__(self, logits: tuple[float, float], dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits, dtype=dtype))

    def forward(self, z_BZ: Tensor) -> Tensor:
        return self.logits.expand(len(z_BZ), 2) + 0 * z_BZ[:, :2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("logits", [(0.0, 0.0), (3.0, 3.0)])
def test_equal_logits_are_no_total_correlation_and_cost_ln_2(
    trial_of: Any, make_batch: Any, logits: tuple[float, float], dtype: torch.dtype
) -> None:
    batch = make_batch(dtype=dtype)
    step = batch.step._replace(companion=Constant(logits, dtype))
    terms = factor_vae(batch.model, step, trial_of("factor_vae"))
    assert terms.own["total_correlation_nats"].item() == 0
    assert terms.companion_loss is not None
    assert terms.companion_loss.item() == pytest.approx(math.log(2), rel=1e-6)
    assert terms.loss.item() == pytest.approx(batch.error + batch.kl.sum(), rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("permutation", ["batch", "second_batch", "halves"])
def test_terms_are_their_definitions(
    trial_of: Any, make_batch: Any, permutation: str, dtype: torch.dtype
) -> None:
    framework = parts.FactorVAE(layers=2, width=5, gamma=7.0, permutation=permutation)  # type: ignore[arg-type]
    trial = trial_of("factor_vae", framework=framework)
    batch = make_batch(8, dtype=dtype)
    rows = 8 if permutation == "batch" else 4
    judge = discriminator(trial).to(dtype)
    [order] = permutations(trial.seed, 0, rows, batch.mean.shape[1])
    step = batch.step._replace(companion=judge, permutation_BZ=order)
    terms = factor_vae(batch.model, step, trial)
    layers = [parameter.detach().double().numpy() for parameter in judge.parameters()]

    def logits(codes: Array) -> Array:
        found = []
        for z in codes:
            for weight, bias in zip(layers[:-2:2], layers[1:-2:2], strict=True):
                z = weight @ z + bias
                z = np.where(z > 0, z, 0.2 * z)
            found.append(layers[-2] @ z + layers[-1])
        return np.array(found)

    def log_p(row: Array, truth: int) -> float:
        return float(row[truth] - np.log(np.exp(row).sum()))

    real = logits(batch.z[:rows])
    source = torch.tensor(batch.z if permutation == "batch" else batch.z[4:])
    false = logits(permuted(source, trial.seed, 0).numpy())
    expected = -0.5 * np.mean([log_p(row, 0) for row in real])
    expected -= 0.5 * np.mean([log_p(row, 1) for row in false])
    assert terms.companion_loss is not None
    assert terms.companion_loss.item() == pytest.approx(expected, rel=1e-5)
    assert terms.own["discriminator_loss"].item() == terms.companion_loss.item()
    right = (real[:, 0] >= real[:, 1]).sum() + (false[:, 1] > false[:, 0]).sum()
    assert terms.own["discriminator_accuracy"].item() == right / (2 * rows)
    total_correlation = (real[:, 0] - real[:, 1]).mean()
    found = terms.own["total_correlation_nats"].item()
    assert found == pytest.approx(total_correlation, rel=1e-4, abs=1e-6)
    weight, bias = (p.detach().double().numpy() for p in batch.model.decoder.parameters())
    error = ((batch.z @ weight.T + bias - batch.images) ** 2).sum(axis=1)[:rows].mean()
    kl = 0.5 * (batch.mean**2 + batch.variance - np.log(batch.variance) - 1)[:rows].mean(axis=0)
    assert terms.reconstruction_per_image.item() == pytest.approx(error, rel=1e-5)
    assert terms.kl_nats_by_latent is not None
    np.testing.assert_allclose(terms.kl_nats_by_latent.detach().numpy(), kl, rtol=1e-4)
    loss = error + kl.sum() + 7 * total_correlation
    assert terms.loss.item() == pytest.approx(loss, rel=1e-5)


def test_every_latent_is_shuffled_on_its_own() -> None:
    z = torch.arange(64 * 3, dtype=torch.float64).view(64, 3)
    shuffled = permuted(z, 5, 9)
    assert torch.equal(shuffled.sort(dim=0).values, z)
    rows = (shuffled // 3).to(torch.int64)
    assert (rows != rows[:, :1]).any() and not torch.equal(rows[:, 1], rows[:, 2])
    assert torch.equal(permuted(z, 5, 9), shuffled)
    assert not torch.equal(permuted(z, 5, 10), shuffled)
    assert not torch.equal(permuted(z, 6, 9), shuffled)


def test_orders_are_equally_likely_and_latents_independent() -> None:
    """Of 3 rows and 2 latents there are 6 x 6 pairs of orders; 3600 steps see each 100 times."""
    z = torch.tensor([[0, 0], [1, 1], [2, 2]])
    seen: Counter[tuple[int, ...]] = Counter()
    for number in range(3600):
        seen[tuple(permuted(z, 3, number).flatten().tolist())] += 1
    assert len(seen) == 36
    chi_squared = sum((count - 100) ** 2 / 100 for count in seen.values())
    assert chi_squared < 66.6  # 35 degrees of freedom: one draw in a thousand is above


@pytest.mark.parametrize("permutation", ["batch", "second_batch", "halves"])
def test_the_loss_is_of_the_rows_that_the_permutation_leaves_to_it(
    trial_of: Any, make_batch: Any, permutation: str
) -> None:
    trial = trial_of("factor_vae", framework=parts.FactorVAE(permutation=permutation, width=5))  # type: ignore[arg-type]
    batch = make_batch(8)
    seen: list[Tensor] = []

    class Watched(Constant):
        def forward(self, z_BZ: Tensor) -> Tensor:
            seen.append(z_BZ.detach())
            return super().forward(z_BZ)

    rows = 8 if permutation == "batch" else 4
    [order] = permutations(trial.seed, 0, rows, batch.mean.shape[1])
    step = batch.step._replace(companion=Watched((0.0, 0.0)), permutation_BZ=order)
    terms = factor_vae(batch.model, step, trial)
    z = torch.tensor(batch.z)
    torch.testing.assert_close(seen[0], z[:rows])
    torch.testing.assert_close(seen[1][:rows], z[:rows])
    source = z if permutation == "batch" else z[4:]
    torch.testing.assert_close(seen[1][rows:].sort(dim=0).values, source.sort(dim=0).values)
    weight, bias = (p.detach().numpy() for p in batch.model.decoder.parameters())
    error = ((batch.z @ weight.T + bias - batch.images) ** 2).sum(axis=1)[:rows].mean()
    assert terms.reconstruction_per_image.item() == pytest.approx(error, rel=1e-9)


def test_no_gradient_of_the_discriminator_reaches_the_encoder(
    trial_of: Any, make_batch: Any
) -> None:
    trial = trial_of("factor_vae")
    batch = make_batch()
    judge = discriminator(trial).double()
    terms = factor_vae(batch.model, batch.step._replace(companion=judge), trial)
    assert terms.companion_loss is not None
    of_model = torch.autograd.grad(
        terms.companion_loss, list(batch.model.parameters()), allow_unused=True, retain_graph=True
    )
    assert all(gradient is None for gradient in of_model)
    of_judge = torch.autograd.grad(terms.companion_loss, list(judge.parameters()))
    assert all(gradient.abs().sum() > 0 for gradient in of_judge)


def test_the_model_and_the_discriminator_descend_their_own_losses(trial_of: Any) -> None:
    """A step by hand, with plain Adam: each player from its own gradient, both taken before."""
    framework = parts.FactorVAE(layers=2, width=8, gamma=5.0)
    trial = trial_of("factor_vae", framework=framework, model=parts.LinearModel())
    dataset = make_dataset(trial.dataset)
    ours, plain = (Training(trial, dataset, "cpu") for _ in range(2))
    assert plain.companion is not None and ours.companion is not None
    plain._batches.reach(0)
    step = plain._batch()
    terms = factor_vae(plain.model, step, trial)
    assert terms.companion_loss is not None
    model, judge = list(plain.model.parameters()), list(plain.companion.parameters())
    of_model = torch.autograd.grad(terms.loss, model, retain_graph=True)
    of_judge = torch.autograd.grad(terms.companion_loss, judge)
    ours.advance(1)
    for parameters, gradients, after, lr in (
        (model, of_model, ours.model.parameters(), 1e-3),
        (judge, of_judge, ours.companion.parameters(), 1e-4),
    ):
        for before, gradient, moved in zip(parameters, gradients, after, strict=True):
            # Adam's first step is lr g / (|g| + eps), whatever its betas.
            expected = before - lr * gradient / (gradient.abs() + 1e-8)
            torch.testing.assert_close(moved, expected, rtol=1e-4, atol=1e-6)


def test_neither_player_moves_on_the_loss_of_the_other(trial_of: Any) -> None:
    """From one start, the first step of each is the same whatever the weight of the other's."""
    trained = []
    for gamma, lr in ((0.0, 1e-4), (1000.0, 1e-4), (1000.0, 1e-2)):
        framework = parts.FactorVAE(layers=2, width=8, gamma=gamma, discriminator_lr=lr)
        trial = trial_of("factor_vae", framework=framework, model=parts.LinearModel())
        training = Training(trial, make_dataset(trial.dataset), "cpu")
        training.advance(1)
        assert training.companion is not None
        trained.append([list(m.parameters()) for m in (training.model, training.companion)])
    (model_0, judge_0), (model_1, judge_1), (model_2, judge_2) = trained
    assert equal(judge_0, judge_1) and not equal(model_0, model_1)
    assert equal(model_1, model_2) and not equal(judge_1, judge_2)


def equal(ones: Any, others: Any) -> bool:
    return all(torch.equal(one, other) for one, other in zip(ones, others, strict=True))


@pytest.mark.parametrize("correlated", [True, False])
def test_the_discriminator_beats_chance_on_correlated_codes_only(correlated: bool) -> None:
    torch.manual_seed(0)
    judge = Discriminator(2, layers=2, width=32)
    optimizer = torch.optim.Adam(judge.parameters(), lr=1e-3)
    accuracies = []
    for number in range(400):
        z = torch.randn(128, 2)
        if correlated:
            z[:, 1] = z[:, 0] + 0.1 * z[:, 1]
        logits = judge(torch.cat([z, permuted(z, 0, number)]))
        truth = torch.arange(256) // 128
        loss = torch.nn.functional.cross_entropy(logits, truth)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        accuracies.append(float((logits.argmax(dim=1) == truth).float().mean()))
    late = float(np.mean(accuracies[-100:]))
    assert late > 0.8 if correlated else abs(late - 0.5) < 0.06


def test_the_discriminator_is_that_of_the_paper() -> None:
    """Kim and Mnih 2018, appendix A: six hidden layers of 1,000 units, two logits."""
    judge = Discriminator(10, parts.FactorVAE().layers, parts.FactorVAE().width)
    expected = (10 * 1000 + 1000) + 5 * (1000 * 1000 + 1000) + (1000 * 2 + 2)
    assert sum(p.numel() for p in judge.parameters()) == expected


def test_its_adam_has_the_trials_parameters(trial_of: Any) -> None:
    framework = parts.FactorVAE(
        width=4, discriminator_lr=3e-4, discriminator_beta1=0.3, discriminator_beta2=0.7
    )
    trial = trial_of("factor_vae", framework=framework, model=parts.LinearModel())
    optimizer = Training(trial, make_dataset(trial.dataset), "cpu").companion_optimizer
    assert optimizer is not None
    [group] = optimizer.param_groups
    assert (group["lr"], group["betas"]) == (3e-4, (0.3, 0.7))


@pytest.mark.parametrize(
    ("permutation", "drawn"), [("batch", 8), ("halves", 8), ("second_batch", 16)]
)
def test_a_second_batch_is_drawn_beside_the_first(
    trial_of: Any, permutation: str, drawn: int
) -> None:
    framework = parts.FactorVAE(width=4, permutation=permutation)  # type: ignore[arg-type]
    trial = trial_of("factor_vae", framework=framework, model=parts.LinearModel(), batch_size=8)
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    training._batches.reach(0)
    assert len(training._batch().images_BCHW) == drawn
