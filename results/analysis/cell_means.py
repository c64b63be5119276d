"""How sure a number over cells of runs is: a cell is a setting, its runs differ by their seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from results.analysis.intervals import RESAMPLES, SEED, Interval, around

Doubles = npt.NDArray[np.float64]


def over_cells(
    cells: Sequence[Any],
    statistic: Callable[[Doubles], Any],
    centre: Callable[..., Any] = np.mean,
) -> Interval:
    """statistic(centres of the cells), with its 95 % percentile interval.

    A cell is the values of its runs, [runs] or, of several scores that are drawn together,
    [runs, scores]. In a resample every cell draws as many of its own runs as it has, so that what
    is compared stays compared; `statistic` takes [resamples, cells] (or [resamples, cells, scores])
    and gives [resamples]. n is the number of runs of the smallest cell; where it is 1 there is no
    interval, where it is 0 (or there is no cell) no value.
    """
    there = [_without_missing(np.asarray(cell, dtype=np.float64)) for cell in cells]
    n = min((len(cell) for cell in there), default=0)
    if n == 0:
        return Interval(np.nan, np.nan, np.nan, 0)
    value = float(statistic(np.stack([centre(cell, axis=0) for cell in there])[None])[0])
    if n == 1:
        return Interval(value, np.nan, np.nan, 1)
    random = np.random.default_rng(SEED)
    drawn = np.stack(
        [
            centre(cell[random.integers(len(cell), size=(RESAMPLES, len(cell)))], axis=1)
            for cell in there
        ],
        axis=1,
    )
    return around(value, np.asarray(statistic(drawn)), n)


def _without_missing(cell: Doubles) -> Doubles:
    missing = np.isnan(cell)
    return cell[~(missing if cell.ndim == 1 else missing.any(axis=1))]


def slope(values: Doubles, places: Sequence[float]) -> Doubles:
    """The slope of the least-squares line through values [..., P] over P places."""
    x = np.asarray(places, dtype=np.float64)
    x = x - x.mean()
    found: Doubles = (values - values.mean(axis=-1, keepdims=True)) @ x / (x @ x)
    return found
