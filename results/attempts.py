"""Reading the ledger's files as rows of the attempts table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from results import files, lease, records
from results.files import Location
from results.schema import STAGES, SchemaError
from results.store import StudyFolder

ON_DEVICE = ("train", "encode", "measure")


def attempt_rows(account: dict[str, Any], outcome: str, *, lower_bound: bool) -> list[records.Row]:
    """Rows of the attempts table, one a trial, of what an open, beat or close file says.

    All seconds are multiplied by the share of each trial in the process run, so that they add up to
    it.
    """
    share = 1 / len(account["trial_ids"])
    stages = account.get("seconds") or dict.fromkeys(STAGES, 0.0)
    seconds = {f"{stage}_seconds": stages.get(stage, 0.0) * share for stage in STAGES}
    wall_seconds = account.get("wall_seconds", 0.0) * share
    gpu_share = float(account["gpu_share"])
    ended_at = None if outcome == "running" else account.get("ended_at")
    row = {
        **{
            name: account[name]
            for name in ("attempt_id", "study", "kind", "epoch", "node", "host", "pid", "device")
        },
        "share": share,
        "gpu_share": gpu_share,
        "cpus": float(account["cpus"]),
        "started_at": dt.datetime.fromisoformat(account["started_at"]),
        "ended_at": ended_at and dt.datetime.fromisoformat(ended_at),
        "resumed_from": account["resumed_from"],
        "start_step": account["start_step"],
        "steps_done": account.get("steps_done", account["start_step"]),
        **seconds,
        "wall_seconds": wall_seconds,
        "allocated_gpu_seconds": gpu_share * wall_seconds,
        "useful_gpu_seconds": gpu_share * sum(seconds[f"{s}_seconds"] for s in ON_DEVICE),
        "cpu_seconds": account.get("cpu_seconds", 0.0) * share,
        "outcome": outcome,
        "lower_bound": lower_bound,
        "error": account.get("error"),
    }
    return [row | {"trial_id": trial_id} for trial_id in account["trial_ids"]]


def list_attempts(folder: StudyFolder) -> tuple[set[str], set[str]]:
    """Ids of the closed attempts that are not compacted yet, and of those that are open.

    One listing.
    """
    names = files.names(folder.attempts_dir)
    closed = {name[:-11] for name in names if name.endswith(".close.json")}
    opened = {name[:-10] for name in names if name.endswith(".open.json")}
    return closed, opened - closed


def read_closed(folder: StudyFolder, attempt_id: str) -> list[records.Row]:
    """Rows of a closed attempt.

    None of them if it was compacted meanwhile. SchemaError if the file is newer or damaged.
    """
    account = _read(folder, attempt_id, "close")
    if account is None:
        return []
    with _ours(folder.attempt(attempt_id, "close")):
        return attempt_rows(account, account["outcome"], lower_bound=False)


def read_open(folder: StudyFolder, attempt_id: str, held_epoch: int | None) -> list[records.Row]:
    """Rows of an open attempt up to its last beat.

    Running if its epoch is the held one, else lost.
    """
    opened = _read(folder, attempt_id, "open")
    beat = _read(folder, attempt_id, "beat")
    account = beat or opened
    closed = read_closed(folder, attempt_id)  # last: it may have closed since the listing
    if closed or account is None:
        return closed
    with _ours(folder.attempt(attempt_id, "open")):
        outcome = "running" if account["epoch"] == held_epoch else "lost"
        return attempt_rows(account, outcome, lower_bound=True)


@contextmanager
def _ours(path: Location) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise SchemaError(f"{path}: not an attempt of ours ({error!r}); move it away") from error


def _read(folder: StudyFolder, attempt_id: str, part: str) -> dict[str, Any] | None:
    path = folder.attempt(attempt_id, part)
    try:
        return records.parse(path, records.content_of(path))
    except FileNotFoundError:
        return None


def attempts(folder: StudyFolder) -> list[records.Row]:
    """Rows of all attempts that are not compacted yet, ordered by id."""
    closed, opened = list_attempts(folder)
    held_epoch = lease.held_epoch(folder)
    rows = [row for attempt_id in sorted(closed) for row in read_closed(folder, attempt_id)]
    rows += [
        row for attempt_id in sorted(opened) for row in read_open(folder, attempt_id, held_epoch)
    ]
    return sorted(rows, key=lambda row: (row["attempt_id"], row["trial_id"]))


def attempt_files(folder: StudyFolder, attempt_id: str) -> list[Location]:
    """All files an attempt may have; deleted in another order, a crash would reopen it."""
    return [folder.attempt(attempt_id, part) for part in ("open", "beat", "close")]
