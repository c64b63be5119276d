from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F

from metrics import neural_classifiers
from metrics.neural_classifiers import linear_softmax, mlp

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Classifier = Callable[[Doubles, Integers, int, Doubles, np.random.Generator], Integers]


def points(count: int, seed: int) -> tuple[Doubles, Integers]:
    """Features [P, 3] of which 0 and 1 tell a label, half of it by a line."""
    rng = np.random.default_rng(seed)
    features = rng.uniform(-1, 1, size=(count, 3))
    return features, (features[:, 0] > 0) + 2 * (features[:, 0] * features[:, 1] > 0)


def uniform(rng: np.random.Generator, *shape: int, fan_in: int) -> torch.Tensor:
    bound = fan_in**-0.5
    return torch.tensor(rng.uniform(-bound, bound, size=shape), dtype=torch.float32)


def test_the_linear_classifier_goes_the_way_of_pytorchs_adagrad(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(neural_classifiers, "LINEAR_EPOCHS", 400)
    features, labels = points(300, seed=0)
    unseen, _ = points(5_000, seed=1)
    parameters = uniform(np.random.default_rng(7), 4, 4, fan_in=3).requires_grad_()
    optimiser = torch.optim.Adagrad([parameters], lr=0.01)
    x, y = torch.tensor(features, dtype=torch.float32), torch.tensor(labels)
    for _ in range(400):
        optimiser.zero_grad()
        F.cross_entropy(x @ parameters[:, :3].T + parameters[:, 3], y).backward()
        optimiser.step()
    scores = unseen @ parameters.detach().double().numpy()[:, :3].T
    expected = np.argmax(scores + parameters.detach().numpy()[:, 3], axis=1)
    told = linear_softmax(features, labels, 4, unseen, np.random.default_rng(7))
    assert len(np.unique(expected)) > 2
    assert np.mean(told == expected) > 0.999


def test_the_mlp_goes_the_way_of_pytorchs_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    # Adam hardly minds by how much a slope is wrong: this decay, added to it, does.
    settings = {"MLP_STEPS": 100, "MLP_RATE": 0.01, "WEIGHT_DECAY": 0.01, "HIDDEN": 32}
    for name, setting in settings.items():
        monkeypatch.setattr(neural_classifiers, name, setting)
    features, labels = points(250, seed=0)
    unseen, _ = points(5_000, seed=1)

    rng = np.random.default_rng(7)
    sizes = (3, 32, 32, 4)
    layers = [
        uniform(rng, *shape, fan_in=i).requires_grad_()
        for i, o in zip(sizes, sizes[1:], strict=False)
        for shape in ((i, o), (o,))
    ]
    w1, b1, w2, b2, w3, b3 = layers
    optimiser = torch.optim.Adam(layers, lr=0.01, weight_decay=0.01)
    x, y = torch.tensor(features, dtype=torch.float32), torch.tensor(labels)
    for step in range(100):
        if step % 2 == 0:  # 250 points are two batches, the rest waits for the next order
            order = rng.permutation(250)
        batch = order[100 * (step % 2) : 100 * (step % 2) + 100]
        dropout = 2 * torch.tensor(rng.integers(2, size=(2, 100, 32), dtype=np.int8)).float()
        optimiser.zero_grad()
        hidden = F.relu(x[batch] @ w1 + b1) * dropout[0]
        hidden = F.relu(hidden @ w2 + b2) * dropout[1]
        F.cross_entropy(hidden @ w3 + b3, y[batch]).backward()
        optimiser.step()
    with torch.no_grad():
        z = torch.tensor(unseen, dtype=torch.float32)
        expected = (F.relu(F.relu(z @ w1 + b1) @ w2 + b2) @ w3 + b3).argmax(dim=1).numpy()
    told = mlp(features, labels, 4, unseen, np.random.default_rng(7))
    assert len(np.unique(expected)) > 2
    assert np.mean(told == expected) > 0.999


def test_only_the_mlp_learns_what_no_line_tells() -> None:
    features = np.random.default_rng(0).uniform(-1, 1, size=(2_000, 2))
    labels = (features[:, 0] * features[:, 1] > 0).astype(np.int64)
    told = [
        classifier(features[:1_000], labels[:1_000], 2, features[1_000:], np.random.default_rng(1))
        for classifier in (mlp, linear_softmax)
    ]
    shares = [np.mean(of_one == labels[1_000:]) for of_one in told]
    assert shares[0] > 0.95
    assert shares[1] < 0.6


@pytest.mark.parametrize("classifier", [linear_softmax, mlp])
def test_few_points_a_single_class_and_a_class_without_points(
    classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neural_classifiers, "MLP_STEPS", 300)
    features = np.array([[-1.0], [1.0]] * 4)
    rng = np.random.default_rng(0)
    labels = np.array([2, 0] * 4)
    np.testing.assert_array_equal(classifier(features, labels, 3, features[:2], rng), [2, 0])
    zeros = np.zeros(8, dtype=np.int64)
    np.testing.assert_array_equal(classifier(features, zeros, 1, features[:2], rng), [0, 0])


@pytest.mark.parametrize("classifier", [linear_softmax, mlp])
@pytest.mark.parametrize("scale", [1e-30, 1e15])
def test_numbers_do_not_run_out(
    classifier: Classifier, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neural_classifiers, "MLP_STEPS", 300)
    features = scale * np.random.default_rng(0).uniform(size=(200, 2))
    labels = (features[:, 0] > features[:, 1]).astype(np.int64)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        told = classifier(features, labels, 2, features, np.random.default_rng(0))
    assert scale < 1 or np.mean(told == labels) > 0.9
