"""Traversals of the factor grid, and distances between codes, in l1 and l2.

A traversal is a random row with one factor taken through all its positions: of a code table, a
look-up. The compiled functions stand together in one file, because numba's cache of a function
knows of changes in its own file only.
"""

from __future__ import annotations

import math

import numba
import numpy as np

from metrics.table import AbstractTable, Doubles, Floats, Integers


def draw_traversals(
    table: AbstractTable, rng: np.random.Generator, factor: int, count: int
) -> Integers:
    """int64 [count, n]: the rows of random traversals of a factor with n positions, in order.

    The other factors are drawn once a traversal, uniformly and independently; the replicate, where
    the table has several, is drawn for each row.
    """
    size, stride = table.factor_sizes[factor], int(table.strides[factor])
    cells = math.prod(table.factor_sizes)
    start = rng.integers(cells, size=(count, 1))
    start -= start // stride % size * stride
    replicate = rng.integers(table.replicates, size=(count, size))
    rows: Integers = replicate * cells + start + np.arange(size) * stride
    return rows


@numba.njit(cache=True)
def distances(codes: Floats, first: Integers, second: Integers) -> Doubles:
    """float64 [2, P]: the l1 and the l2 distance of the codes [N, Z] at rows `first` and `second`.

    first, second: int64 [P].
    """
    found = np.empty((2, len(first)))
    for pair in range(len(first)):
        found[0, pair], found[1, pair] = _distances(codes, first[pair], second[pair])
    return found


@numba.njit(cache=True)
def widths_and_steps(codes: Floats, traversals: Integers) -> tuple[Doubles, Doubles]:
    """(float64 [2, T], float64 [2, T]) of traversals [T, n] of the codes [N, Z], in l1 and l2.

    The width is the largest distance between two of the n points. The steps are the n distances
    from each point to the next one and from the last to the first; the largest of them is dropped,
    and the sum of the other n - 1 is returned.
    """
    count, size = traversals.shape
    widths, steps = np.zeros((2, count)), np.zeros((2, count))
    for t in range(count):
        largest_l1 = largest_l2 = 0.0
        for i in range(size):
            for j in range(i):
                l1, l2 = _distances(codes, traversals[t, i], traversals[t, j])
                widths[0, t], widths[1, t] = max(widths[0, t], l1), max(widths[1, t], l2)
            l1, l2 = _distances(codes, traversals[t, i], traversals[t, (i + 1) % size])
            steps[0, t] += l1
            steps[1, t] += l2
            largest_l1, largest_l2 = max(largest_l1, l1), max(largest_l2, l2)
        steps[0, t] -= largest_l1
        steps[1, t] -= largest_l2
    return widths, steps


@numba.njit(cache=True)
def _distances(codes: Floats, i: int, j: int) -> tuple[float, float]:
    l1 = l2 = 0.0
    for d in range(codes.shape[1]):
        difference = abs(np.float64(codes[i, d]) - np.float64(codes[j, d]))
        l1 += difference
        l2 += difference * difference
    return l1, math.sqrt(l2)
