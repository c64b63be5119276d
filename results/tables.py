"""The tables of a study: records and attempts read as they come, published as one file a table.

`<table>.parquet` is replaced in one step and never lacks a row that it had, so any Parquet reader
sees a whole table at every moment. `load` sees more: what is recorded but not published yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from results import curves, files, lease, publishing, records
from results.attempts import attempt_files, list_attempts, read_closed, read_open
from results.derived import HOURS, with_hours, with_lost
from results.files import Location, location
from results.merge import merged
from results.objects import Identity
from results.parquet import read_table
from results.schema import SCHEMAS, SchemaError
from results.store import FINAL, StudyFolder, trial_record_name

HELD = ("trials", "scores", "attempts")
"""The tables held in memory; curves are streamed."""
MOST_CHUNKS = 64  # of a held table: every refresh adds one, and each costs a little at every sum


class Frames(NamedTuple):
    """A study's tables as pandas frames; columns in results.schema."""

    trials: pd.DataFrame
    curves: pd.DataFrame
    scores: pd.DataFrame
    attempts: pd.DataFrame


class Tables:
    """A study's tables: `refresh` reads what is new, `publish` writes what changed.

    Any number of readers may have one; `publish` is the lease holder's. SchemaError for what is
    newer, damaged or foreign. Whoever only looks may be `lenient`, as at a folder that is being
    copied: a file that cannot be read is then left out and said in `unread`, a line a file. A table
    of a compacted study never is: nothing else has its rows.
    """

    def __init__(self, folder: StudyFolder, *, lenient: bool = False) -> None:
        self.folder = folder
        self.unread: list[str] = []
        self._lenient = lenient
        self._held = {table: SCHEMAS[table].empty_table() for table in HELD}
        self._files: dict[str, Identity | None] = dict.fromkeys(SCHEMAS)
        self._read: dict[str, set[str]] = {"trials": set(), "scores": set()}
        self._closed: set[str] = set()
        self._open: dict[str, list[records.Row]] = {}
        self._held_epoch: int | None = None
        self._changed: set[str] = set()
        self._derived: dict[str, pa.Table] | None = None
        self._in_curves: set[str] = set()

    def refresh(self) -> None:
        """Read new records and attempts, and tables that somebody else published.

        Tables come second: what is compacted while this runs is then found in them. The very first
        time they come before, too: what they hold is then not read again from its records, which
        of a large study takes seconds.
        """
        self.unread = []
        if not any(self._files.values()):
            for table in HELD:
                with contextlib.suppress(SchemaError):  # said below
                    if (published := self._identity(table)) is not None:
                        self._take_published(table, published)
        for table in ("trials", "scores"):
            self._refresh_records(table)
        self._refresh_attempts()
        identities = {table: self._identity(table) for table in SCHEMAS}
        for table, identity in identities.items():
            if identity is None:
                read_table(self.folder, table, [])  # complains if it was compacted
                self._changed.add(table)
                if any(identities.values()):
                    self.unread.append(
                        f"{self.folder.table(table)}: not there, though other tables are; "
                        "its rows are those in _rows"
                    )
            elif identity != self._files[table]:
                with self._reading(self.folder.compacted.exists()):
                    self._take_published(table, identity)

    def publish(self, *, everything: bool = False) -> None:
        """Write each table whose rows changed; curves when it pays, or all with `everything`.

        lease.Fenced if a newer epoch holds the study. Trials come last: what a row speaks of is
        there by then.
        """
        state = self._state()
        self._publish_curves(state["trials"], everything)
        for table in ("attempts", "scores", "trials"):
            if table in self._changed:
                with self.folder.replacing(self.folder.table(table)) as temporary:
                    publishing.rewrite(self.folder.table(table), temporary, state[table])
                self._published(table)

    def frames(
        self, *, with_curves: bool = True, columns: Mapping[str, Sequence[str]] | None = None
    ) -> Frames:
        """The tables as of the last refresh, published or not; curves, if wanted, as of now.

        `columns` are those wanted of a table, where not all are.
        """
        columns = columns or {}
        # Hours take all attempts, and a while of a large study.
        without_hours = set(columns.get("trials", HOURS)).isdisjoint(HOURS)
        tables = (self._derived or self._underived()) if without_hours else self._state()
        state = {
            table: rows.select(columns.get(table, rows.column_names))
            for table, rows in tables.items()
        }
        curve_rows = curves.read(self.folder) if with_curves else SCHEMAS["curves"].empty_table()
        return Frames(
            trials=state["trials"].to_pandas(),
            curves=curve_rows.to_pandas(),
            scores=state["scores"].to_pandas(),
            attempts=state["attempts"].to_pandas(),
        )

    def attempts(self) -> pa.Table:
        """The attempts as of now, without looking at anything else that is new."""
        self._refresh_attempts()
        return self._all_attempts()

    def table(self, table: str) -> pa.Table:
        """The table trials, scores or attempts as of the last refresh, in Arrow."""
        return self._state()[table]

    def compact(self) -> int:
        """Publish everything, then delete what the tables hold; gives the number of files.

        For the lease holder; readers see the same rows at every moment.
        """
        self.refresh()
        self.publish(everything=True)
        folder = self.folder
        folder.write(folder.compacted, records.encode("trials", []))
        closed, _ = list_attempts(folder)
        in_curves = self._in_curves.intersection(folder.record_names("curves"))
        named = ((table, name) for table, read in self._read.items() for name in read)
        merged_files = [
            *(folder.record(table, name) for table, name in named),
            *(folder.record("curves", trial_id) for trial_id in in_curves),
            *(path for id_ in closed & self._closed for path in attempt_files(folder, id_)),
        ]
        return files.remove(merged_files)

    def _refresh_records(self, table: str) -> None:
        read = self._read[table]
        new = set(self.folder.record_names(table)) - read
        held = new & _records_of(table, self._held[table]) if new and not read else set()
        found, seen = [], set()
        for name in sorted(new - held):
            # Where it was compacted since the listing, it is in the table.
            with self._reading(), contextlib.suppress(FileNotFoundError):
                rows = self.folder.read_record(table, name)
                found.append((self.folder.record(table, name), rows))
                seen.add(name)
        if found:
            self._merge(table, records.to_table(table, found))
        read |= held | seen

    def _refresh_attempts(self) -> None:
        closed, opened = list_attempts(self.folder)
        if closed and not self._closed:
            rows = self._held["attempts"]
            whole = rows["attempt_id"].filter(pc.invert(rows["lower_bound"]))
            self._closed = closed.intersection(whole.to_pylist())
        new, seen = [], set()
        for attempt_id in sorted(closed - self._closed):
            with self._reading():
                path = self.folder.attempt(attempt_id, "close")
                new.append((path, read_closed(self.folder, attempt_id)))
                seen.add(attempt_id)
        if new:
            self._merge("attempts", records.to_table("attempts", new))
            self._closed |= seen
        held_epoch = lease.held_epoch(self.folder)
        rows = {}
        for attempt_id in opened:
            with self._reading():
                rows[attempt_id] = read_open(self.folder, attempt_id, held_epoch)
        if rows != self._open or held_epoch != self._held_epoch:
            self._open, self._held_epoch = rows, held_epoch
            self._changed.add("attempts")
            self._derived = None

    @contextlib.contextmanager
    def _reading(self, strict: bool = False) -> Iterator[None]:
        """A SchemaError is written down if lenient, and else raised."""
        try:
            yield
        except SchemaError as error:
            if strict or not self._lenient:
                raise
            if str(error) not in self.unread:  # a damaged table is looked at twice
                self.unread.append(str(error))

    def _merge(self, table: str, rows: pa.Table) -> None:
        held = merged(table, self._held[table], rows)
        many = held.column(0).num_chunks > MOST_CHUNKS
        self._held[table] = held.combine_chunks() if many else held
        self._changed.add(table)
        self._derived = None

    def _take_published(self, table: str, identity: Identity) -> None:
        if table == "curves":
            self._in_curves = curves.published_trials(self.folder)
        else:
            rows = read_table(self.folder, table)
            assert rows is not None
            held = self._held[table]
            # Of a study that runs on, whoever watches it takes its tables again and again.
            if len(new := held.filter(pc.invert(pc.is_in(_marks(held), _marks(rows))))):
                rows = merged(table, rows, new)
                self._changed.add(table)
            self._held[table] = rows
            self._derived = None
        self._files[table] = identity

    def _state(self) -> dict[str, pa.Table]:
        """The held tables as they are published: with open attempts, and hours in the trials."""
        if self._derived is None:
            state = self._underived()
            trials = with_hours(state["trials"], state["attempts"], state["scores"])
            if trials is not self._held["trials"]:
                self._held["trials"] = trials
                self._changed.add("trials")
            self._derived = {**state, "trials": trials}
        return self._derived

    def _underived(self) -> dict[str, pa.Table]:
        """The same but for the hours of trials, which may be those of an earlier moment."""
        return {**self._held, "attempts": self._all_attempts()}

    def _all_attempts(self) -> pa.Table:
        attempts = self._held["attempts"]
        if self._open:
            rows = [(self.folder.attempts_dir, rows) for rows in self._open.values()]
            attempts = merged("attempts", attempts, records.to_table("attempts", rows))
        return with_lost(attempts, self._held_epoch)

    def _publish_curves(self, trials: pa.Table, everything: bool) -> None:
        final = trials.filter(pc.is_in(trials["status"], pa.array(FINAL)))["trial_id"].to_pylist()
        recorded = set(self.folder.record_names("curves"))
        waiting = sorted(recorded.intersection(final) - self._in_curves)
        enough = len(waiting) >= curves.WAITING_FRACTION * len(self._in_curves)
        if self._files["curves"] is None or (waiting and (everything or enough)):
            self._in_curves |= curves.publish(self.folder, waiting)
            self._published("curves")

    def _identity(self, table: str) -> Identity | None:
        """Changes whenever the published table is replaced; None before the first publish."""
        return files.identity(self.folder.table(table))

    def _published(self, table: str) -> None:
        self._files[table] = self._identity(table)
        self._changed.discard(table)


