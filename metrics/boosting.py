"""Gradient-boosted trees for classification, as scikit-learn's GradientBoostingClassifier has them.

Friedman 2001, "Greedy Function Approximation: A Gradient Boosting Machine", algorithm 6, with the
defaults of scikit-learn: 100 stages of trees of depth 3, each split the one that leaves the least
squared residual, Newton leaves, learning rate .1, one tree a stage and class, a single one for two
classes. What differs:

    sums    Residuals are summed as whole numbers, of 2^-33 for 10,000 samples. Such sums do not
            depend on the order, so latents that split a node alike are equal to the last bit.
    ties    scikit-learn takes one of the latents that split a node equally well at random. Here
            the one is chosen by its values, and each gets an equal share of the importance.
    scale   scikit-learn holds values within 1e-7 for equal; here only equal ones are.

It is fast because of bins. The codes of a latent, sorted once, lie in 256 of them. What a node's
residuals sum to in each bin gives its splits between bins, and a bound for those within: only where
it is not below the best split found are those looked at, and they are few.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from metrics.table import Doubles, Integers

Bytes = npt.NDArray[np.uint8]

STAGES = 100
DEPTH = 3
LEARNING_RATE = 0.1
BINS = 256
SPLITS, LEAVES = 2**DEPTH - 1, 2**DEPTH


class Boosted(NamedTuple):
    """Trees as they were fitted: split i of a tree leads to 2i + 1 (code <= threshold) or 2i + 2.

    Numbers of 7 and more are leaves. A node that was not split has an infinite threshold.
    """

    labels: Integers  # int64 [L], those that there were, in order
    start: Doubles  # float64 [C], scores without trees; C is L, but 1 where L is 2
    latents: Integers  # int64 [100, C, 7], what a node is split by
    thresholds: Doubles  # float64 [100, C, 7]
    leaves: Doubles  # float64 [100, C, 8], what a leaf adds to the score
    importances: Doubles  # float64 [Z], sum 1; all 0 where no split lessens anything

    def scores(self, codes: Doubles) -> Doubles:
        """float64 [C, S]: for float64 [S, Z], log-probabilities but for a number a sample.

        With two labels, the log-odds of the second one.
        """
        scores: Doubles = _scores(codes, self.start, self.latents, self.thresholds, self.leaves)
        return scores

    def predict(self, codes: Doubles) -> Integers:
        """int64 [S]: for float64 [S, Z], the labels of the highest scores."""
        scores = self.scores(codes)
        two = len(self.labels) == 2
        places = (scores[0] >= 0).astype(np.int64) if two else np.argmax(scores, axis=0)
        return np.asarray(self.labels[places], dtype=np.int64)


class Sorted(NamedTuple):
    """Samples, their order by each latent, and the bins. Equal codes share a bin."""

    codes: Doubles  # float64 [S, Z]
    ascending: Integers  # int64 [Z, S], the samples, the least code first
    last: Bytes  # uint8 [Z, S], 1 where a sample in that order is the last one with its code
    bins: Bytes  # uint8 [S, Z], the bin of each sample; equally many are in each, as far as may be
    edges: Integers  # int64 [Z, 257], where in `ascending` bins begin, and the last one ends
    several: Bytes  # uint8 [Z, 256], 1 where a bin holds more than one code


def fit(codes: Doubles, labels: Integers) -> Boosted:
    """Boosted trees for float64 [S, Z] and int64 [S]. Labels may be any; one alone needs no tree.

    importances: how much the splits by each latent lessen the squared residuals, in all trees.
    """
    present, positions, counts = np.unique(labels, return_inverse=True, return_counts=True)
    shares = counts / len(labels)
    start = np.log(shares) - np.log(shares).mean()
    if len(present) == 2:
        start = np.array([math.log(shares[1] / shares[0])])
    # Which of two equally good latents is taken depends on their codes, never on their places.
    order = np.array(sorted(range(codes.shape[1]), key=lambda latent: codes[:, latent].tolist()))
    trees = (STAGES if len(present) > 1 else 0), len(start)
    latents = np.zeros((*trees, SPLITS), dtype=np.int64)
    thresholds = np.full((*trees, SPLITS), np.inf)
    leaves = np.zeros((*trees, LEAVES))
    decreases = np.zeros(len(order))
    _boost(sort(codes[:, order]), positions, start, latents, thresholds, leaves, decreases)
    importances = np.zeros(len(order))
    if decreases.any():
        importances[order] = decreases / decreases.sum()
    return Boosted(present, start, order[latents], thresholds, leaves, importances)


def sort(codes: Doubles) -> Sorted:
    """What is the same for all trees of float64 [S, Z]."""
    samples, latents = codes.shape
    ascending = np.ascontiguousarray(np.argsort(codes, axis=0, kind="stable").T)
    last = np.ones((latents, samples), dtype=np.uint8)
    bins = np.empty((samples, latents), dtype=np.uint8)
    edges = np.empty((latents, BINS + 1), dtype=np.int64)
    several = np.empty((latents, BINS), dtype=np.uint8)
    for d, order in enumerate(ascending):
        code = codes[order, d]
        last[d, :-1] = code[1:] != code[:-1]
        bin_in_order = (np.searchsorted(code, code, side="right") - 1) * BINS // samples
        bins[order, d] = bin_in_order
        edges[d] = np.searchsorted(bin_in_order, np.arange(BINS + 1))
        several[d] = np.bincount(bin_in_order[last[d] == 1], minlength=BINS) > 1
    return Sorted(np.ascontiguousarray(codes), ascending, last, bins, edges, several)


# Compiled code is kept until this file changes: kernels call nothing from another file.


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _boost(
    data: Sorted,
    labels: Integers,
    start: Doubles,
    latents: Integers,
    thresholds: Doubles,
    leaves: Doubles,
    decreases: Doubles,
) -> None:
    """Fills `latents`, `thresholds` and `leaves`; adds to `decreases`, float64 [Z]."""
    samples, classes = len(data.codes), len(start)
    # A sample is one whole number: a 1 above `shift` and its residual, in units, below. Of a sum of
    # them the upper part is the count; neither part is ever so large that it reaches the other.
    digits = math.ceil(math.log2(samples + 1))
    shift = 62 - digits
    units = 2.0 ** (shift - 1 - digits)
    packed = np.empty(samples, dtype=np.int64)
    node_of = np.empty(samples, dtype=np.uint8)
    scores = np.empty((classes, samples))
    for c in range(classes):
        scores[c] = start[c]
    residuals = np.empty((classes, samples))
    for stage in range(len(latents)):
        _residuals(scores, labels, residuals)
        for c in range(classes):
            for s in range(samples):
                packed[s] = (1 << shift) + np.int64(math.floor(residuals[c, s] * units + 0.5))
            positive = np.flatnonzero(labels == (c if classes > 1 else 1))
            _grow(
                data,
                packed,
                shift,
                positive,
                node_of,
                latents[stage, c],
                thresholds[stage, c],
                decreases,
            )
            _step(residuals[c], classes, node_of, leaves[stage, c], scores[c])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _residuals(scores: Doubles, labels: Integers, residuals: Doubles) -> None:
    """1 for the label and 0 for others, less the probability: softmax, or logistic of one score."""
    classes, samples = scores.shape
    if classes == 1:
        for s in range(samples):
            residuals[0, s] = labels[s] - 1 / (1 + math.exp(-scores[0, s]))
        return
    highest = np.full(samples, -np.inf)
    total = np.zeros(samples)
    for c in range(classes):
        for s in range(samples):
            highest[s] = max(highest[s], scores[c, s])
    for c in range(classes):
        for s in range(samples):
            residuals[c, s] = math.exp(scores[c, s] - highest[s])
            total[s] += residuals[c, s]
    for c in range(classes):
        for s in range(samples):
            residuals[c, s] = (labels[s] == c) - residuals[c, s] / total[s]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _grow(
    data: Sorted,
    packed: Integers,
    shift: int,
    positive: Integers,
    node_of: Bytes,
    latents: Integers,
    thresholds: Doubles,
    decreases: Doubles,
) -> None:
    """One tree: fills `latents`, `thresholds` and `node_of`, uint8 [S], the leaf of each sample.

    positive: int64, the samples whose residuals are positive. All of a node that is not split goes
    to its left, where it is not split either.
    """
    order = np.arange(len(packed))
    begin = np.zeros(SPLITS, dtype=np.int64)
    end = np.full(SPLITS, len(order))
    sums = np.empty((SPLITS, data.codes.shape[1], BINS), dtype=np.int64)
    gains = np.empty(sums.shape[1:], dtype=np.int64)
    node_of[:] = 0
    _fill(sums[0], data.bins, packed, order)
    for node in range(SPLITS):
        gains[:] = 0
        for s in positive:
            if node_of[s] == node:
                for d in range(len(gains)):
                    gains[d, data.bins[s, d]] += packed[s] - (1 << shift)
        members = order[begin[node] : end[node]]
        latent, place = _best_split(
            data, packed, shift, node_of, node, sums[node], gains, decreases
        )
        latents[node] = latent
        if place >= 0:
            thresholds[node] = _threshold(data, node_of, node, latent, place)
        left, right = 2 * node + 1, 2 * node + 2
        to_left = _part(data.codes[:, latent], members, thresholds[node], left, node_of)
        if right < SPLITS:
            begin[left], end[left] = begin[node], begin[node] + to_left
            begin[right], end[right] = end[left], end[node]
            small, large = (left, right) if to_left < len(members) - to_left else (right, left)
            _fill(sums[small], data.bins, packed, order[begin[small] : end[small]])
            # The larger side has what the smaller one leaves of the whole.
            for d in range(len(gains)):
                for b in range(BINS):
                    sums[large, d, b] = sums[node, d, b] - sums[small, d, b]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill(sums: Integers, bins: Bytes, packed: Integers, members: Integers) -> None:
    sums[:] = 0
    for s in members:
        for d in range(len(sums)):
            sums[d, bins[s, d]] += packed[s]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _part(code: Doubles, members: Integers, threshold: float, left: int, node_of: Bytes) -> int:
    """How many members go to the left; `members` has them first afterwards."""
    number = 0
    for i in range(len(members)):
        s = members[i]
        members[i] = members[number]
        members[number] = s
        to_left = code[s] <= threshold
        node_of[s] = left + 1 - to_left
        number += to_left
    return number


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _threshold(data: Sorted, node_of: Bytes, node: int, latent: int, place: int) -> float:
    """Half way between the codes of the node's two samples that are next to the split."""
    order = data.ascending[latent]
    below, above = place, place + 1
    while node_of[order[below]] != node:
        below -= 1
    while node_of[order[above]] != node:
        above += 1
    middle: float = data.codes[order[below], latent] / 2 + data.codes[order[above], latent] / 2
    return middle


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _best_split(
    data: Sorted,
    packed: Integers,
    shift: int,
    node_of: Bytes,
    node: int,
    sums: Integers,
    gains: Integers,
    decreases: Doubles,
) -> tuple[int, int]:
    """(latent, the last place in its order that goes to the left); (0, -1) if there is none.

    sums and gains: int64 [Z, 256], of the samples in each bin and of their positive residuals.
    """
    latents = len(sums)
    whole = int(sums[0].sum())
    best = np.full(latents, -1.0)
    place = np.full(latents, -1)
    for d in range(latents):
        left = 0
        for b in range(BINS):
            left += sums[d, b]
            if sums[d, b] != 0:
                decrease = _decrease(left, whole, shift)
                if decrease > best[d]:
                    best[d], place[d] = decrease, data.edges[d, b + 1] - 1
    most = best.max()
    for d in range(latents):
        left = 0
        for b in range(BINS):
            if data.several[d, b] and _bound(left, sums[d, b], gains[d, b], whole, shift) >= most:
                within = left
                for i in range(data.edges[d, b], data.edges[d, b + 1]):
                    s = data.ascending[d, i]
                    if node_of[s] == node:
                        within += packed[s]
                    if data.last[d, i]:
                        decrease = _decrease(within, whole, shift)
                        if decrease > best[d] or (decrease == best[d] and i < place[d]):
                            best[d], place[d] = decrease, i
                most = max(most, best[d])
            left += sums[d, b]
    if most < 0:
        return 0, -1
    number, _ = _unpack(whole, shift)
    equals = 0
    for d in range(latents):
        equals += best[d] == most
    for d in range(latents):
        if best[d] == most:
            decreases[d] += most / number / equals
    winner = np.argmax(best)
    return int(winner), int(place[winner])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _unpack(packed: int, shift: int) -> tuple[int, int]:
    """(count, sum of residuals)"""
    count = (packed + (1 << (shift - 1))) >> shift
    return count, packed - (count << shift)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _decrease(left: int, whole: int, shift: int) -> float:
    """(n r_l - n_l r)^2 / (n_l n_r), -1 where one side is empty.

    n_l of n samples on the left and n_r on the right, r_l of the sum r of their residuals: by n-th
    of this the sum of squared residuals is less when each side has a mean of its own.
    """
    n_left, r_left = _unpack(left, shift)
    n, r = _unpack(whole, shift)
    if n_left == 0 or n_left == n:
        return -1.0
    return float(n * r_left - n_left * r) ** 2 / float(n_left * (n - n_left))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _bound(left: int, inside: int, gain: int, whole: int, shift: int) -> float:
    """No split within a bin has a larger `_decrease`; -1 if there is none, for it has one sample.

    On the left of the bin is `left`, in it `inside`, with positive residuals that make `gain`.
    Some of its samples, but not all, go to the left too, and with them at most all that is positive
    or all that is negative.
    """
    n_left, r_left = _unpack(left, shift)
    n_inside, r_inside = _unpack(inside, shift)
    n, r = _unpack(whole, shift)
    if n_inside < 2:
        return -1.0
    first, final = n_left + 1, n_left + n_inside - 1
    most = n * (r_left + gain) - min(first * r, final * r)
    least = n * (r_left + r_inside - gain) - max(first * r, final * r)
    divisor = min(first * (n - first), final * (n - final))
    return max(float(most) ** 2, float(least) ** 2) / float(divisor) * (1 + 1e-12)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _step(
    residuals: Doubles, classes: int, node_of: Bytes, leaves: Doubles, scores: Doubles
) -> None:
    """Fills `leaves`, float64 [8], and adds them to `scores`, float64 [S].

    A Newton step: (K - 1)/K sum r / sum |r| (1 - |r|), and without (K - 1)/K for two classes.
    """
    slope = np.zeros(LEAVES)
    curvature = np.zeros(LEAVES)
    for s in range(len(residuals)):
        slope[node_of[s] - SPLITS] += residuals[s]
        curvature[node_of[s] - SPLITS] += abs(residuals[s]) * (1 - abs(residuals[s]))
    rate = LEARNING_RATE if classes == 1 else LEARNING_RATE * (classes - 1) / classes
    for leaf in range(LEAVES):
        if curvature[leaf] > 1e-150:  # as in scikit-learn, lest a quotient overflow
            leaves[leaf] = rate * slope[leaf] / curvature[leaf]
    for s in range(len(residuals)):
        scores[s] += leaves[node_of[s] - SPLITS]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _scores(
    codes: Doubles, start: Doubles, latents: Integers, thresholds: Doubles, leaves: Doubles
) -> Doubles:
    """float64 [C, S]"""
    scores = np.empty((len(start), len(codes)))
    for c in range(len(start)):
        for s in range(len(codes)):
            score = start[c]
            for stage in range(len(latents)):
                node = 0
                for _ in range(DEPTH):
                    right = codes[s, latents[stage, c, node]] > thresholds[stage, c, node]
                    node = 2 * node + 1 + right
                score += leaves[stage, c, node - SPLITS]
            scores[c, s] = score
    return scores
