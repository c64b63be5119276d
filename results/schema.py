"""The columns of the four tables: from the declared parameters, typed, nullable, never inferred.

A table of zero rows has every column. Whole numbers and truth values that may be missing stay what
they are under a plain `pandas.read_parquet` (Int64, boolean), because the files carry pandas' own
note about it.
"""

from __future__ import annotations

import json

import pyarrow as pa

from grids.columns import COLUMN_TYPES
from grids.parts import COMMON_TERMS, FRAMEWORKS, RECONSTRUCTIONS

SCHEMA_VERSION = 1
VERSION_KEY = b"latentgrid.schema_version"


class SchemaError(Exception):
    """A file of a study is newer than this code, damaged, or not ours.

    One line: the file, what is wrong, what to do.
    """


TIMESTAMP = pa.timestamp("us", tz="UTC")
NUMBERS = pa.list_(pa.float64())
_ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
_PANDAS_EXTENSION = {pa.int64(): "Int64", pa.bool_(): "boolean"}

LOSS_TERMS: tuple[str, ...] = (
    *COMMON_TERMS,
    *dict.fromkeys(
        term
        for terms in (
            *(framework.terms for framework in FRAMEWORKS.values()),
            *(loss.terms for loss in RECONSTRUCTIONS.values()),
        )
        for term in terms
    ),
)
"""Every loss term that some trial reports: the common ones, then the parts' own."""


def _schema(columns: dict[str, pa.DataType]) -> pa.Schema:
    noted = [
        {
            "name": name,
            "field_name": name,
            "pandas_type": str(kind),
            "numpy_type": _PANDAS_EXTENSION[kind],
            "metadata": None,
        }
        for name, kind in columns.items()
        if kind in _PANDAS_EXTENSION
    ]
    note = {"index_columns": [], "column_indexes": [], "columns": noted, "pandas_version": "2.2.0"}
    metadata = {VERSION_KEY: str(SCHEMA_VERSION).encode(), b"pandas": json.dumps(note).encode()}
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()], metadata=metadata)


TRIALS = _schema(
    {
        "study": pa.string(),
        "trial_id": pa.string(),
        **{name: _ARROW[kind] for name, kind in COLUMN_TYPES.items()},
        "status": pa.string(),  # completed | diverged | failed
        "error": pa.string(),
        "steps_done": pa.int64(),
        **{f"final_{term}": pa.float64() for term in LOSS_TERMS},
        "final_kl_nats_by_latent": NUMBERS,
        "train_seconds": pa.float64(),  # these three are derived from the ledger at publishing
        "gpu_hours": pa.float64(),
        "cpu_hours": pa.float64(),
        "device": pa.string(),
        "dataset_fingerprint": pa.string(),
        "code_version": pa.string(),
        "attempt_id": pa.string(),
        "adopted_from": pa.string(),
        "finished_at": TIMESTAMP,
    }
)

CURVES = _schema(
    {
        "trial_id": pa.string(),
        "step": pa.int64(),
        **{term: pa.float64() for term in LOSS_TERMS},
        "kl_nats_by_latent": NUMBERS,
    }
)

SCORES = _schema(
    {
        "trial_id": pa.string(),
        "step": pa.int64(),
        "representation": pa.string(),  # mean | sampled
        "metric": pa.string(),
        "metric_version": pa.int64(),
        "score": pa.string(),
        "value": pa.float64(),
        "size": pa.string(),  # fast | full
        "seed": pa.int64(),
        "cells": pa.int64(),  # of the factor grid that was encoded
        "draws": pa.int64(),  # of the nuisance, of each cell
        "seconds": pa.float64(),
        "attempt_id": pa.string(),
    }
)

STAGES = ("prepare", "train", "encode", "score", "measure")

ATTEMPTS = _schema(
    {
        "attempt_id": pa.string(),
        "study": pa.string(),
        "trial_id": pa.string(),
        "kind": pa.string(),  # trial | score
        "epoch": pa.int64(),
        "share": pa.float64(),  # 1 / number of trials of the process run; all seconds contain it
        "node": pa.string(),
        "host": pa.string(),
        "pid": pa.int64(),
        "device": pa.string(),
        "gpu_share": pa.float64(),
        "cpus": pa.float64(),
        "started_at": TIMESTAMP,
        "ended_at": TIMESTAMP,
        "resumed_from": pa.string(),
        "start_step": pa.int64(),
        "steps_done": pa.int64(),
        **{f"{stage}_seconds": pa.float64() for stage in STAGES},
        "wall_seconds": pa.float64(),
        "allocated_gpu_seconds": pa.float64(),  # gpu_share x wall
        "useful_gpu_seconds": pa.float64(),  # gpu_share x (train + encode + measure)
        "cpu_seconds": pa.float64(),  # measured, not allocated
        "outcome": pa.string(),  # running | completed | diverged | failed | interrupted | lost
        "lower_bound": pa.bool_(),  # known up to the last beat only
        "error": pa.string(),
    }
)

# Of studies of measurements: a file a measurement, so not among the published tables.
DISTANCES = _schema(
    {
        "trial_id": pa.string(),
        **{
            name: _ARROW[kind]
            for name, kind in COLUMN_TYPES.items()
            if name.partition(".")[0] in ("dataset", "reconstruction", "seed")
        },
        "factor": pa.string(),  # "random" for pairs of any two images
        "positions": pa.int64(),
        "pairs": pa.int64(),
        "distance_mean": pa.float64(),
        "distance_sd": pa.float64(),  # of the pairs, not of the mean
        "distance_quantiles": NUMBERS,  # at shares 0, .005, ... 1
        "distance_matrix": pa.list_(NUMBERS),  # positions x positions
        "dataset_fingerprint": pa.string(),
    }
)

SCHEMAS: dict[str, pa.Schema] = {
    "trials": TRIALS,
    "curves": CURVES,
    "scores": SCORES,
    "attempts": ATTEMPTS,
}

KEYS: dict[str, tuple[str, ...]] = {
    "trials": ("trial_id",),
    "curves": ("trial_id", "step"),
    "scores": (
        "trial_id",
        "step",
        "representation",
        "metric",
        "metric_version",
        "score",
        "size",
        "seed",
    ),
    "attempts": ("attempt_id", "trial_id"),
}
"""What identifies a row: two rows of one key are one row written twice."""

PROVENANCE: dict[str, tuple[str, ...]] = {
    "trials": (
        "error",
        "train_seconds",
        "gpu_hours",
        "cpu_hours",
        "device",
        "code_version",
        "attempt_id",
        "adopted_from",
        "finished_at",
    ),
    "curves": (),
    "scores": ("seconds", "attempt_id"),
    "attempts": tuple(ATTEMPTS.names),
}
"""How a row came to be.

The other columns are the same however often a study was interrupted and run again.
"""
