"""Flatness: do the codes along a factor lie on a straight line, evenly and along one latent?

Michlo, disent 8f061a8 (2023), metrics/_flatness.py, of which no paper has the definition.
"""

from __future__ import annotations

import numpy as np

from metrics.distances import draw_traversals, widths_and_steps
from metrics.table import AbstractTable, Doubles, generator, looked_up


def flatness(table: AbstractTable, *, seed: int, repeats: int) -> dict[str, float]:
    """The mean over factors of width over length, of `repeats` traversals of each factor.

        flatness = mean_f ( mean_t width_t / ((n_f - 1) mean_t,i step_t,i) )

    The width of a traversal is the largest l2 distance between two of its n_f points. Its steps are
    the l1 distances from each point to the next, round from the last to the first, without the
    largest: so a factor that ends where it began is treated as one that does not. 1 for evenly
    spaced points along one latent; 1 / sqrt(2) for such a line at 45 degrees between two. 0 for a
    factor along which nothing changes. A traversal of a table with replicates draws one for each
    of its rows.

    flatness_l1, flatness_l2: the same with widths and lengths both in l1, both in l2.
    flatness_width_l1, _width_l2, _length_l1, _length_l2: the means over factors of the mean width
        and of the length, (n_f - 1) times the mean step, in units of the codes.
    """
    rng = generator(seed, "flatness")
    widths, lengths = np.zeros((2, 2, len(table.varying)))  # each [l1 and l2, factor]
    for place, factor in enumerate(table.varying):
        rows = draw_traversals(table, rng, factor, repeats)
        width, steps = widths_and_steps(*looked_up(table, rows, rng))
        # The mean step times n - 1 is the mean of the sums of the n - 1 steps.
        widths[:, place], lengths[:, place] = width.mean(axis=1), steps.mean(axis=1)
    (width_l1, width_l2), (length_l1, length_l2) = widths.mean(axis=1), lengths.mean(axis=1)
    return {
        "flatness": mean_ratio(widths[1], lengths[0]),
        "flatness_l1": mean_ratio(widths[0], lengths[0]),
        "flatness_l2": mean_ratio(widths[1], lengths[1]),
        "flatness_width_l1": float(width_l1),
        "flatness_width_l2": float(width_l2),
        "flatness_length_l1": float(length_l1),
        "flatness_length_l2": float(length_l2),
    }


def mean_ratio(widths: Doubles, lengths: Doubles) -> float:
    """mean_f widths_f / lengths_f, float64 [F] both, with 0 for a length of 0."""
    ratios = np.divide(widths, lengths, out=np.zeros_like(widths), where=lengths > 0)
    # Rounding can leave a little more than 1.
    return min(1.0, float(ratios.mean()))
