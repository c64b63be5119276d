from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.fid import fid_sample, frechet_distance, merge
from metrics.inception import Images, Moments

Doubles = npt.NDArray[np.float64]


def moments(features: Doubles) -> Moments:
    covariance = np.cov(features.T).reshape(features.shape[1], -1)
    return Moments(len(features), features.mean(axis=0), covariance)


def distance(a: Moments, b: Moments) -> float:
    return frechet_distance(a.mean, a.covariance, b.mean, b.covariance)


def features(images: int, dimensions: int, seed: int) -> Doubles:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((dimensions, dimensions))
    return rng.standard_normal((images, dimensions)) @ mixing + rng.standard_normal(dimensions)


def plain_distance(a: Moments, b: Moments) -> float:
    """Heusel et al. 2017, equation 6, with SciPy's root of the product."""
    root = scipy.linalg.sqrtm(a.covariance @ b.covariance).real
    between = np.sum((a.mean - b.mean) ** 2)
    return float(between + np.trace(a.covariance + b.covariance - 2 * root))


@pytest.mark.parametrize("dimensions", [1, 2, 10, 60])
def test_agrees_with_the_root_of_the_product(dimensions: int) -> None:
    a, b = moments(features(300, dimensions, 0)), moments(features(200, dimensions, 1))
    assert distance(a, b) == pytest.approx(plain_distance(a, b), rel=1e-9)


@given(
    variances=st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(-1e3, 1e3)), min_size=1
    )
)
@settings(max_examples=50)
def test_independent_features_have_a_closed_form(
    variances: list[tuple[float, float, float]],
) -> None:
    # Also where some or all variances are nought.
    a, b, shift = np.array(variances).T
    expected = np.sum(shift**2 + (np.sqrt(a) - np.sqrt(b)) ** 2)
    assert frechet_distance(shift, np.diag(a), 0 * shift, np.diag(b)) == pytest.approx(
        expected, rel=1e-9, abs=1e-6 * max(a.max(), b.max(), 1)
    )


@pytest.mark.parametrize("images", [100, 10, 2])
def test_the_same_moments_are_no_distance_apart(images: int) -> None:
    # At full rank and below, where the root of the product leaves -1e-13 or 1e-6.
    a = moments(features(images, 40, 0))
    assert 0 <= distance(a, a) < 1e-12 * np.trace(a.covariance)


def test_a_single_image_is_as_far_off_as_the_others_are_spread() -> None:
    a = moments(features(50, 8, 0))
    point = Moments(1, a.mean + 2, np.zeros((8, 8)))
    assert distance(a, point) == pytest.approx(np.trace(a.covariance) + 8 * 4)
    assert distance(point, point) == 0.0


def test_too_few_images_are_scored_and_further_apart_than_they_should_be() -> None:
    # pytorch-fid asks for more images than features: else the covariances have not the full rank.
    rng = np.random.default_rng(0)
    found = []
    for images in (20, 41, 400, 4_000):
        real, made = (moments(rng.standard_normal((images, 40))) for _ in range(2))
        rank = np.linalg.matrix_rank(real.covariance)
        assert rank == min(images - 1, 40)
        scores = fid_sample(Images(real, sampled=made), seed=0, images=5_000)
        assert scores["fid_sample"] == pytest.approx(plain_distance(real, made), rel=1e-4)
        found.append(scores["fid_sample"])
    # Of the same distribution all of them: the distance is 0 of infinitely many images.
    assert found[0] > 1.5 * found[1] and found[1] > 5 * found[2] and found[2] > 5 * found[3] > 0


def test_covariances_below_full_rank() -> None:
    # On disjoint features nothing is shared: the traces add up. On the same ones the rest is
    # nought, and the distance that of these features alone.
    a, b = features(200, 3, 0), features(200, 3, 1)
    nought = np.zeros_like(a)
    left, right = moments(np.hstack([a, nought])), moments(np.hstack([nought, b]))
    traces = np.trace(left.covariance) + np.trace(right.covariance)
    between = np.sum((left.mean - right.mean) ** 2)
    assert distance(left, right) == pytest.approx(between + traces)
    beside = moments(np.hstack([b, nought]))
    assert distance(left, beside) == pytest.approx(distance(moments(a), moments(b)))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), images=st.integers(2, 30), scale=st.floats(1e-3, 1e3))
