"""Linear support vector machines on one number: the exact minimum, for many classes at once.

The problem is the one of LIBLINEAR, and of scikit-learn's LinearSVC(C=0.01, class_weight=
"balanced"): one class against the rest, squared hinge loss, the intercept penalised as the slope
is. With a single feature the rows that have a loss are those on one side of a threshold, so sums
over them are differences of running sums over the sorted codes: a step of Newton's method costs a
few binary searches and no pass over the rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metrics.table import Doubles, Integers

C = 0.01
MAX_STEPS = 100
ROUNDING = 1e-12  # of the objective, as a share of what it is for f = 0


class Classes(NamedTuple):
    """One class against the rest, for every class of every factor: B problems in all.

    labels: F times int64 [K], the classes of a factor that have rows, of which there are K.
    members: int64 [F, S], the number in 0..B-1 of the class that each row is in.
    inside, outside: float64 [B], the weights C_i of the rows of the class and of the others: with
        n of S rows in the class C S / (K n), and C for the others, where LIBLINEAR leaves the rest
        unweighted; of two classes it weights both.
    """

    labels: list[Integers]
    members: Integers
    inside: Doubles
    outside: Doubles


def balanced_classes(factors: Integers) -> Classes:
    """factors: int64 [F, S]."""
    labels: list[Integers] = []
    members, inside, outside = [], [], []
    first = 0
    for factor in factors:
        present, member, counts = np.unique(factor, return_inverse=True, return_counts=True)
        balanced = C * len(factor) / (len(present) * counts)
        labels.append(present)
        members.append(first + member)
        first += len(present)
        inside.append(balanced)
        outside.append(balanced[::-1] if len(present) == 2 else np.full(len(present), C))
    return Classes(labels, np.stack(members), np.concatenate(inside), np.concatenate(outside))


def predict(slopes: Doubles, intercepts: Doubles, labels: Integers, code: Doubles) -> Integers:
    """int64 [S]: the label of the largest f_c(x) = slope_c x + intercept_c, the first of equals.

    slopes, intercepts: float64 [K]; labels: int64 [K]; code: float64 [S].
    """
    decisions = np.multiply.outer(slopes, code)
    decisions += intercepts[:, None]
    predicted: Integers = labels[np.argmax(decisions, axis=0)]
    return predicted


def fit_linear_svms(code: Doubles, classes: Classes) -> tuple[Doubles, Doubles]:
    """(slopes w, intercepts b), float64 [B]: for each class the minimum over (w, b) of

        (w^2 + b^2) / 2 + sum_i C_i max(0, 1 - y_i (w x_i + b))^2

    with x = code, float64 [S], and y_i = 1 for the rows of the class, -1 for the others.

    The objective is convex, and quadratic as long as the same rows have a loss: Newton's method is
    at the minimum after some ten steps. A step that led up would not be taken, but among a million
    problems of all kinds no step did, unless codes lie so many orders of magnitude apart, a million
    or more, that sums of them are coarse; what comes out then is a rough minimum.
    """
    # Codes are brought to [-1, 1], so that nothing overflows and running sums lose little.
    scale = float(np.abs(code).max()) or 1.0
    rows = _SortedRows(code / scale, classes)
    penalty = np.array([[1 / scale**2], [1.0]])
    point = np.zeros((2, len(classes.inside)))
    sums = rows.with_a_loss(point)
    value = _objective(point, sums, penalty)
    slack = ROUNDING * value
    for _ in range(MAX_STEPS):
        trial = _newton_point(sums, penalty)
        trial_sums = rows.with_a_loss(trial)
        trial_value = _objective(trial, trial_sums, penalty)
        moves = trial_value <= value + slack
        fall = np.where(moves, value - trial_value, 0)
        point = np.where(moves, trial, point)
        sums = np.where(moves, trial_sums, sums)
        value = np.where(moves, trial_value, value)
        if (fall <= slack).all():
            break
    return point[0] / scale, point[1]


def _objective(point: Doubles, sums: Doubles, penalty: Doubles) -> Doubles:
    """float64 [B] at the points (w, b), float64 [2, B], from the sums at these points."""
    w, b = point
    ones, x, x2, y, xy = sums
    loss = ones * (1 + b**2) + x2 * w**2 + 2 * x * w * b - 2 * (xy * w + y * b)
    value: Doubles = np.sum(penalty * point**2, axis=0) / 2 + loss
    return value


def _newton_point(sums: Doubles, penalty: Doubles) -> Doubles:
    """float64 [2, B]: where the gradient is nought if the rows with a loss stay the same."""
    ones, x, x2, y, xy = 2 * sums
    a, d = penalty + [x2, ones]
    minimum: Doubles = np.stack([d * xy - x * y, a * y - x * xy]) / (a * d - x**2)
    return minimum


class _SortedRows:
    """The rows of a code, float64 [S], sorted so that sums over a range of codes are at hand."""

    def __init__(self, code: Doubles, classes: Classes) -> None:
        self.classes = classes
        order = np.argsort(code, kind="stable")
        self.code = code[order]
        self.sums = _running_sums(self.code)
        # All rows once for each factor: class by class, from the smallest code to the largest.
        members = classes.members[:, order].ravel()
        by_class = np.argsort(members, kind="stable")
        ranks = by_class % len(code)
        self.keys = members[by_class] * len(code) + ranks
        self.class_sums = _running_sums(self.code[ranks])
        self.first_keys = np.arange(len(classes.inside)) * len(code)
        self.starts = np.searchsorted(self.keys, self.first_keys)
        ends = np.append(self.starts[1:], len(self.keys))
        self.inside = self.class_sums[:, ends] - self.class_sums[:, self.starts]
        self.outside = self.sums[:, -1:] - self.inside

    def with_a_loss(self, point: Doubles) -> Doubles:
        """float64 [5, B]: sums of C_i, C_i x_i, C_i x_i^2, C_i y_i and C_i x_i y_i over the rows
        where y_i (w x_i + b) < 1, at the points (w, b), float64 [2, B].
        """
        w, b = point
        # Where f is flat all rows of a side have a loss or none: the threshold is infinite, or NaN
        # where f is 1, and there is no loss either way.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            in_class = np.searchsorted(self.code, (1 - b) / w)
            in_rest = np.searchsorted(self.code, (-1 - b) / w)
        rising = ~np.signbit(w)
        below = self._class_sums_below(in_class)
        inside = np.where(rising, below, self.inside - below)
        below = self.sums[:, in_rest] - self._class_sums_below(in_rest)
        outside = np.where(rising, self.outside - below, below)
        # Of no rows the other sums are what rounding leaves of all less the class.
        inside = self.classes.inside * inside
        outside = self.classes.outside * np.where(outside[0] > 0, outside, 0)
        return np.concatenate([inside + outside, (inside - outside)[:2]])

    def _class_sums_below(self, ranks: Integers) -> Doubles:
        """float64 [3, B]: over the rows of each class among the first ranks[c] of all."""
        ends = np.searchsorted(self.keys, self.first_keys + ranks)
        return self.class_sums[:, ends] - self.class_sums[:, self.starts]


def _running_sums(code: Doubles) -> Doubles:
    """float64 [3, S + 1]: sums of 1, x and x^2 over the first 0, 1, ..., S values."""
    sums = np.zeros((3, len(code) + 1))
    np.cumsum([np.ones_like(code), code, code**2], axis=1, out=sums[:, 1:])
    return sums
