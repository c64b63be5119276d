from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import DecisionTreeRegressor

from metrics.boosting import BINS, fit, sort

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def table(
    samples: int, latents: int, labels: int, seed: int, decimals: int = 7
) -> tuple[Doubles, Integers]:
    """Each latent is the label and noise, more of it in each further latent; values of float32."""
    rng = np.random.default_rng(seed)
    label = rng.integers(labels, size=samples)
    noise = rng.standard_normal((samples, latents)) * np.arange(1, latents + 1) / 2
    return np.round(label[:, None] + noise, decimals).astype(np.float32).astype(np.float64), label


def scikit_learns(codes: Doubles, labels: Integers, seed: int = 0) -> GradientBoostingClassifier:
    return GradientBoostingClassifier(random_state=seed).fit(codes, labels)


@pytest.mark.parametrize(
    ("samples", "labels", "seed"),
    [(15, 2, 13), (25, 2, 13), (30, 2, 0), (12, 3, 17), (15, 3, 14), (15, 3, 26)],
)
def test_equals_scikit_learn_where_no_two_splits_are_equally_good(
    samples: int, labels: int, seed: int
) -> None:
    # Between equally good splits scikit-learn's random state decides. Here it changes nothing, so
    # that nothing is left to differ in; such tables are small, and were found by trying.
    codes, label = table(samples, 3, labels, seed)
    expected, other = (scikit_learns(codes, label, state) for state in (0, 1))
    importances = expected.feature_importances_
    np.testing.assert_allclose(other.feature_importances_, importances, atol=1e-9)
    boosted = fit(codes, label)
    np.testing.assert_allclose(boosted.importances, importances, atol=1e-9)
    unseen, _ = table(1_000, 3, labels, seed + 100)
    scores = np.squeeze(boosted.scores(unseen).T)
    np.testing.assert_allclose(scores, expected.decision_function(unseen), atol=1e-9)
    np.testing.assert_array_equal(boosted.predict(unseen), expected.predict(unseen))


@pytest.mark.parametrize(("samples", "labels"), [(3_000, 2), (3_000, 3), (1_000, 8)])
def test_every_tree_is_what_scikit_learn_grows_of_the_same_residuals(
    samples: int, labels: int
) -> None:
    codes, label = table(samples, 4, labels, seed=0)
    boosted = fit(codes, label)
    for stage in (1, 5, 20, 50, 99):
        before = boosted._replace(
            latents=boosted.latents[:stage],
            thresholds=boosted.thresholds[:stage],
            leaves=boosted.leaves[:stage],
        )
        scores = before.scores(codes)
        if labels == 2:
            residuals = label - scipy.special.expit(scores)
        else:
            residuals = (label == np.arange(labels)[:, None]) - scipy.special.softmax(
                scores, axis=0
            )
        for c, residual in enumerate(residuals):
            expected = DecisionTreeRegressor(max_depth=3).fit(codes, residual).tree_
            # Few samples may have splits that are equally good.
            nodes = [(0, 0)]  # ours and scikit-learn's, which numbers them as it grows them
            for ours, theirs in nodes:
                if ours < 7 and expected.n_node_samples[theirs] > 50:
                    assert boosted.latents[stage, c, ours] == expected.feature[theirs]
                    assert boosted.thresholds[stage, c, ours] == expected.threshold[theirs]
                    nodes.append((2 * ours + 1, expected.children_left[theirs]))
                    nodes.append((2 * ours + 2, expected.children_right[theirs]))


@pytest.mark.parametrize(("samples", "labels"), [(200, 2), (200, 3), (1_500, 3)])
def test_agrees_with_scikit_learn_elsewhere(samples: int, labels: int) -> None:
    # With another random state, scikit-learn's own importances of 200 samples differ by up to .005,
    # its labels by 2 %.
    codes, label = table(samples, 4, labels, seed=0)
    unseen, unseen_label = table(4_000, 4, labels, seed=1)
    expected, boosted = scikit_learns(codes, label), fit(codes, label)
    np.testing.assert_allclose(boosted.importances, expected.feature_importances_, atol=0.01)
    predicted = boosted.predict(unseen)
    assert np.mean(predicted == expected.predict(unseen)) > 0.95
    accuracy = np.mean(predicted == unseen_label)
    assert accuracy == pytest.approx(expected.score(unseen, unseen_label), abs=0.015)


def test_labels_may_be_any_numbers() -> None:
    codes, label = table(100, 3, 3, seed=0)
    names = np.array([-7, 5, 2**40])
    boosted, renamed = fit(codes, label), fit(codes, names[label])
    np.testing.assert_array_equal(renamed.importances, boosted.importances)
    np.testing.assert_array_equal(renamed.predict(codes), names[boosted.predict(codes)])


@pytest.mark.parametrize("samples", [1, 10])
def test_a_single_label_is_told_always_and_by_nothing(samples: int) -> None:
    codes, _ = table(samples, 3, 2, seed=0)
    boosted = fit(codes, np.full(samples, 4))
    np.testing.assert_array_equal(boosted.importances, np.zeros(3))
    np.testing.assert_array_equal(boosted.predict(codes + 1), np.full(samples, 4))


@pytest.mark.parametrize("labels", [2, 3])
def test_constant_codes_tell_the_most_frequent_label(labels: int) -> None:
    label = np.array([0] * 5 + [1] * 7 + [2] * 4)
    label = label[label < labels]
    boosted = fit(np.full((len(label), 2), 3.0), label)
    np.testing.assert_array_equal(boosted.importances, np.zeros(2))
    np.testing.assert_array_equal(boosted.predict(np.zeros((4, 2))), np.ones(4))


