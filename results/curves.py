"""The curves table: too large to hold, so it is read and added to as a stream.

Curves of finished trials never change, so each is added to `curves.parquet` once. Adding copies the
whole file: it waits until a twentieth of the trials in it has come, so that a sweep writes every
curve some twenty times however long it is; what waits is in the records, which `results.load` reads
too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from results import publishing, records
from results.parquet import conform, open_table, plain_type
from results.schema import CURVES
from results.store import StudyFolder

WAITING_FRACTION = 1 / 20
ROWS_AT_ONCE = 65_536


def published_trials(folder: StudyFolder) -> set[str]:
    """The trials whose curves are in the table."""
    with open_table(folder, "curves") as parquet:
        if parquet is None:
            return set()
        return {
            trial_id
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=["trial_id"])
            for trial_id in pc.unique(batch["trial_id"]).to_pylist()
        }


def publish(folder: StudyFolder, trial_ids: Iterable[str]) -> set[str]:
    """Add the curves of these trials to the table; gives those that had a record.

    Memory stays flat.
    """
    added: set[str] = set()

    def new() -> Iterator[pa.Table]:
        for trial_id, rows in read_records(folder, trial_ids):
            added.add(trial_id)
            yield rows

    path = folder.table("curves")
    with folder.replacing(path) as temporary:
        if _same_columns(folder):
            publishing.append(path, temporary, _large(new()), CURVES)
        else:  # a loss term was declared since the table was written
            publishing.append(None, temporary, _large(chain(_old(folder), new())), CURVES)
    return added


def _same_columns(folder: StudyFolder) -> bool:
    with open_table(folder, "curves") as parquet:
        if parquet is None:
            return True
        found = [(field.name, plain_type(field.type)) for field in parquet.schema_arrow]
        return found == [(field.name, field.type) for field in CURVES]


def _old(folder: StudyFolder) -> Iterator[pa.Table]:
    with open_table(folder, "curves") as parquet:
        if parquet is not None:
            for batch in parquet.iter_batches(ROWS_AT_ONCE):
                yield conform(pa.Table.from_batches([batch]), CURVES)


def _large(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in tables of at least ROWS_AT_ONCE, but for the last."""
    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        if sum(map(len, held)) >= ROWS_AT_ONCE:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def read_records(folder: StudyFolder, trial_ids: Iterable[str]) -> Iterator[tuple[str, pa.Table]]:
    """The recorded curve of each trial that has one."""
    for trial_id in trial_ids:
        try:
            rows = folder.read_record("curves", trial_id)
        except FileNotFoundError:
            continue
        yield trial_id, records.to_table("curves", [(folder.record("curves", trial_id), rows)])


def read(folder: StudyFolder, trial_ids: pa.Array | None = None) -> pa.Table:
    """All curves: the table's, and the records' of trials that are not in it yet.

    With `trial_ids`, those of these trials. Records are read before the table: whatever is
    compacted meanwhile is then in the table.
    """
    wanted = set(folder.record_names("curves") if trial_ids is None else trial_ids.to_pylist())
    loose = dict(read_records(folder, sorted(wanted - published_trials(folder))))
    parts = [CURVES.empty_table()]
    with open_table(folder, "curves") as parquet:
        if parquet is not None:
            for batch in parquet.iter_batches(ROWS_AT_ONCE):
                rows = conform(pa.Table.from_batches([batch]), CURVES)
                if trial_ids is not None:
                    rows = rows.filter(pc.is_in(rows["trial_id"], trial_ids))
                for trial_id in pc.unique(rows["trial_id"]).to_pylist():
                    loose.pop(trial_id, None)
                parts.append(rows)
    return pa.concat_tables([*parts, *loose.values()])
