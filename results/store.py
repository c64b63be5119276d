"""Where all of a study lies, and how it is written: whole, and only by the newest epoch.

Nobody else puts file names together. A record is a small JSON file under `_rows/`, named by its
identity, so that writing twice gives the same rows and one listing is the state; the lease holder
publishes records as tables.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from grids.load import Grid, load_grid
from results import files, lease, parquet, records
from results.files import Location, on_disk
from results.schema import SCHEMAS, SchemaError

FINAL = ("completed", "diverged")
"""What needs no further attempt: divergence is a result."""
FIXED_CODES = "fixed_codes.npz"
PICTURES = "pictures.npz"
"""Among a trial's artifacts."""
LONGEST_NAME = 200
_CHECKPOINT = re.compile(r"([^/]+)/[^/.][^/]*\.([0-9]+)\.pt")


def file_name(name: str) -> str:
    """The name, for a file or folder of that name; SchemaError where it could lead elsewhere.

    Ids that rows hold come from files, which anybody may have written.
    """
    there = isinstance(name, str) and 0 < len(name) <= LONGEST_NAME
    if not there or name[0] == "." or "/" in name or not name.isprintable():
        raise SchemaError(f"{name!r:.80}: not a name of ours; the file that holds it is not either")
    return name


@dataclasses.dataclass(frozen=True)
class StudyFolder:
    """A study's folder `<out>/<study>`.

    With an epoch, a writer's view of it. Plain data: picklable.
    """

    root: Location
    epoch: int | None = None

    @property
    def out(self) -> Location:
        return self.root.parent

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def manifest(self) -> Location:
        return self.root / "manifest.json"

    @property
    def study_yaml(self) -> Location:
        return self.root / "study.yaml"

    def grid(self) -> Grid:
        """The grid as it was run last; raises GridError."""
        with on_disk(self.study_yaml) as path:
            return load_grid(path)

    def table(self, table: str) -> Location:
        """The published table: trials, curves, scores or attempts."""
        return self.root / f"{table}.parquet"

    def rows_dir(self, table: str) -> Location:
        return self.root / "_rows" / table

    def record(self, table: str, name: str) -> Location:
        return self.rows_dir(table) / f"{file_name(name)}.json"

    @property
    def compacted(self) -> Location:
        """Exists once records were deleted: from then on the tables cannot be rebuilt."""
        return self.root / "_rows" / "compacted.json"

    @property
    def attempts_dir(self) -> Location:
        return self.root / "attempts"

    def attempt(self, attempt_id: str, part: str) -> Location:
        """Part `open`, `beat` or `close` of an attempt's account."""
        return self.attempts_dir / f"{file_name(attempt_id)}.{part}.json"

    @property
    def lease_dir(self) -> Location:
        return self.root / "lease"

    def weights(self, trial_id: str) -> Location:
        return self.root / "models" / f"{file_name(trial_id)}.pt"

    def checkpoint_dir(self, trial_id: str) -> Location:
        return self.root / "checkpoints" / file_name(trial_id)

    def checkpoint_steps(self) -> dict[str, int]:
        """trial_id -> the furthest step that a checkpoint holds, told by the files' names."""
        found: dict[str, int] = {}
        for name in files.names_below(self.root / "checkpoints"):
            if match := _CHECKPOINT.fullmatch(name):
                trial_id, step = match[1], int(match[2])
                found[trial_id] = max(step, found.get(trial_id, 0))
        return found

    @property
    def codes_dir(self) -> Location:
        return self.root / "codes"

    def codes(self, trial_id: str, step: int) -> Location:
        return self.codes_dir / f"{file_name(trial_id)}-{step}.npz"

    def artifacts(self, trial_id: str) -> Location:
        return self.root / "artifacts" / file_name(trial_id)

    def fixed_codes(self, trial_id: str) -> Location:
        """Codes of images that all trials of a dataset share: what a cell is scored by."""
        return self.artifacts(trial_id) / FIXED_CODES

    def trials_with_fixed_codes(self) -> set[str]:
        """One listing."""
        found = (name.split("/") for name in files.names_below(self.root / "artifacts"))
        return {trial_id for trial_id, *rest in found if rest == [FIXED_CODES]}

    def distances(self, trial_id: str) -> Location:
        return self.root / "distances" / f"{file_name(trial_id)}.parquet"

    def log(self, trial_id: str) -> Location:
        return self.root / "logs" / f"{file_name(trial_id)}.txt"

    def check_fence(self) -> None:
        """Raise lease.Fenced if this folder has an epoch and a newer one holds the study.

        One listing.
        """
        if self.epoch is not None and not lease.current(self, self.epoch):
            raise lease.Fenced(
                f"study {self.name}: epoch {self.epoch} lost its lease to epoch "
                f"{lease.newest_epoch(self)}; this process stops writing"
            )

    @contextlib.contextmanager
    def replacing(self, path: Location, *, durable: bool = True) -> Iterator[Path]:
        """A temporary name to write a whole file to.

        It becomes `path` at the end, if the fence holds then.
        """
        with files.replacing(path, durable=durable, check=self.check_fence) as temporary:
            yield temporary

    def write(self, path: Location, data: bytes, *, durable: bool = True) -> None:
        """Put `data` at `path` in one step.

        Raises lease.Fenced if a newer epoch holds the study; OSError leaves the old.
        """
        with self.replacing(path, durable=durable) as temporary:
            files.write_and_sync(temporary, data, durable=False)

    def write_record(
        self, table: str, name: str, rows: Iterable[Mapping[str, Any]], *, durable: bool = True
    ) -> None:
        """Write a record of rows.

        Names: trials `<trial_id>.<status>.<attempt_id>`, curves `<trial_id>`, scores
        `<attempt_id>`, or `adopted-<trial_id>-<epoch>`. A record of trials or scores is written
        once: who has read it does not look at it again. ValueError names a column that the table
        lacks or a value of the wrong type.
        """
        self.write(self.record(table, name), records.encode(table, rows), durable=durable)

    def read_record(self, table: str, name: str) -> list[records.Row]:
        """The rows of a record, timestamps as datetimes, missing values left out.

        FileNotFoundError, SchemaError.
        """
        path = self.record(table, name)
        return records.decode(table, path, records.content_of(path))

    def record_names(self, table: str) -> list[str]:
        """The names of the table's records that are not compacted yet. One listing."""
        return [name[:-5] for name in files.names(self.rows_dir(table)) if name.endswith(".json")]

    def outcomes(self) -> dict[str, str]:
        """trial_id -> completed | diverged | failed of every trial with a row. Opens no record.

        Records are listed before the table is read, so a compaction in between hides nothing.
        """
        names = self.record_names("trials")
        table = parquet.read_table(self, "trials", ["trial_id", "status", "attempt_id"])
        found = [] if table is None else list(zip(*table.to_pydict().values(), strict=True))
        found += [split_trial_record(name) for name in names]
        best: dict[str, tuple[str, str]] = {}
        for trial_id, status, attempt_id in found:
            known = best.get(trial_id)
            if known is None or (
                status in FINAL and (known[0] not in FINAL or attempt_id < known[1])
            ):
                best[trial_id] = status, attempt_id
        return {trial_id: status for trial_id, (status, _) in best.items()}

    def check(self) -> None:
        """SchemaError if the manifest or a table is newer than this code, damaged, or not ours."""
        with contextlib.suppress(FileNotFoundError):
            records.parse(self.manifest, records.content_of(self.manifest))
        for table in SCHEMAS:
            with parquet.open_table(self, table):
                pass


def studies_in(out: Location) -> list[StudyFolder]:
    """The studies kept in a folder, by name."""
    found = (StudyFolder(out / name) for name in sorted(files.names(out)))
    return [folder for folder in found if folder.manifest.exists()]


def trial_record_name(trial_id: str, status: str, attempt_id: str) -> str:
    """Carries the outcome, so that one listing is the state."""
    return f"{trial_id}.{status}.{attempt_id}"


def split_trial_record(name: str) -> tuple[str, str, str]:
    """trial_id, status, attempt_id of a trial's record name."""
    parts = name.split(".")
    if len(parts) != 3:
        raise SchemaError(f"_rows/trials/{name}.json: not a record of ours; move it away")
    return parts[0], parts[1], parts[2]
