from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso

from metrics.udr import lasso_strengths, udr

Doubles = npt.NDArray[np.float64]
Strengths = Callable[[Doubles, Doubles], Doubles]


def alike(models: int, images: int, latents: int, mixing: float, seed: int = 0) -> Doubles:
    """float64 [M, P, Z]: models that find the same latents in other orders, more or less mixed."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((images, latents))
    turns = [
        np.eye(latents)[rng.permutation(latents)] * rng.choice([-1, 1], latents)
        + mixing * rng.standard_normal((latents, latents))
        for _ in range(models)
    ]
    return np.stack([found @ turn + 0.1 * rng.standard_normal(found.shape) for turn in turns])


def alone(codes: Doubles) -> Doubles:
    return (codes - codes.mean(axis=-2, keepdims=True)) / codes.std(axis=-2, keepdims=True)


def plain_lasso(a: Doubles, b: Doubles) -> Doubles:
    machine = Lasso(alpha=0.1, tol=1e-12, max_iter=1_000_000).fit(a, b)
    return np.abs(machine.coef_.reshape(b.shape[1], a.shape[1])).T


def plain_spearman(a: Doubles, b: Doubles) -> Doubles:
    return np.array([[abs(spearmanr(x, y).statistic) for y in b.T] for x in a.T])


def plain_udr(codes: Doubles, kl_nats: Doubles, strengths: Strengths) -> list[float]:
    """Duan et al. 2020, section 4, a pair at a time; every model has an informative latent."""
    kept = [alone(z)[:, kl > 0.01] for z, kl in zip(codes, kl_nats, strict=True)]
    scores = []
    for b in range(len(kept)):
        similarities = []
        for a in range(len(kept)):
            if a != b:
                ties = strengths(kept[a], kept[b])
                of_b = [t.max() ** 2 / t.sum() if t.any() else 0.0 for t in ties.T]
                of_a = [t.max() ** 2 / t.sum() if t.any() else 0.0 for t in ties]
                similarities.append((np.mean(of_a) + np.mean(of_b)) / 2)
        scores.append(float(np.median(similarities)))
    return scores


@pytest.mark.parametrize("mixing", [0.1, 0.5, 2.0])
def test_agrees_with_the_definition_a_pair_at_a_time(mixing: float) -> None:
    codes = alike(5, 300, 6, mixing)
    kl_nats = np.random.default_rng(0).choice([0.005, 1.0], (5, 6), p=[0.3, 0.7])
    assert (kl_nats > 0.01).any(axis=1).all()
    scores = udr(codes, kl_nats)
    expected = plain_udr(codes, kl_nats, plain_lasso)
    assert max(expected) > 0.1
    assert scores["udr_lasso"] == pytest.approx(expected, abs=1e-5)
    assert scores["udr_spearman"] == pytest.approx(
        plain_udr(codes, kl_nats, plain_spearman), abs=1e-12
    )


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), latents=st.integers(1, 8), mixing=st.floats(0, 3))
@example(seed=2699, latents=2, mixing=2.25)  # a correlation of .999999
def test_coefficients_are_those_of_scikit_learn(seed: int, latents: int, mixing: float) -> None:
    codes = alone(alike(3, 60, latents, mixing, seed))
    strengths = lasso_strengths(codes[0], codes)
    for b in range(3):
        np.testing.assert_allclose(strengths[b], plain_lasso(codes[0], codes[b]), atol=1e-3)


def test_the_lasso_shrinks_by_its_alpha() -> None:
    # A latent tied to nothing but its copy: its coefficient is the correlation, 1, less .1.
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((50, 4))
    codes = np.linalg.qr(codes - codes.mean(axis=0))[0] * np.sqrt(50)
    np.testing.assert_allclose(lasso_strengths(codes, codes[None])[0], 0.9 * np.eye(4), atol=1e-12)


# disentanglement_lib a64b8b9, udr_test.py: the same latents in another order and with other signs
# score .8 or more; latents of little divergence do not count.


@pytest.mark.parametrize(("score", "expected"), [("udr_lasso", 0.9), ("udr_spearman", 1.0)])
def test_the_same_latents_in_another_order_agree(score: str, expected: float) -> None:
    codes = alike(4, 1_000, 5, mixing=0.0)
    assert udr(codes, np.ones((4, 5)))[score].min() > 0.8
    # Other latents are tied a little by chance, which takes a share of the sum.
    assert udr(codes, np.ones((4, 5)))[score].max() < expected


@pytest.mark.parametrize("score", ["udr_lasso", "udr_spearman"])
def test_entangled_and_unrelated_models_score_lower(score: str) -> None:
    kl_nats = np.ones((3, 5))
    same, mixed = (udr(alike(3, 1_000, 5, mixing), kl_nats)[score] for mixing in (0.0, 2.0))
    noise = udr(np.random.default_rng(0).standard_normal((3, 1_000, 5)), kl_nats)[score]
    assert same.min() > 0.8 > mixed.max() + 0.2
    assert noise.max() < 0.1


@pytest.mark.parametrize("score", ["udr_lasso", "udr_spearman"])
def test_latents_that_are_not_informative_are_left_out(score: str) -> None:
    codes = alike(3, 500, 4, mixing=0.3)
    junk = np.random.default_rng(1).standard_normal((3, 500, 2))
    expected = udr(codes, np.ones((3, 4)))[score]
    with_junk = np.concatenate([codes, junk], axis=2)
    kl_nats = np.repeat([[1.0, 1, 1, 1, 0.01, 0]], 3, axis=0)  # .01 nats are not above .01
    np.testing.assert_allclose(udr(with_junk, kl_nats)[score], expected, rtol=1e-9)
    counted = udr(with_junk, np.where(kl_nats == 0.01, 0.0101, kl_nats))[score]
    assert (counted < 0.95 * expected).all()


@pytest.mark.parametrize("score", ["udr_lasso", "udr_spearman"])
def test_a_model_without_informative_latents_scores_nought(score: str) -> None:
    codes = alike(4, 200, 3, mixing=0.0)
    kl_nats = np.ones((4, 3))
    kl_nats[1] = 0.001
    scores = udr(codes, kl_nats)[score]
    assert scores[1] == 0.0
    # Of the other models' three similarities one is nought, and the median the lesser of two.
    assert scores[[0, 2, 3]].min() > 0.7
    assert set(udr(codes, np.zeros((4, 3)))[score]) == {0.0}


@pytest.mark.parametrize("score", ["udr_lasso", "udr_spearman"])
@pytest.mark.parametrize("constant", [0.0, -3.3, 1e30])
def test_a_latent_that_never_moves_is_tied_to_none(score: str, constant: float) -> None:
    # It may have a large divergence all the same, its mean being off the prior's.
    codes = alike(2, 500, 3, mixing=0.0)
    expected = udr(codes, np.ones((2, 3)))[score]
    dead = np.concatenate([codes, np.full((2, 500, 1), constant)], axis=2)
    np.testing.assert_allclose(udr(dead, np.ones((2, 4)))[score], expected * 3 / 4, rtol=1e-9)


@pytest.mark.parametrize("score", ["udr_lasso", "udr_spearman"])
def test_order_sign_and_scale_of_latents_change_nothing(score: str) -> None:
    codes = alike(3, 400, 4, mixing=0.5)
    moved = codes.copy()
    moved[1] = codes[1][:, [2, 0, 3, 1]] * [-1, 10, -0.01, 1] + [0, 5, 0, -9]
    kl_nats = np.ones((3, 4))
    np.testing.assert_allclose(udr(moved, kl_nats)[score], udr(codes, kl_nats)[score], rtol=1e-5)


def test_only_ranks_matter_to_spearman() -> None:
    codes = alike(3, 200, 4, mixing=0.5)
    scores = udr(codes, np.ones((3, 4)))
    bent = udr(np.exp(codes), np.ones((3, 4)))
    np.testing.assert_allclose(bent["udr_spearman"], scores["udr_spearman"], rtol=1e-12)
    assert (np.abs(bent["udr_lasso"] - scores["udr_lasso"]) > 0.01).all()


def test_ties_share_their_rank() -> None:
    codes = np.round(alike(2, 200, 3, mixing=0.5))
    np.testing.assert_allclose(
        udr(codes, np.ones((2, 3)))["udr_spearman"],
        plain_udr(codes, np.ones((2, 3)), plain_spearman),
        rtol=1e-12,
    )


def test_the_score_of_a_model_is_how_well_the_others_predict_it() -> None:
    # The Lasso is not symmetric: one latent of the second model is the sum of two of the first.
    rng = np.random.default_rng(0)
    first = rng.standard_normal((2_000, 2))
    second = np.stack([first.sum(axis=1), rng.standard_normal(2_000)], axis=1)
    scores = udr(np.stack([first, second]), np.ones((2, 2)))["udr_lasso"]
    expected = plain_udr(np.stack([first, second]), np.ones((2, 2)), plain_lasso)
    assert abs(expected[0] - expected[1]) > 0.01
    assert scores == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("codes", "kl_nats", "message"),
    [
        (np.ones((1, 5, 2)), np.ones((1, 2)), "of 2 or more models and images"),
        (np.ones((2, 1, 2)), np.ones((2, 2)), "of 2 or more models and images"),
        (np.ones((2, 5)), np.ones((2, 5)), r"codes has shape \[2, 5\]"),
        (np.ones((2, 5, 0)), np.ones((2, 0)), r"codes has shape \[2, 5, 0\]"),
        (np.ones((2, 5, 3)), np.ones((2, 5)), r"kl_nats has shape \[2, 5\]; valid: \[2, 3\]"),
        (np.full((2, 5, 3), np.nan), np.ones((2, 3)), "NaN or Inf"),
        (np.ones((2, 5, 3)), np.full((2, 3), np.inf), "NaN or Inf"),
    ],
)
def test_bad_input_is_refused(codes: Doubles, kl_nats: Doubles, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        udr(codes, kl_nats)


def test_nearly_collinear_latents_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    # Ten latents of three things: coordinate descent alone would take thousands of sweeps.
    rng = np.random.default_rng(0)
    things = rng.standard_normal((500, 3))
    codes = things @ rng.standard_normal((4, 3, 10)) + 0.03 * rng.standard_normal((4, 500, 10))
    codes = alone(codes)
    strengths = lasso_strengths(codes[0], codes)
    for b in range(4):
        np.testing.assert_allclose(strengths[b], plain_lasso(codes[0], codes[b]), atol=1e-6)
    # In blocks of three targets, of which there are forty.
    monkeypatch.setattr("metrics.udr.BLOCK_VALUES", 300)
    np.testing.assert_allclose(lasso_strengths(codes[0], codes), strengths, rtol=0, atol=1e-9)


def test_latents_that_others_determine_are_no_trouble() -> None:
    # The minimum is not unique, but what the weights predict is.
    rng = np.random.default_rng(0)
    things = rng.standard_normal((50, 3))
    a = alone(things @ rng.standard_normal((3, 6)))
    b = alone(things @ rng.standard_normal((3, 6)) + rng.standard_normal((50, 6)))
    strengths = lasso_strengths(a, b[None])[0]
    assert np.isfinite(strengths).all()
    np.testing.assert_allclose(strengths.sum(axis=0), plain_lasso(a, b).sum(axis=0), atol=1e-6)


def test_of_equal_latents_the_first_is_the_one_that_is_tied() -> None:
    codes = alike(2, 300, 3, mixing=0.0)
    twice = alone(np.concatenate([codes, codes], axis=2))
    strengths = lasso_strengths(twice[0], twice)[1]
    np.testing.assert_allclose(strengths, plain_lasso(twice[0], twice[1]), atol=1e-6)
    assert strengths[3:].max() == 0.0
