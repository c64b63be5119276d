"""Samples to learn from and others to judge by: what metrics draw that train classifiers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metrics.table import AbstractTable, Doubles, Integers, codes_at, draw_rows, factors_at


class Samples(NamedTuple):
    """codes: float64 [S, Z]. factors: int64 [F, S], the position of every factor."""

    codes: Doubles
    factors: Integers


def draw_samples(
    table: AbstractTable, rng: np.random.Generator, train_samples: int, test_samples: int
) -> tuple[Samples, Samples]:
    """So many samples to learn from, and others to judge by, drawn with replacement."""
    train, test = draw_rows(table, rng, train_samples), draw_rows(table, rng, test_samples)
    codes, unseen = codes_at(table, train, rng), codes_at(table, test, rng)
    return Samples(codes, factors_at(table, train)), Samples(unseen, factors_at(table, test))