def test_latents_that_split_equally_well_share_the_importance() -> None:
    codes, label = table(250, 2, 4, seed=0)
    expected = fit(codes, label).importances
    tiled = fit(np.tile(codes, 3), label).importances
    np.testing.assert_allclose(tiled, np.tile(expected / 3, 3), rtol=1e-12)
    # Another scale and the reverse order make the same splits.
    mirrored = fit(np.hstack([1 - 2 * codes, codes]), label).importances
    np.testing.assert_allclose(mirrored, np.tile(expected / 2, 2), atol=1e-3)


def test_nothing_depends_on_the_order_of_latents() -> None:
    codes, label = table(300, 5, 4, seed=0, decimals=0)  # few values, many ties
    unseen, _ = table(300, 5, 4, seed=1, decimals=0)
    expected = fit(codes, label)
    for order in ([4, 3, 2, 1, 0], [2, 0, 4, 1, 3]):
        boosted = fit(codes[:, order], label)
        np.testing.assert_array_equal(boosted.importances, expected.importances[order])
        np.testing.assert_array_equal(boosted.predict(unseen[:, order]), expected.predict(unseen))


def test_the_same_data_give_the_same_trees() -> None:
    codes, label = table(2_000, 5, 4, seed=0)
    for one, other in zip(fit(codes, label), fit(codes.copy(), label.copy()), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_the_order_of_values_matters() -> None:
    # scikit-learn would hold the smallest of these codes for constant: they differ by under 1e-7.
    codes, label = table(1_000, 3, 4, seed=0)
    expected = fit(codes, label)
    for transformed in (1e-12 * codes, 1e30 * codes, np.sinh(codes)):
        boosted = fit(transformed, label)
        np.testing.assert_array_equal(boosted.importances, expected.importances)
        np.testing.assert_array_equal(boosted.predict(transformed), expected.predict(codes))


def test_what_only_two_latents_together_tell_is_found() -> None:
    # No first split lessens anything.
    codes = np.tile([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], (5, 1))
    label = (codes[:, 0] != codes[:, 1]).astype(np.int64)
    boosted = fit(codes, label)
    np.testing.assert_array_equal(boosted.predict(codes), label)
    assert boosted.importances.sum() == pytest.approx(1)


def test_thresholds_lie_half_way_between_the_values_of_the_node() -> None:
    # The second latent is split first. Of the codes where it is 0, the neighbours are 1/4 and 3/4.
    nought = [[0.125, 0.0], [0.25, 0.0]] * 10
    one = [[0.75, 0.0], [1.0, 0.0]] * 2 + [[0.0, 9.0], [0.3, 9.0], [0.4, 9.0], [2.0, 9.0]] * 10
    codes, label = np.array(nought + one), np.array([0] * len(nought) + [1] * len(one))
    unseen = np.array([[0.5, 0.0], [0.51, 0.0], [0.2, 4.5], [0.2, 4.6]])
    for trees in (fit(codes, label), scikit_learns(codes, label)):
        np.testing.assert_array_equal(trees.predict(unseen), [0, 1, 0, 1])


def test_labels_that_codes_separate_are_told_right() -> None:
    label = np.arange(4_000) % 40
    codes = label[:, None] * 1e30
    np.testing.assert_array_equal(fit(codes, label).predict(codes), label)


def test_outliers_do_not_overflow() -> None:
    # A Newton step for a sample that is alone in its leaf is 1 over what its probability has come
    # to: with the outliers of this seed, 6e14.
    rng = np.random.default_rng(15)
    code = np.repeat(np.arange(250.0), 40)
    label = np.zeros(len(code), dtype=np.int64)
    for outlier in rng.choice(250, rng.integers(5, 60), replace=False):
        among = np.flatnonzero(code == outlier)
        label[among[0]] = 1 + rng.integers(2)
        label[among[1:]] = -1
    code, label = code[label >= 0, None], label[label >= 0]
    scores = fit(code, label).scores(code)
    assert scores.max() > 1e14
    expected = scikit_learns(code, label).decision_function(code)
    np.testing.assert_allclose(scores.T, expected, rtol=1e-3)


@settings(max_examples=60)
@given(
    samples=st.integers(1, 2_000),
    decimals=st.integers(-1, 6),
    seed=st.integers(0, 2**32),
)
def test_bins_keep_the_order_of_codes(samples: int, decimals: int, seed: int) -> None:
    codes = np.round(np.random.default_rng(seed).standard_normal((samples, 1)), decimals)
    ordered = sort(codes)
    order, edges = ordered.ascending[0], ordered.edges[0]
    code, bins = codes[order, 0], ordered.bins[order, 0].astype(np.int64)
    np.testing.assert_array_equal(code, np.sort(codes[:, 0]))
    np.testing.assert_array_equal(np.repeat(np.arange(BINS), np.diff(edges)), bins)
    _, first, counts = np.unique(code, return_index=True, return_counts=True)
    np.testing.assert_array_equal(np.flatnonzero(ordered.last[0]), first + counts - 1)
    for b in range(BINS):
        inside = code[edges[b] : edges[b + 1]]
        assert ordered.several[0, b] == (len(set(inside)) > 1)
        # Equal codes share a bin, which may have to hold more than its share for that.
        assert not set(inside) & set(code[edges[b + 1] :])
        assert len(inside) <= samples / BINS + counts.max()