def _marks(rows: pa.Table) -> pa.Array:
    """What tells rows of trials, scores or attempts apart by the attempt that they came from."""
    parts = [rows["trial_id"], rows["attempt_id"]]
    if "lower_bound" in rows.column_names:
        parts.append(rows["lower_bound"].cast(pa.string()))
    return pc.binary_join_element_wise(*parts, " ").combine_chunks()


def _records_of(table: str, rows: pa.Table) -> set[str]:
    """The names of the records that these rows of the trials or scores came from."""
    if table == "scores":
        return set(pc.unique(rows["attempt_id"]).to_pylist())
    names = (rows[name].to_pylist() for name in ("trial_id", "status", "attempt_id"))
    return set(map(trial_record_name, *names))


def load(
    study: Location | str,
    *,
    with_curves: bool = True,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> Frames:
    """The tables of the study in this folder, at this moment: published or not yet.

    `columns` are those wanted of a table, where not all are. Needs no lease. SchemaError for a
    study that is newer than this code, or damaged.
    """
    folder = StudyFolder(location(study))
    folder.check()
    tables = Tables(folder)
    tables.refresh()
    return tables.frames(with_curves=with_curves, columns=columns)


def compact(folder: StudyFolder) -> int:
    """Fold the study's records and closed attempts into its tables; gives the files deleted.

    For the lease holder.
    """
    return Tables(folder).compact()


def rows_of_trials(
    folder: StudyFolder,
    table: str,
    trial_ids: Iterable[str],
    columns: Sequence[str] | None = None,
) -> dict[str, list[records.Row]]:
    """The rows of the table trials, scores or curves, by trial, of those trials that have any.

    With `columns`, only these of them; one is `trial_id`.
    """
    wanted = pa.array(sorted(trial_ids), pa.string())
    if table == "curves":
        rows = curves.read(folder, wanted)
    else:
        tables = Tables(folder)
        tables.refresh()
        rows = tables.table(table).filter(pc.is_in(tables.table(table)["trial_id"], wanted))
    found: dict[str, list[records.Row]] = {}
    for row in rows.select(columns or rows.column_names).to_pylist():
        found.setdefault(row["trial_id"], []).append(row)
    return found
