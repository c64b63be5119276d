"""Merging rows of one key: the same come out in whatever order, and however often, they are read.

- trials: completed and diverged beat failed; of those the first attempt wins, of failed that of the
  newest epoch (a clock may have been set back);
- scores: of those of a cell the one of most models wins (`draws`), else the first attempt;
- attempts: a closed account beats one known up to a beat; of those the later beat wins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from results.schema import KEYS
from results.store import FINAL


def _trial_rank(status: str, attempt_id: str | None) -> tuple[Any, ...]:
    if status in FINAL:
        return 0, attempt_id or ""
    epoch = (attempt_id or "")[:6]
    return 1, -int(epoch) if epoch.isdecimal() else 0, attempt_id or ""


def _score_rank(draws: int | None, attempt_id: str | None) -> tuple[Any, ...]:
    return -(draws or 0), attempt_id or ""


def _attempt_rank(lower_bound: bool, wall_seconds: float) -> tuple[Any, ...]:
    return lower_bound, -wall_seconds


_RANK: dict[str, tuple[tuple[str, ...], Callable[..., tuple[Any, ...]]]] = {
    "trials": (("status", "attempt_id"), _trial_rank),
    "scores": (("draws", "attempt_id"), _score_rank),
    "attempts": (("lower_bound", "wall_seconds"), _attempt_rank),
}


def best(table: str, rows: pa.Table) -> pa.Table:
    """One row a key: the one of the lowest rank, the later of equals."""
    names, rank = _RANK[table]
    keys = zip(*(rows[name].to_pylist() for name in KEYS[table]), strict=True)
    ranks = zip(*(rows[name].to_pylist() for name in names), strict=True)
    chosen: dict[tuple[Any, ...], tuple[tuple[Any, ...], int]] = {}
    for index, (key, values) in enumerate(zip(keys, ranks, strict=True)):
        ranked = rank(*values)
        if key not in chosen or ranked <= chosen[key][0]:
            chosen[key] = ranked, index
    if len(chosen) == len(rows):
        return rows
    return rows.take(sorted(index for _, index in chosen.values()))


def merged(table: str, known: pa.Table, new: pa.Table) -> pa.Table:
    """`known`, one row a key, with the rows of `new`.

    Looks only at the trials that `new` speaks of.
    """
    touched = pc.is_in(known["trial_id"], value_set=new["trial_id"].combine_chunks())
    if not pc.any(touched, min_count=0).as_py():
        return pa.concat_tables([known, best(table, new)])
    again = best(table, pa.concat_tables([known.filter(touched), new]))
    return pa.concat_tables([known.filter(pc.invert(touched)), again])
