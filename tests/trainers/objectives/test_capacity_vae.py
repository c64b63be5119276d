from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from grids import parts
from trainers import make_dataset
from trainers.fit import Training
from trainers.objectives.capacity_vae import (
    Capacities,
    at_start,
    capacity_vae,
    settled,
    spread,
)

Array = npt.NDArray[np.float64]
SETTLE = parts.CapacityVAE(
    variant="settle",
    anneal_steps=100,
    window_steps=4,
    rise_nats=0.5,
    settled_ratio=0.3,
    weight_growth=2.0,
    weight_limit=5.0,
)


@pytest.mark.parametrize(("number", "grown"), [(0, 0), (50, 0.5), (100, 1), (200, 1)])
def test_spread_capacities_stand_in_equal_steps_and_grow(number: int, grown: float) -> None:
    framework = parts.CapacityVAE(capacity_nats=6.0, smallest_capacity_nats=2.0, anneal_steps=100)
    found = spread(torch.tensor(number), 5, framework).numpy()
    np.testing.assert_allclose(found, grown * np.array([6, 5, 4, 3, 2]))


def test_of_one_latent_the_capacity_is_the_largest() -> None:
    framework = parts.CapacityVAE(capacity_nats=6.0, anneal_steps=100)
    assert spread(torch.tensor(50), 1, framework).tolist() == [3.0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_loss_holds_each_kl_at_its_own_capacity(
    trial_of: Any, make_batch: Any, dtype: torch.dtype
) -> None:
    framework = parts.CapacityVAE(capacity_nats=4.0, anneal_steps=10, gamma=9.0)
    trial = trial_of("capacity_vae", framework=framework)
    batch = make_batch(number=5, dtype=dtype)
    terms = capacity_vae(batch.model, batch.step._replace(companion=Capacities(3)), trial)
    expected = batch.error + 9 * np.abs(batch.kl - np.array([2.0, 1.0, 0.0])).sum()
    assert terms.loss.dtype == dtype
    assert terms.loss.item() == pytest.approx(expected, rel=1e-5)
    assert terms.own["capacity_nats"].item() == pytest.approx(3.0)


def by_hand(history: Any, framework: parts.CapacityVAE) -> tuple[list[float], list[float]]:
    """Capacity (infinite: not frozen) and weight of one latent after its history of KL."""
    capacity, weight, before = math.inf, 1.0, math.inf
    growth = framework.capacity_nats / framework.anneal_steps * framework.window_steps
    capacities, weights = [], []
    for step, _ in enumerate(history):
        if (step + 1) % framework.window_steps == 0:
            mean = float(np.mean(history[step + 1 - framework.window_steps : step + 1]))
            if capacity < math.inf:
                weight = min(weight * framework.weight_growth, framework.weight_limit)
            elif (
                mean > framework.rise_nats and abs(mean - before) < framework.settled_ratio * growth
            ):
                capacity = mean
            before = mean
        capacities.append(capacity)
        weights.append(weight)
    return capacities, weights


def machine(history: Any, framework: parts.CapacityVAE) -> tuple[Array, Array]:
    """Capacities and weights after every step of a history, [steps, Z]."""
    latents, capacities, weights = at_start(history.shape[1]), [], []
    for step in range(len(history)):
        latents = settled(latents, torch.tensor(history[step]), torch.tensor(step), framework)
        capacities.append(latents.capacity.numpy())
        weights.append(latents.weight.numpy())
    return np.array(capacities), np.array(weights)


def test_a_latent_that_rose_and_settled_is_frozen_and_its_weight_grows() -> None:
    steps = 40
    rising = np.exp(np.arange(steps) / 8)  # never settles
    settling = 2 * (1 - np.exp(-np.arange(steps) / 5))
    asleep = np.full(steps, 0.1)  # settled, and never risen
    moved = np.where(np.arange(steps) < 12, 2.0, np.arange(steps))  # after it was frozen
    history = np.stack([rising, settling, asleep, moved], axis=1)
    capacities, weights = machine(history, SETTLE)
    for d in range(4):
        expected = by_hand(history[:, d], SETTLE)
        np.testing.assert_allclose(capacities[:, d], expected[0], rtol=1e-12)
        np.testing.assert_allclose(weights[:, d], expected[1], rtol=1e-12)
    assert np.isfinite(capacities[-1]).tolist() == [False, True, False, True]
    assert weights[-1].tolist() == [1.0, 5.0, 1.0, 5.0]
    # Of `moved`: frozen at the end of its second window of 4, weights of 2, 4, then 5, the limit.
    assert capacities[[6, 7, 39], 3].tolist() == [math.inf, 2.0, 2.0]
    assert weights[[7, 11, 15, 19, 23], 3].tolist() == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("share", [0.6, 1.0, 2.0])
def test_a_latent_that_follows_its_capacity_is_never_frozen(share: float) -> None:
    """At the defaults: 100 windows, of which the last is 1 % of the capacity."""
    framework = parts.CapacityVAE(variant="settle", window_steps=10, anneal_steps=1000)
    ramp = framework.capacity_nats * np.arange(1000) / 1000
    history = np.stack([share * ramp, np.minimum(share * ramp, 2.0)], axis=1)
    capacities, _ = machine(history, framework)
    assert np.isinf(capacities[:, 0]).all()
    assert capacities[-1, 1] == pytest.approx(2.0)


@pytest.mark.parametrize("window_steps", [1, 3, 7])
def test_the_machine_is_its_rules_on_random_histories(window_steps: int) -> None:
    framework = dataclasses.replace(SETTLE, window_steps=window_steps, weight_growth=1.5)
    rng = np.random.default_rng(window_steps)
    walks = np.cumsum(rng.standard_normal((60, 30)), axis=0)
    history = np.linspace(0.1, 3, 30) * np.exp(0.05 * walks)  # of which the lowest never rise
    capacities, weights = machine(history, framework)
    for d in range(30):
        expected = by_hand(history[:, d], framework)
        np.testing.assert_allclose(capacities[:, d], expected[0], rtol=1e-12)
        np.testing.assert_allclose(weights[:, d], expected[1], rtol=1e-12)
    assert 0 < np.isfinite(capacities[-1]).sum() < 30


def test_a_training_remembers_what_the_rules_say_of_its_own_kl(trial_of: Any) -> None:
    framework = dataclasses.replace(
        SETTLE, anneal_steps=10, rise_nats=0.01, settled_ratio=0.3, capacity_nats=1.0
    )
    trial = trial_of("capacity_vae", framework=framework, model=parts.LinearModel(), steps=60)
    training = Training(trial, make_dataset(trial.dataset), "cpu")
    history, were_frozen = [], []
    for _ in range(60):
        training.advance(1)
        report = training.report()
        history.append(report["kl_nats_by_latent"])
        were_frozen.append(report["frozen_latents"])
    assert training.companion is not None
    expected = [by_hand(values, framework) for values in np.array(history).T]
    for name, which in (("capacity", 0), ("weight", 1)):
        found = training.companion.get_buffer(name).numpy()
        np.testing.assert_allclose(found, [values[which][-1] for values in expected], rtol=1e-9)
    counts = np.isfinite([capacities for capacities, _ in expected]).sum(axis=0)
    assert were_frozen == counts.tolist() and counts[-1] > 0


def test_a_frozen_latent_is_held_where_it_was_and_others_go_on(
    trial_of: Any, make_batch: Any
) -> None:
    trial = trial_of("capacity_vae", framework=SETTLE)
    batch = make_batch(number=20)
    companion = Capacities(3)
    companion.get_buffer("capacity")[1] = 0.7
    companion.get_buffer("weight")[1] = 3.0
    terms = capacity_vae(batch.model, batch.step._replace(companion=companion), trial)
    growing = 5 * 20 / 100
    distance = np.abs(batch.kl - np.array([growing, 0.7, growing]))
    expected = batch.error + 100 * (distance * np.array([1, 3, 1])).sum()
    assert terms.loss.item() == pytest.approx(expected, rel=1e-9)
    assert terms.own["frozen_latents"].item() == 1
    assert set(terms.companion_state) == set(dict(companion.named_buffers()))
