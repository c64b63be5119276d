"""Scores of a representation that was made elsewhere: one file, without a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import metrics
from grids.fields import instead
from metrics import METRICS
from metrics.npz import read_npz
from metrics.sparse import SparseTable
from orchestrator.errors import InputError
from orchestrator.scoring import one_thread, sampled

QUICK_SECONDS = 60
Representation = Literal["mean", "sampled"]


class Score(NamedTuple):
    metric: str
    version: int
    score: str
    value: float


def score_file(
    path: Path, names: Sequence[str], *, representation: Representation, seed: int
) -> Iterator[Score]:
    """Scores the file with these metrics, or all that it can have and that take a minute at most.

    At full size, a metric at a time, the cheapest first. InputError, in one line, for an unknown
    metric, one that the file is not for, and bad arrays.
    """
    for name in names:
        if name not in METRICS:
            raise InputError(f"--metric {name}: no such metric; {instead(name, METRICS)}")
    try:
        data = read_npz(path)
        if isinstance(data, SparseTable):
            raise ValueError(
                f"{path}: holds {len(data.codes):,} of {data.num_rows:,} rows, for a study's own "
                "scores; valid: all rows, as a study with keep_codes: true leaves them"
            )
        if representation == "sampled":
            try:
                data = sampled(data, seed)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
        wanted = list(dict.fromkeys(names)) or [
            name
            for name in metrics.metrics_for(metrics.shape_of(data))
            if METRICS[name].cost_seconds <= QUICK_SECONDS
        ]
        with one_thread():
            for name in sorted(wanted, key=lambda name: METRICS[name].cost_seconds):
                for score, value in metrics.score(name, data, size="full", seed=seed).items():
                    yield Score(name, METRICS[name].version, score, value)
    except ValueError as error:
        raise InputError(str(error)) from None
