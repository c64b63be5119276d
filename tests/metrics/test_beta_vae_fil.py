from __future__ import annotations

import importlib
import warnings

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from metrics import METRICS, neural_classifiers
from metrics.beta_vae import draw_points
from metrics.beta_vae_fil import beta_vae_fil, beta_vae_fil_without_first
from metrics.table import CodeTable

Doubles = npt.NDArray[np.float64]

MODULE = importlib.import_module("metrics.beta_vae_fil")  # of which the package has the function
SIZES = (3, 5, 6, 7)
SMALL = {"train_points": 300, "test_points": 1_000}
CLASSIFIERS = ("linear", "mlp", "logistic", "forest")


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classifiers that learn for a little only."""
    monkeypatch.setattr(neural_classifiers, "LINEAR_EPOCHS", 2_000)
    monkeypatch.setattr(neural_classifiers, "MLP_STEPS", 100)
    monkeypatch.setattr(MODULE, "TREES", 20)


def positions(*sizes: int) -> Doubles:
    """float64 [N, F] from 0 to 1."""
    return np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)


def mixed() -> CodeTable:
    rng = np.random.default_rng(0)
    codes = positions(*SIZES) @ rng.standard_normal((4, 4))
    return CodeTable.checked(codes + 0.5 * rng.standard_normal(codes.shape), SIZES)


@pytest.mark.parametrize("name", ["beta_vae_fil", "beta_vae_fil_without_first"])
def test_the_first_score_is_the_linear_one_of_64_pairs(name: str) -> None:
    scores = METRICS[name].scores
    assert scores[0] == f"{name}_linear_64"
    assert sorted(scores) == sorted(
        f"{name}_{classifier}_{pairs}" for classifier in CLASSIFIERS for pairs in (16, 64, 128, 256)
    )


@pytest.mark.usefixtures("cheap")
def test_perfect_codes_score_one_also_twice() -> None:
    for codes in 10 * positions(*SIZES), 10 * np.tile(positions(*SIZES), 2):
        table = CodeTable.checked(codes, SIZES)
        for metric in beta_vae_fil, beta_vae_fil_without_first:
            scores = metric(table, seed=0, **SMALL)
            assert tuple(scores) == METRICS[metric.__name__].scores
            assert min(scores.values()) > 0.98


@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize(
    ("metric", "guess"), [(beta_vae_fil, 1 / 4), (beta_vae_fil_without_first, 1 / 3)]
)
def test_codes_that_tell_nothing_are_guessed(metric: object, guess: float) -> None:
    noise = np.random.default_rng(0).standard_normal((3 * 5 * 6 * 7, 4))
    for codes in np.zeros_like(noise), noise:
        scores = metric(CodeTable.checked(codes, SIZES), seed=0, **SMALL)  # type: ignore[operator]
        assert np.mean([*scores.values()]) == pytest.approx(guess, abs=0.04)


@pytest.mark.usefixtures("cheap")
def test_more_pairs_tell_more() -> None:
    # Fil et al. 2021, figure 6.
    scores = beta_vae_fil(mixed(), seed=0, **SMALL)
    for classifier in CLASSIFIERS:
        few, many = (scores[f"beta_vae_fil_{classifier}_{pairs}"] for pairs in (16, 256))
        assert few + 0.1 < many


@pytest.mark.usefixtures("cheap")
def test_the_first_factor_is_never_shared_but_varies(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def recorded(*arguments: object) -> object:
        drawn.append(draw_points(*arguments))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(MODULE, "draw_points", recorded)
    sizes = (1, *SIZES)  # a factor of one position is not the first
    codes = np.indices(sizes).reshape(5, -1).T.astype(np.float64)
    beta_vae_fil_without_first(CodeTable.checked(codes, sizes), seed=0, **SMALL)
    assert len(drawn) == 8
    for features, factors in drawn:
        assert set(factors.tolist()) == {2, 3, 4}
        assert (features[:, 1] > 0).mean() > 0.99
    drawn.clear()
    beta_vae_fil(CodeTable.checked(codes, sizes), seed=0, **SMALL)
    assert {factor for _, factors in drawn for factor in factors.tolist()} == {1, 2, 3, 4}


@pytest.mark.usefixtures("cheap")
def test_a_single_factor_is_always_told_and_without_it_there_is_none() -> None:
    table = CodeTable.checked(np.zeros((7, 2)), (7,))
    assert set(beta_vae_fil(table, seed=0, **SMALL).values()) == {1.0}
    without = beta_vae_fil_without_first(table, seed=0, **SMALL)
    assert tuple(without) == METRICS["beta_vae_fil_without_first"].scores
    assert set(without.values()) == {0.0}


@pytest.mark.usefixtures("cheap")
def test_the_same_seed_gives_the_same_values() -> None:
    values = [beta_vae_fil(mixed(), seed=seed, **SMALL) for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


@pytest.mark.usefixtures("cheap")
def test_the_extremes_of_float32_are_scored() -> None:
    codes = (2 * positions(*SIZES) - 1) * float(np.finfo(np.float32).max)
    scores = beta_vae_fil(CodeTable.checked(codes, SIZES), seed=0, **SMALL)
    assert min(scores.values()) > 0.9


def test_the_settings_are_those_of_their_code_and_what_is_said_to_deviate() -> None:
    assert MODULE.PAIRS == (64, 16, 128, 256)
    assert (MODULE.TREES, MODULE.MAX_ITERATIONS) == (150, 500)
    settings = neural_classifiers
    assert (settings.LINEAR_EPOCHS, settings.LINEAR_RATE) == (10_000, 0.01)
    assert (settings.HIDDEN, settings.MLP_RATE, settings.WEIGHT_DECAY) == (256, 0.001, 1e-4)
    assert (settings.MLP_STEPS, settings.MLP_BATCH) == (2_000, 100)  # theirs: 5,000 of all points


def test_the_forest_and_the_logistic_regression_are_scikit_learns() -> None:
    table, choice = mixed(), np.arange(4)
    features, factors = draw_points(table, np.random.default_rng(0), choice, 500, 64)
    unseen, _ = draw_points(table, np.random.default_rng(1), choice, 2_000, 64)
    features, unseen = features * [1, 30, 100, 1], unseen * [1, 30, 100, 1]
    seed = int(np.random.default_rng(2).integers(2**32))
    models = {
        "forest": RandomForestClassifier(150, random_state=seed),
        "logistic": LogisticRegression(max_iter=500),
    }
    for name, model in models.items():
        told = MODULE.CLASSIFIERS[name](features, factors, 4, unseen, np.random.default_rng(2))
        with warnings.catch_warnings():  # 500 iterations end before the optimum, of such scales
            warnings.simplefilter("ignore", ConvergenceWarning)
            expected = model.fit(features, factors).predict(unseen)
        np.testing.assert_array_equal(told, expected)


def test_the_forest_has_trees_of_its_own_random_numbers() -> None:
    # The classifiers as they are: with 150 trees, a forest's choice hardly depends on its seed.
    table, choice = mixed(), np.arange(4)
    features, factors = draw_points(table, np.random.default_rng(0), choice, 500, 64)
    unseen, _ = draw_points(table, np.random.default_rng(1), choice, 1_000, 64)
    for name, agreement in (("forest", 0.9), ("logistic", 1.0)):
        first, again, other = (
            MODULE.CLASSIFIERS[name](features, factors, 4, unseen, np.random.default_rng(seed))
            for seed in (2, 2, 3)
        )
        np.testing.assert_array_equal(first, again)
        assert agreement <= np.mean(first == other)
        assert name == "logistic" or np.any(first != other)
