"""Which rows of a code table metrics draw: all that has to be encoded for them.

They follow from the shape of the table, the sizes and the seed, never from the codes. So a metric
is shown a table that makes codes up and marks the rows that it is asked for; what a metric draws is
written nowhere but in the metric.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from metrics.registry import METRICS
from metrics.table import AbstractTable, Floats, Integers

DEAR_SECONDS = 1.0

Mask = npt.NDArray[np.bool_]


def rows_drawn(
    names: Iterable[str],
    factor_sizes: tuple[int, ...],
    *,
    replicates: int,
    latents: int,
    size: str,
    seed: int,
    representations: Iterable[str],
) -> Integers | None:
    """int64, ascending: the rows that `metrics.score` looks up for these metrics of code tables.

    Of every representation: draws of the posteriors come between those of rows. None where a metric
    needs the whole table: one that reads its arrays itself, or is dear and has no function that
    draws alone (`registry.Metric.draw`). Kept in memory, a bit of work for the first of a study.
    """
    found = np.zeros(0, dtype=np.bool_)
    for name in names:
        for representation in representations:
            with _one_at_a_time:
                mask = _mask_of(
                    name, factor_sizes, replicates, latents, size, seed, representation == "sampled"
                )
            if mask is None:
                return None
            found = found | mask if len(found) else mask
    return np.flatnonzero(found)


_one_at_a_time = threading.Lock()  # else the trials of a pack would all do the same work


@functools.lru_cache(maxsize=128)
def _mask_of(
    name: str,
    factor_sizes: tuple[int, ...],
    replicates: int,
    latents: int,
    size: str,
    seed: int,
    sampled: bool,
) -> Mask | None:
    metric = METRICS[name]
    if not metric.draw and metric.cost_seconds > DEAR_SECONDS:
        return None
    table = _MadeUpTable(factor_sizes, replicates, latents, sampled)
    draw: Callable[..., Any] = getattr(
        import_module(f"metrics.{metric.module}"), metric.draw or name
    )
    try:
        draw(table, seed=seed, **metric.sizes[size])
    except Exception:  # a metric of a user's own may ask for what only a whole table has
        return None
    return table.drawn


class _MadeUpTable(AbstractTable):
    """Holds nothing: normal codes for every look-up, which `drawn`, bool [R*N], keeps."""

    def __init__(
        self, factor_sizes: tuple[int, ...], replicates: int, latents: int, sampled: bool
    ) -> None:
        self.factor_sizes, self.sampled = factor_sizes, sampled
        self._replicates, self._latents = replicates, latents
        self._made_up = np.random.default_rng(0)
        self.drawn = np.zeros(self.num_rows, dtype=np.bool_)

    @property
    def replicates(self) -> int:
        return self._replicates

    @property
    def latents(self) -> int:
        return self._latents

    def look_up(self, rows: Integers) -> tuple[Floats, Floats | None, Integers]:
        self.drawn[rows] = True
        codes = self._made_up.standard_normal((rows.size, self._latents), dtype=np.float32)
        return codes, np.zeros_like(codes), np.arange(rows.size).reshape(rows.shape)
