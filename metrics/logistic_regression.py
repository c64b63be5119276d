"""Multinomial logistic regression with the penalty chosen by cross-validation, to the optimum.

What scikit-learn's LogisticRegressionCV(Cs=10, cv=KFold(5), scoring="accuracy") does: the same
penalty, intercept, folds and choice. scikit-learn stops after 100 iterations though, which for C
of 100 and more can be well before the optimum; here each model is fitted to it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metrics.table import Doubles, Integers

STRENGTHS = np.logspace(-4, 4, 10)  # C: the larger, the less is the penalty
FOLDS = 5
LARGEST_SLOPE = 1e-5  # the gradient's largest component at the optimum, in even coordinates
# Models of more weights have their curvature taken as that of no knowledge, [Z + 1, Z + 1].
MOST_WEIGHTS = 2_500
ROUNDING = 1e-10  # of a sum of squares, amply
BLOCK_VALUES = 2**17  # 1 MiB of float64: what is multiplied at a time stays in the cache


class Linear(NamedTuple):
    """weights: float64 [L, Z + 1], the last the intercept, of the labels int64 [L], in order.

    They are those of codes less `centre`, over `scale`, both float64 [Z].
    """

    labels: Integers
    weights: Doubles
    centre: Doubles
    scale: Doubles

    def predict(self, codes: Doubles) -> Integers:
        """int64 [S]: for float64 [S, Z], the likeliest labels."""
        scores = self.weights @ with_ones((codes - self.centre) / self.scale)
        told: Integers = self.labels[np.argmax(scores, axis=0)]
        return told


def fit_cross_validated(codes: Doubles, labels: Integers) -> Linear:
    """The model of float64 [S, Z] and int64 [S], S >= 5, with the best of ten C from 1e-4 to 1e4.

    That is the C, the least among equals, whose models of four fifths of the samples tell the other
    fifth best, averaged over the five; the fifths are consecutive. A label that is not among the
    four fifths is never told of the other. With a single label there is nothing to learn.
    """
    present, classes = np.unique(labels, return_inverse=True)
    # From -1 to 1, for the sake of rounding: the intercept is free, and penalties are scaled alike.
    centre = codes.min(axis=0) / 2 + codes.max(axis=0) / 2
    scale = codes.max(axis=0) - centre
    scale[scale == 0] = 1
    features = with_ones((codes - centre) / scale)
    weights = np.zeros((len(present), len(features)))
    if len(present) == 1:
        return Linear(present, weights, centre, scale)
    parts = np.array_split(np.arange(len(labels)), FOLDS)
    shares = np.zeros((FOLDS, len(STRENGTHS)))
    path = []
    bend = curvature(features, weights)
    for i, strength in enumerate(STRENGTHS):
        # One weight vector, which scikit-learn has for two labels, has half the squares of two.
        penalties = np.append((2 if len(present) == 2 else 1) / strength / scale**2, 0)
        # Each optimum is near the one before, and those of the folds are near that of them all.
        even = even_coordinates(bend, penalties / len(labels))
        weights = minimise(features, classes, penalties, weights, even)
        path.append(weights)
        bend = curvature(features, weights)
        even = even_coordinates(bend, penalties / len(labels))
        for fold, part in enumerate(parts):
            rest = np.delete(np.arange(len(labels)), part)
            seen = np.unique(classes[rest])
            of_rest = minimise(features[:, rest], classes[rest], penalties, weights, even)
            told = seen[np.argmax(of_rest[seen] @ features[:, part], axis=0)]
            shares[fold, i] = np.mean(told == classes[part])
    return Linear(present, path[int(np.argmax(shares.sum(axis=0)))], centre, scale)


def minimise(
    features: Doubles, classes: Integers, penalties: Doubles, start: Doubles, even: Doubles
) -> Doubles:
    """The W, float64 [K, Z + 1], at which this is least:

    mean_s (ln sum_k exp(W_k . x_s) - W_c(s) . x_s) + sum_kd penalties_d W_kd^2 / 2S

    features: x, float64 [Z + 1, S], the last row 1. penalties: float64 [Z + 1], 0 for the last one.
    classes: c, int64 [S], of 0..K-1; the sum is over those that are there, since the others'
    intercepts would become minus infinity. It is found by L-BFGS from the weights `start`, in the
    coordinates `even`: the better these are, the sooner. 15,000 evaluations are the most.
    """
    # It takes a second to import, which `latentgrid plan` does not have.
    from scipy import optimize

    samples = len(classes)
    shares = penalties / samples
    absent = np.setdiff1d(np.arange(len(start)), classes)
    memory = np.empty((len(start), samples))
    label = classes * samples + np.arange(samples)

    def weights_at(point: Doubles) -> Doubles:
        weights: Doubles = start + (point.reshape(-1, len(even)) @ even).reshape(start.shape)
        return weights

    def value_and_slope(point: Doubles) -> tuple[float, Doubles]:
        weights = weights_at(point)
        scores = np.matmul(weights, features, out=memory)
        scores[absent] = -np.inf
        scores -= scores.max(axis=0)
        right = scores.ravel()[label].sum()
        np.exp(scores, out=scores)
        total = scores.sum(axis=0)
        scores /= total
        value = (np.log(total).sum() - right) / samples + np.sum(shares * weights**2) / 2
        scores.ravel()[label] -= 1
        slope = scores @ features.T / samples + shares * weights
        return value, (slope.reshape(-1, len(even)) @ even.T).ravel()

    options = {"gtol": LARGEST_SLOPE, "ftol": 0, "maxls": 50, "maxfun": 15_000}
    found = optimize.minimize(
        value_and_slope, np.zeros(start.size), jac=True, method="L-BFGS-B", options=options
    )
    return weights_at(found.x)


def even_coordinates(bend: Doubles, penalties: Doubles) -> Doubles:
    """N with N^T N the inverse of the curvature [B, B] and that of the penalties [Z + 1].

    Of weights W = U N a function with that curvature bends the same in all directions of U.
    """
    diagonal = np.tile(penalties, len(bend) // len(penalties))
    even: Doubles = np.linalg.inv(np.linalg.cholesky(bend + np.diag(diagonal)))
    return even


def curvature(features: Doubles, weights: Doubles) -> Doubles:
    """The second derivative of the mean of -ln p by the weights [K, Z + 1], without a penalty:

    mean_s (p_sk (k = l) - p_sk p_sl) x_sd x_se, float64 [K (Z + 1), K (Z + 1)]

    to which 1/K^2 is added for each two intercepts: adding a number to all of them changes nothing.
    For many weights: that of one class for p = 1/K, mean_s x_sd x_se / K, [Z + 1, Z + 1]. What has
    no curvature, such as where latents tell the same or the p are 0 and 1, gets that of rounding.
    """
    samples, (classes, width) = features.shape[1], weights.shape
    if weights.size > MOST_WEIGHTS:
        squares: Doubles = features @ features.T / (samples * classes)
        return squares + ROUNDING * np.diag(np.diag(squares))
    bend = np.zeros((weights.size, weights.size))
    own = np.zeros((weights.size, width))
    block = max(1, BLOCK_VALUES // weights.size)
    for start in range(0, samples, block):
        x = features[:, start : start + block]
        p = weights @ x
        p -= p.max(axis=0)
        np.exp(p, out=p)
        p /= p.sum(axis=0)
        weighted = (p[:, None, :] * x).reshape(weights.size, -1)
        bend -= weighted @ weighted.T
        own += weighted @ x.T
    for k in range(classes):
        of_class = slice(k * width, (k + 1) * width)
        bend[of_class, of_class] += own[of_class] + ROUNDING * np.diag(np.diag(own[of_class]))
    bend /= samples
    bend[width - 1 :: width, width - 1 :: width] += 1 / classes**2
    return bend


def with_ones(codes: Doubles) -> Doubles:
    """float64 [Z + 1, S] for [S, Z], the last row 1."""
    return np.vstack([codes.T, np.ones(len(codes))])
