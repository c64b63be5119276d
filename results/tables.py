"""The tables of a study: records and attempts read as they come, published as one file a table.

`<table>.parquet` is replaced in one step and never lacks a row that it had, so any Parquet reader
sees a whole table at every moment. `load` sees more: what is recorded but not published yet.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from results import curves, files, lease, publishing, records
from results.attempts import attempt_files, list_attempts, read_closed, read_open
from results.derived import with_hours, with_lost
from results.files import Location, location
from results.merge import merged
from results.objects import Identity
from results.parquet import read_table
from results.schema import SCHEMAS, SchemaError
from results.store import FINAL, StudyFolder

HELD = ("trials", "scores", "attempts")
"""The tables held in memory; curves are streamed."""


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
        self._read: dict[str, dict[str, Identity]] = {"trials": {}, "scores": {}}
        self._closed: set[str] = set()
        self._in_table: dict[str, set[str]] = {"trials": set(), "scores": set()}
        """Names of records whose rows came with the published table: not one of them is opened."""
        self._open: dict[str, list[records.Row]] = {}
        self._held_epoch: int | None = None
        self._changed: set[str] = set()
        self._derived: dict[str, pa.Table] | None = None
        self._in_curves: set[str] = set()

    def refresh(self) -> None:
        """Read new or changed records and attempts, and tables that somebody else published.

        Tables come second: what is compacted while this runs is then found in them.
        """
        self.unread = []
        for table in HELD:
            if self._files[table] is None and (identity := self._identity(table)):
                with self._reading(self.folder.compacted.exists()):
                    self._take_published(table, identity)
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

    def frames(self, *, with_curves: bool = True) -> Frames:
        """The tables as of the last refresh, published or not; curves, if wanted, as of now."""
        state = self._state()
        curve_rows = curves.read(self.folder) if with_curves else SCHEMAS["curves"].empty_table()
        return Frames(
            trials=state["trials"].to_pandas(),
            curves=curve_rows.to_pandas(),
            scores=state["scores"].to_pandas(),
            attempts=state["attempts"].to_pandas(),
        )

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
        return files.remove(
            [
                *(
                    folder.record(table, name)
                    for table, read in self._read.items()
                    for name in read
                ),
                *(folder.record("curves", trial_id) for trial_id in in_curves),
                *(path for id_ in closed & self._closed for path in attempt_files(folder, id_)),
            ]
        )

    def _refresh_records(self, table: str) -> None:
        read = self._read[table]
        found, seen = [], {}
        for name, identity in self._listed(table):
            if read.get(name) == identity:
                continue
            if name in self._in_table[table]:
                seen[name] = identity
                continue
            # Where it was compacted since the listing, it is in the table.
            with self._reading(), contextlib.suppress(FileNotFoundError):
                rows = self.folder.read_record(table, name)
                found.append((self.folder.record(table, name), rows))
                seen[name] = identity
        if found:
            self._merge(table, records.to_table(table, sorted(found, key=itemgetter(0))))
        read |= seen

    def _listed(self, table: str) -> list[tuple[str, Identity]]:
        """Name, and time of change with size, of each record."""
        listed = files.identities(self.folder.rows_dir(table)).items()
        return [(name[:-5], identity) for name, identity in listed if name.endswith(".json")]

    def _refresh_attempts(self) -> None:
        closed, opened = list_attempts(self.folder)
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
        self._held[table] = merged(table, self._held[table], rows)
        self._changed.add(table)
        self._derived = None

    def _take_published(self, table: str, identity: Identity) -> None:
        if table == "curves":
            self._in_curves = curves.published_trials(self.folder)
        else:
            rows = read_table(self.folder, table)
            assert rows is not None
            self._note_published(table, rows)
            if len(self._held[table]):
                rows = merged(table, rows, self._held[table])
                self._changed.add(table)
            self._held[table] = rows
            self._derived = None
        self._files[table] = identity

    def _note_published(self, table: str, rows: pa.Table) -> None:
        """A record is published whole, and one of a name always says the same."""
        ids = rows["attempt_id"]
        if table == "attempts":
            self._closed.update(ids.filter(pc.invert(rows["lower_bound"])).to_pylist())
        elif table == "scores":
            self._in_table[table].update(pc.unique(ids).to_pylist())
        else:
            columns = (rows[name].to_pylist() for name in ("trial_id", "status", "attempt_id"))
            self._in_table[table].update(map(".".join, zip(*columns, strict=True)))

    def _state(self) -> dict[str, pa.Table]:
        """The held tables as they are published: with open attempts, and hours in the trials."""
        if self._derived is None:
            attempts = self._held["attempts"]
            if self._open:
                rows = [(self.folder.attempts_dir, rows) for rows in self._open.values()]
                attempts = merged("attempts", attempts, records.to_table("attempts", rows))
            attempts = with_lost(attempts, self._held_epoch)
            scores = self._held["scores"]
            trials = with_hours(self._held["trials"], attempts, scores)
            if trials is not self._held["trials"]:
                self._held["trials"] = trials
                self._changed.add("trials")
            self._derived = {"trials": trials, "scores": scores, "attempts": attempts}
        return self._derived

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


def load(study: Location | str, *, with_curves: bool = True) -> Frames:
    """The tables of the study in this folder, at this moment: published or not yet.

    Needs no lease. SchemaError for a study that is newer than this code, or damaged.
    """
    folder = StudyFolder(location(study))
    folder.check()
    tables = Tables(folder)
    tables.refresh()
    return tables.frames(with_curves=with_curves)


def compact(folder: StudyFolder) -> int:
    """Fold the study's records and closed attempts into its tables; gives the files deleted.

    For the lease holder.
    """
    return Tables(folder).compact()


def rows_of_trials(
    folder: StudyFolder, table: str, trial_ids: Iterable[str]
) -> dict[str, list[records.Row]]:
    """The rows of the table trials, scores or curves, by trial, of those trials that have any."""
    wanted = pa.array(sorted(trial_ids), pa.string())
    if table == "curves":
        rows = curves.read(folder, wanted)
    else:
        tables = Tables(folder)
        tables.refresh()
        rows = tables.table(table).filter(pc.is_in(tables.table(table)["trial_id"], wanted))
    found: dict[str, list[records.Row]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["trial_id"], []).append(row)
    return found
