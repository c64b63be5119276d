"""Gradient-boosted trees for classification, as scikit-learn's GradientBoostingClassifier has them.

Friedman 2001, "Greedy Function Approximation: A Gradient Boosting Machine", algorithm 6, with the
defaults of scikit-learn: 100 stages of trees of depth 3, each split the one that leaves the least
squared residual, Newton leaves, learning rate .1, one tree a stage and class, a single one for two
classes. What differs:

    bins    A latent of more than 256 values is put into 256 bins of equal count, and splits lie
            between bins: finding a split takes one addition a sample and latent, and no sorting.
            Trees on bins learn fewer accidents by heart.
    sums    Residuals are summed as whole numbers, of 2^-33 for 10,000 samples. Such sums do not
            depend on the order, so latents that split a node alike are equal to the last bit.
    ties    scikit-learn takes one of the latents that split a node equally well at random. Here
            the one is chosen by its values, and each gets an equal share of the importance.
    scale   scikit-learn holds values within 1e-7 for equal; here only equal ones are.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from metrics.table import Doubles, Integers

Bins = npt.NDArray[np.uint8]

STAGES = 100
DEPTH = 3
LEARNING_RATE = 0.1
MAX_BINS = 256
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
    bins, lowest, highest = put_into_bins(codes[:, order])
    trees = (STAGES if len(present) > 1 else 0), len(start)
    latents = np.zeros((*trees, SPLITS), dtype=np.int64)
    cuts = np.zeros((*trees, SPLITS, 2), dtype=np.uint8)
    leaves = np.zeros((*trees, LEAVES))
    decreases = np.zeros(codes.shape[1])
    _boost(bins, positions, start, latents, cuts, leaves, decreases)
    last_left, first_right = cuts[..., 0], cuts[..., 1]
    middles = highest[latents, last_left] / 2 + lowest[latents, first_right] / 2
    thresholds = np.where(last_left < first_right, middles, np.inf)
    importances = np.zeros(codes.shape[1])
    if decreases.any():
        importances[order] = decreases / decreases.sum()
    return Boosted(present, start, order[latents], thresholds, leaves, importances)


def put_into_bins(codes: Doubles) -> tuple[Bins, Doubles, Doubles]:
    """(bins uint8 [S, Z], lowest and highest float64 [Z, 256]: what is in a bin of each latent).

    A bin a value up to 256 values, else bins of about equal counts; equal values share a bin.
    Beyond the last bin both are infinite.
    """
    bins = np.empty(codes.shape, dtype=np.uint8)
    lowest, highest = (np.full((codes.shape[1], MAX_BINS), np.inf) for _ in range(2))
    for latent, code in enumerate(codes.T):
        values, group, counts = np.unique(code, return_inverse=True, return_counts=True)
        if len(values) > MAX_BINS:
            # A value's bin is that of the rank of its first sample.
            before = np.cumsum(counts) - counts
            _, merged = np.unique(before * MAX_BINS // len(code), return_inverse=True)
        else:
            merged = np.arange(len(values))
        bins[:, latent] = merged[group]
        edges = np.flatnonzero(np.diff(merged))
        lowest[latent, : merged[-1] + 1] = values[np.append(0, edges + 1)]
        highest[latent, : merged[-1] + 1] = values[np.append(edges, len(values) - 1)]
    return bins, lowest, highest


# Compiled code is kept until this file changes: kernels call nothing from another file.


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _boost(
    bins: Bins,
    labels: Integers,
    start: Doubles,
    latents: Integers,
    cuts: Bins,
    leaves: Doubles,
    decreases: Doubles,
) -> None:
    """Fills `latents`, `cuts` and `leaves` and adds to `decreases`.

    cuts: uint8 [100, C, 7, 2], the last bin of the left side and the first one of the right; what
        is not split has 255 and 0. decreases: float64 [Z], of the squared residuals, in some unit.
    """
    samples, classes = len(bins), len(start)
    # A sample is one whole number: a 1 above `shift` and its residual, in units, below. Of a sum of
    # them the upper part is the count; neither part is ever so large that it reaches the other.
    digits = math.ceil(math.log2(samples + 1))
    shift = 62 - digits
    units = 2.0 ** (shift - 1 - digits)
    packed = np.empty(samples, dtype=np.int64)
    histograms = np.empty((SPLITS, bins.shape[1], MAX_BINS), dtype=np.int64)
    scores = np.empty((classes, samples))
    for c in range(classes):
        scores[c] = start[c]
    residuals = np.empty((classes, samples))
    for stage in range(len(latents)):
        _residuals(scores, labels, residuals)
        for c in range(classes):
            for s in range(samples):
                packed[s] = (1 << shift) + np.int64(math.floor(residuals[c, s] * units + 0.5))
            tree_latents, tree_cuts = latents[stage, c], cuts[stage, c]
            _grow(bins, packed, shift, histograms, tree_latents, tree_cuts, decreases)
            _step(bins, residuals[c], classes, tree_latents, tree_cuts, leaves[stage, c], scores[c])


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
    bins: Bins,
    packed: Integers,
    shift: int,
    histograms: Integers,
    latents: Integers,
    cuts: Bins,
    decreases: Doubles,
) -> None:
    """One tree, from the root down. histograms: int64 [7, Z, 256], sums of `packed`, overwritten.

    All of a node that is not split goes to its left, where it is not split either.
    """
    order = np.arange(len(packed))
    begin = np.zeros(SPLITS, dtype=np.int64)
    end = np.full(SPLITS, len(order))
    _fill(histograms[0], bins, packed, order)
    for node in range(SPLITS):
        members = order[begin[node] : end[node]]
        latent, last = _best_split(histograms[node], shift, packed, members, decreases)
        latents[node], cuts[node, 0], cuts[node, 1] = latent, last, 0
        if last < MAX_BINS - 1:
            first = last + 1
            while histograms[node, latent, first] == 0:
                first += 1
            cuts[node, 1] = first
        left, right = 2 * node + 1, 2 * node + 2
        if right < SPLITS:
            middle = begin[node] + _part(bins, members, latent, last)
            begin[left], end[left] = begin[node], middle
            begin[right], end[right] = middle, end[node]
            small, large = right, left
            if middle - begin[node] < end[node] - middle:
                small, large = left, right
            _fill(histograms[small], bins, packed, order[begin[small] : end[small]])
            # The larger side has what the smaller one leaves of the whole.
            for d in range(bins.shape[1]):
                for b in range(MAX_BINS):
                    histograms[large, d, b] = histograms[node, d, b] - histograms[small, d, b]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _fill(histogram: Integers, bins: Bins, packed: Integers, members: Integers) -> None:
    histogram[:] = 0
    for s in members:
        for latent in range(bins.shape[1]):
            histogram[latent, bins[s, latent]] += packed[s]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _part(bins: Bins, members: Integers, latent: int, last: int) -> int:
    """How many members go to the left; `members` has them first afterwards."""
    left = 0
    for i in range(len(members)):
        s = members[i]
        members[i] = members[left]
        members[left] = s
        left += bins[s, latent] <= last
    return left


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _best_split(
    histogram: Integers, shift: int, packed: Integers, members: Integers, decreases: Doubles
) -> tuple[int, int]:
    """(latent, its last bin on the left) that leave the least squared residual; else (0, 255).

    With n_l and n_r samples and the sums r_l and r_r of their residuals, the sum of squared
    residuals is less by (n r_l - n_l r)^2 / (n n_l n_r); the first of equal ones within a latent.
    """
    number = len(members)
    best = np.full(len(histogram), -1.0)
    last = np.full(len(histogram), MAX_BINS - 1)
    half = 1 << (shift - 1)
    residual = histogram[0].sum() - (number << shift)
    for latent in range(len(histogram)):
        left = np.int64(0)
        for b in range(MAX_BINS):
            if histogram[latent, b] == 0:
                continue
            left += histogram[latent, b]
            number_left = (left + half) >> shift
            if number_left == number:
                break
            difference = number * (left - (number_left << shift)) - number_left * residual
            decrease = float(difference) ** 2 / float(number_left * (number - number_left))
            if decrease > best[latent]:
                best[latent], last[latent] = decrease, b
    winner = np.argmax(best)
    if best[winner] < 0 or (best[winner] == 0 and _alike(packed, members)):
        return 0, MAX_BINS - 1
    equals = 0
    for latent in range(len(best)):
        equals += best[latent] == best[winner]
    for latent in range(len(best)):
        if best[latent] == best[winner]:
            decreases[latent] += best[winner] / number / equals
    return int(winner), int(last[winner])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _alike(packed: Integers, members: Integers) -> bool:
    for s in members:
        if packed[s] != packed[members[0]]:
            return False
    return True


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _step(
    bins: Bins,
    residuals: Doubles,
    classes: int,
    latents: Integers,
    cuts: Bins,
    leaves: Doubles,
    scores: Doubles,
) -> None:
    """Fills `leaves`, float64 [8], and adds them to `scores`, float64 [S].

    A Newton step: (K - 1)/K sum r / sum |r| (1 - |r|), and without (K - 1)/K for two classes.
    """
    slope = np.zeros(LEAVES)
    curvature = np.zeros(LEAVES)
    reached = np.empty(len(residuals), dtype=np.int64)
    for s in range(len(residuals)):
        node = 0
        for _ in range(DEPTH):
            node = 2 * node + 1 + (bins[s, latents[node]] > cuts[node, 0])
        reached[s] = node - SPLITS
        slope[node - SPLITS] += residuals[s]
        curvature[node - SPLITS] += abs(residuals[s]) * (1 - abs(residuals[s]))
    rate = LEARNING_RATE if classes == 1 else LEARNING_RATE * (classes - 1) / classes
    for leaf in range(LEAVES):
        if curvature[leaf] > 1e-150:  # as in scikit-learn, lest a quotient overflow
            leaves[leaf] = rate * slope[leaf] / curvature[leaf]
    for s in range(len(residuals)):
        scores[s] += leaves[reached[s]]


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