def test_a_turn_changes_nothing_and_a_scale_is_squared(
    seed: int, images: int, scale: float
) -> None:
    # The images are fewer than the features or more.
    a, b = features(images, 10, seed), features(images + 3, 10, seed + 1)
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((10, 10)))[0]
    expected = distance(moments(a), moments(b))
    close = 1e-6 * (np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)))
    assert expected >= 0
    assert distance(moments(b), moments(a)) == pytest.approx(expected, abs=close)
    assert distance(moments(a @ turn), moments(b @ turn)) == pytest.approx(expected, abs=close)
    assert distance(moments(scale * a), moments(scale * b)) == pytest.approx(
        scale**2 * expected, abs=scale**2 * close
    )


def test_covariances_that_float32_has_rounded_are_taken() -> None:
    a, b = moments(features(30, 40, 0)), moments(features(300, 40, 1))
    rounded = a.covariance.astype(np.float32).astype(np.float64)
    assert frechet_distance(a.mean, rounded, b.mean, b.covariance) == pytest.approx(
        distance(a, b), rel=1e-3
    )


@pytest.mark.parametrize(
    "covariance", [[[1, 2], [2, 1]], [[1, 0.5], [0, 1]], [[1, 0], [0.5, 1]], [[-1, 0], [0, -1]]]
)
def test_a_matrix_that_is_no_covariance_is_refused(covariance: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="not symmetric or has a negative eigenvalue"):
        frechet_distance(np.zeros(2), np.array(covariance), np.zeros(2), np.eye(2))


def test_other_bad_input_is_refused() -> None:
    two, three = (np.zeros(2), np.eye(2)), (np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match=r"shapes .*; valid: twice \[d\] and \[d, d\]"):
        frechet_distance(*two, *three)
    with pytest.raises(ValueError, match="NaN or Inf"):
        frechet_distance(np.array([0, np.nan]), np.eye(2), *two)
    with pytest.raises(ValueError, match="NaN or Inf"):
        frechet_distance(*two, np.zeros(2), np.full((2, 2), np.inf))


@settings(max_examples=50)
@given(sizes=st.lists(st.integers(1, 20), min_size=1, max_size=6), seed=st.integers(0, 2**32))
def test_merged_moments_are_those_of_all_images(sizes: list[int], seed: int) -> None:
    parts = [features(size, 4, seed + k) for k, size in enumerate(sizes)]
    nought = np.zeros((4, 4))
    merged = merge([moments(x) if len(x) > 1 else Moments(1, x[0], nought) for x in parts])
    everything = np.concatenate(parts)
    assert merged.images == len(everything)
    np.testing.assert_allclose(merged.mean, everything.mean(axis=0), atol=1e-12)
    expected = np.cov(everything.T) if len(everything) > 1 else nought
    np.testing.assert_allclose(merged.covariance, expected, atol=1e-11)


def test_merging_keeps_its_digits_far_from_nought() -> None:
    # Sums of squares would lose them all: the spread is 1e-8 of the mean.
    x = 1e8 + features(100, 3, 0)
    merged = merge([moments(x[:30]), moments(x[30:])])
    np.testing.assert_allclose(merged.covariance, np.cov(x.T), rtol=1e-5, atol=1e-6)


def test_merging_leaves_its_parts_alone_and_needs_one() -> None:
    parts = [moments(features(5, 2, k)) for k in range(2)]
    before = [part.covariance.copy() for part in parts]
    merge(parts)
    np.testing.assert_array_equal([part.covariance for part in parts], before)
    for none in ([], [Moments(0, np.zeros(2), np.zeros((2, 2)))]):
        with pytest.raises(ValueError, match="one part or more, of one image or more"):
            merge(none)
