"""What the tables say that no record does: hours of a trial, and attempts that were lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from results import hours

HOURS = ("train_seconds", "gpu_hours", "cpu_hours")


def with_hours(trials: pa.Table, attempts: pa.Table, scores: pa.Table) -> pa.Table:
    """The trials with the hours that the ledger gives them; the same object if none differ.

    A failed trial has none: what it took is wasted. A row whose attempt is not in the ledger
    (adopted from another study) keeps the hours it came with.
    """
    frame = trials.select(["trial_id", "status", "attempt_id", *HOURS]).to_pandas()
    scored = scores.group_by(["trial_id", "attempt_id"]).aggregate([])  # of many rows few
    accounted = hours.account(attempts.to_pandas(), frame, scored.to_pandas())
    known = pd.MultiIndex.from_frame(accounted[["attempt_id", "trial_id"]])
    derived = pd.MultiIndex.from_frame(frame[["attempt_id", "trial_id"]]).isin(known)
    failed = frame["status"].to_numpy() == "failed"
    by_trial = hours.by_trial(accounted).reindex(frame["trial_id"])
    for name in HOURS:
        before = frame[name].to_numpy(dtype=float)
        after = np.where(derived, by_trial[name].to_numpy(dtype=float), before)
        after[failed] = 0.0
        if not np.array_equal(before, after, equal_nan=True):
            column = pa.array(after, type=pa.float64(), from_pandas=True)
            trials = trials.set_column(
                trials.schema.get_field_index(name), trials.field(name), column
            )
    return trials


def with_lost(attempts: pa.Table, held_epoch: int | None) -> pa.Table:
    """Attempts that never closed and cannot be running any more are lost.

    Their epoch holds the study no more, or their trial was started again after them, which happens
    once their process is gone.
    """
    running = pc.equal(attempts["outcome"], "running")
    if not pc.any(running, min_count=0).as_py():
        return attempts
    names = ["trial_id", "kind", "epoch", "started_at"]
    rows = attempts.select(names).to_pandas()
    latest = rows.groupby(["trial_id", "kind"])["started_at"].transform("max")
    gone = (rows["started_at"] < latest) & (rows["kind"] == "trial")
    if held_epoch is None:
        gone[:] = True
    else:
        gone |= rows["epoch"] != held_epoch
    lost = pc.and_(running, pa.array(gone))
    outcome = pc.if_else(lost, "lost", attempts["outcome"])
    return attempts.set_column(
        attempts.schema.get_field_index("outcome"), attempts.field("outcome"), outcome
    )
