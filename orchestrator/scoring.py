"""From code files to score rows: the queue of files, and what one scoring task does. No Ray here.

The queue is the folder of code files, so a lost process loses nothing. A file waits until every
score that the grid asks of it stands in the scores table; it is then deleted, unless the grid says
`keep_codes: true`. A file of some rows of a code table, which a run of another grid has left, may
lack rows of a metric: it then serves the others. The scores that it cannot serve are of a model
that is gone; only at the end of a trial, whose tables are whole, is there one to encode again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

import metrics
from grids.settings import Evaluate
from metrics import METRICS, Data
from metrics.evidence import Evidence
from metrics.inception import Images
from metrics.npz import read_evidence, read_moments, read_npz
from metrics.sparse import MissingRows, SparseTable
from metrics.table import CodeTable
from metrics.votes import Votes
from orchestrator import machine
from orchestrator.work import (
    SCORE_KEY_COLUMNS,
    ScoreKey,
    score_key,
    wanted_cell_scores,
    wanted_scores,
)
from results.arrays import read_arrays
from results.files import Location, identity, names, on_disk
from results.lease import Fenced
from results.ledger import Attempt, new_attempt_id
from results.objects import Identity
from results.parquet import read_table
from results.store import StudyFolder

OF_CELLS = {name for name, metric in METRICS.items() if "cell" in metric.shapes}
MAX_FAILURES = 3
ROWS_AT_ONCE = 10_000
LISTING_SHARE = 0.05  # of the time: of a large study the queue lists its scores less often
MOST_SECONDS_UNLISTED = 60.0
CHEAP_SECONDS = 1.0
READ: Mapping[str, Callable[[Path], Data]] = {
    "codes": read_npz,
    "evidence": read_evidence,
    "inception": read_moments,
}
FAST_IS_CHEAPER = 4  # than full, about
FILES_A_TASK = 16  # scoring the small tables of short trials costs less than starting a task


@dataclass(frozen=True)
class CodeFile:
    """What a trial left at one step to be scored, with scores that are missing: a task's part.

    Of a metric of cells (UDR), `cell` has the models that are scored together, of which `trial_id`
    is the first.
    """

    path: Location
    trial_id: str
    step: int
    missing: frozenset[ScoreKey]
    cell: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What tells a part from others, for people too: the file, and the metric if it is dear."""
        dear = sorted({key[3] for key in self.missing if cost_seconds(key) > CHEAP_SECONDS})
        return " ".join([self.path.name if not self.cell else self.trial_id, *dear])

    @property
    def cost_seconds(self) -> float:
        """About, of the dearest of its scores."""
        return max(map(cost_seconds, self.missing))


def cost_seconds(key: ScoreKey) -> float:
    """About how long a score takes, of a large table."""
    _, _, _, metric, _, size, _ = key
    return METRICS[metric].cost_seconds / (1 if size == "full" else FAST_IS_CHEAPER)


def parts_of(file: CodeFile) -> list[CodeFile]:
    """The file with the scores of all its cheap metrics, and with those of each dear one."""
    parts: dict[str, set[ScoreKey]] = {}
    for key in file.missing:
        dear = cost_seconds(key) > CHEAP_SECONDS
        parts.setdefault(key[3] if dear else "", set()).add(key)
    return [dataclasses.replace(file, missing=frozenset(keys)) for _, keys in sorted(parts.items())]


class ScoredKeys:
    """The scores that exist, read incrementally: every record is opened once."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder
        self._seen: set[str] = set()
        self._keys: set[ScoreKey] = set()
        self._again = 0.0
        self.models: dict[ScoreKey, int] = {}
        """Of how many models the scores of cells are: more make them anew."""
        published = read_table(folder, "scores", [*SCORE_KEY_COLUMNS, "draws", "attempt_id"])
        if published is not None:
            # The names of its records; but for what was adopted.
            self._seen.update(pc.unique(published["attempt_id"]).to_pylist())
            # A metric has several scores and a large study a million: one row a key, and in pieces.
            keys = published.group_by(list(SCORE_KEY_COLUMNS)).aggregate([("draws", "max")])
            keys = keys.rename_columns([*SCORE_KEY_COLUMNS, "draws"])
            for batch in keys.to_batches(ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    self._add(row)

    def recent(self) -> set[ScoreKey]:
        """Those of a moment ago: listing thousands of records over and over would be the work."""
        return self.refresh() if time.monotonic() >= self._again else self._keys

    def refresh(self) -> set[ScoreKey]:
        started = time.monotonic()
        for name in set(self._folder.record_names("scores")) - self._seen:
            rows = self._folder.read_record("scores", name)
            for row in rows:
                self._add(row)
            self._seen.add(name)
        took = time.monotonic() - started
        self._again = time.monotonic() + min(took / LISTING_SHARE, MOST_SECONDS_UNLISTED)
        return self._keys

    def written(self, parts: Iterable[CodeFile], lacking: Collection[ScoreKey]) -> None:
        """Counts what a task without an error has written, before any listing says so."""
        for part in parts:
            made = part.missing.difference(lacking)
            self._keys.update(made)
            if part.cell:
                self.models.update(dict.fromkeys(made, len(part.cell)))

    def outdated(self) -> None:
        """Whoever asks next is told by a listing."""
        self._again = 0.0

    def _add(self, row: Mapping[str, Any]) -> None:
        # Every row comes with texts of its own, which are few different ones.
        key = score_key({k: sys.intern(v) if isinstance(v, str) else v for k, v in row.items()})
        self._keys.add(key)
        if row["metric"] in OF_CELLS:
            self.models[key] = max(row["draws"], self.models.get(key, 0))


class ScoringQueue:
    """Which code files wait to be scored, and which cells.

    `steps` gives the length of every trial of the grid, `cells` the trials of its cell, where cells
    are scored.
    """

    def __init__(
        self,
        folder: StudyFolder,
        evaluate: Evaluate,
        steps: Mapping[str, int],
        cells: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.folder, self.evaluate, self.steps = folder, evaluate, steps
        self.cells = cells or {}
        self._scored = ScoredKeys(folder)
        self._settled: set[str] = set()
        self._in_flight: set[str] = set()
        self._failures: dict[str, list[str]] = {}
        self._lacking: dict[ScoreKey, Identity | None] = {}  # by which file that lacks rows

    def scored(self) -> set[ScoreKey]:
        """The scores that exist by now."""
        return self._scored.refresh()

    def files(self) -> set[str]:
        """The names of the code files. One listing."""
        return {name for name in names(self.folder.codes_dir) if name.endswith(".npz")}

    def waiting(self) -> list[CodeFile]:
        """Every part of a file that lacks scores, those in flight and given up included."""
        found: list[CodeFile] = []
        names = sorted(self.files() - self._settled)
        scored = self._scored.recent()
        for name in names:
            trial_id, _, step = name.removesuffix(".npz").rpartition("-")
            if trial_id not in self.steps or not step.isdigit():
                continue  # of a trial that the grid no longer has, or not ours
            wanted = wanted_scores(trial_id, int(step), self.steps[trial_id], self.evaluate)
            path = self.folder.codes_dir / name
            missing = frozenset(wanted - scored)
            if lacks := bool(missing & self._lacking.keys()):
                written = identity(path)  # another one may have taken its place
                missing = frozenset(k for k in missing if self._lacking.get(k) != written)
            if missing:
                found += parts_of(CodeFile(path, trial_id, int(step), missing))
            elif not (lacks and self.evaluate.keep_codes):  # a kept one may be written anew
                self._settled.add(name)
        return found + self._waiting_cells()

    def _waiting_cells(self) -> list[CodeFile]:
        """The cells whose trials have all ended, two or more with codes, and lack scores of them.

        A trial that ends later, of a grid that grew, has its cell scored anew.
        """
        found: list[CodeFile] = []
        if not self.cells:
            return found
        outcomes, fixed = self.folder.outcomes(), None
        for members in dict.fromkeys(self.cells.values()):
            if any(trial_id not in outcomes for trial_id in members):
                continue
            models = tuple(t for t in members if outcomes[t] == "completed")
            keys = wanted_cell_scores(models, self.steps, self.evaluate)
            missing = {k for k in keys if self._scored.models.get(k, 0) < len(models)}
            # Files last: this is asked again and again, and most cells of a study may be scored.
            if missing and fixed is None:
                fixed = self.folder.trials_with_fixed_codes()
            if missing and fixed is not None and fixed.issuperset(models):
                path = self.folder.fixed_codes(models[0])
                step = self.steps[models[0]]
                found.append(CodeFile(path, models[0], step, frozenset(missing), models))
        return found

    def waiting_files(self) -> set[Location]:
        """The files that lack scores."""
        return {part.path for part in self.waiting()}

    def take(self) -> list[CodeFile]:
        """The next task, marked as taken; none where nothing is free.

        The cheap metrics of several files, so that a study's first scores are there early; then one
        dear metric of one file, the cheapest first; what has failed before last, and alone.
        """
        free = [
            part
            for part in self.waiting()
            if part.label not in self._in_flight
            and len(self._failures.get(part.label, ())) < MAX_FAILURES
        ]
        fresh = [part for part in free if part.label not in self._failures]
        cheap = [part for part in fresh if part.cost_seconds <= CHEAP_SECONDS]
        dear = sorted(fresh or free, key=lambda part: part.cost_seconds)
        task = cheap[:FILES_A_TASK] or dear[:1]
        self._in_flight.update(part.label for part in task)
        return task

    def settle(
        self,
        task: Sequence[CodeFile],
        error: str | None,
        lacking: Mapping[ScoreKey, Identity | None] | None = None,
    ) -> None:
        """Gives a task's parts back; `error` counts against each of them.

        `lacking`, as `score_files` returns it: what is not to be tried with these files again.
        """
        self._lacking.update(lacking or {})
        if error is None:
            self._scored.written(task, lacking or {})
        else:
            self._scored.outdated()  # some of it may be written
        for part in task:
            self._in_flight.discard(part.label)
            if error is not None:
                self._failures.setdefault(part.label, []).append(error)

    def drop_settled(self) -> None:
        """Deletes the files that have all their scores, unless the grid keeps codes.

        Raises Fenced where a newer driver has the study.
        """
        self.waiting()
        if self.evaluate.keep_codes or not self._settled:
            return
        # A driver of an older epoch may want fewer scores than its successor.
        self.folder.check_fence()
        for name in self._settled:
            (self.folder.codes_dir / name).unlink(missing_ok=True)
        # A trial may be encoded again for scores that are added later.
        self._settled.clear()

    def gave_up(self) -> dict[str, str]:
        """Label -> last error, of the parts that failed too often to be tried again."""
        return {
            name: errors[-1]
            for name, errors in self._failures.items()
            if len(errors) >= MAX_FAILURES
        }


def score_files(
    folder: StudyFolder,
    task: Sequence[CodeFile],
    clock: Callable[[], float] = time.monotonic,
) -> dict[ScoreKey, Identity | None]:
    """Scores every file of the task and writes one record with all the rows.

    Returns the scores whose file lacks rows that they are of, each with that file's identity. An
    error costs the scores of one metric of one file; the first is raised once the others are
    written down.
    """
    attempt = Attempt.open(
        folder,
        "score",
        [file.trial_id for file in task],
        attempt_id=new_attempt_id(folder.epoch or 0),
        node=machine.node(),
        device=machine.device_kind("cpu"),
        gpu_share=0.0,
        cpus=1.0,
        clock=clock,
    )
    rows: list[dict[str, object]] = []
    failures: list[Exception] = []
    lacking: dict[ScoreKey, Identity | None] = {}
    try:
        with attempt.stage("score"), one_thread():
            for file in task:
                rows_of = (
                    _score_cell(folder, file, clock, failures)
                    if file.cell
                    else _score_file(file, clock, failures, lacking)
                )
                for row in rows_of:
                    rows.append({**row, "attempt_id": attempt.attempt_id})
        if rows:
            folder.write_record("scores", attempt.attempt_id, rows)
        if failures:
            raise failures[0]
    except Fenced:
        raise
    except Exception:
        attempt.close("failed", 0, error=traceback.format_exc())
        raise
    attempt.close("completed", 0)
    return lacking


def one_thread() -> threadpool_limits:
    """A context in which metrics compute on one thread: sums differ by the number of threads."""
    # Limits reach the libraries that are loaded by then; these metrics load when they are called.
    import sklearn.linear_model  # noqa: F401

    return threadpool_limits(1)


def _score_cell(
    folder: StudyFolder,
    part: CodeFile,
    clock: Callable[[], float],
    failures: list[Exception],
) -> Iterator[dict[str, object]]:
    """A row a model, of all models of a cell together; `draws` says how many there are."""
    started = clock()
    try:
        codes, kl_nats = [], []
        for trial_id in part.cell:
            arrays = read_arrays(folder.fixed_codes(trial_id), "codes", "kl_nats")
            codes.append(arrays["codes"])
            kl_nats.append(arrays["kl_nats"])
        score: Callable[..., dict[str, Any]] = metrics.function_of("udr")
        scores = score(np.stack(codes), np.stack(kl_nats))
    except Exception as error:  # a damaged file may raise anything
        failures.append(error)
        return
    seconds = (clock() - started) / len(part.cell)
    for key in sorted(part.missing):
        for name, values in scores.items():
            yield {
                **dict(zip(SCORE_KEY_COLUMNS, key, strict=True)),
                "score": name,
                "value": float(values[part.cell.index(key[0])]),
                "cells": None,
                "draws": len(part.cell),
                "seconds": seconds,
            }


def _score_file(
    file: CodeFile,
    clock: Callable[[], float],
    failures: list[Exception],
    lacking: dict[ScoreKey, Identity | None],
) -> Iterator[dict[str, object]]:
    """The rows of a file, the cheapest metric first; what goes wrong is added to `failures`, and
    what needs rows that the file lacks to `lacking`.
    """
    read: dict[tuple[str, str], Data] = {}
    written: Identity | None = None
    copy: Path | None = None
    with contextlib.ExitStack() as stack:
        for key in sorted(file.missing, key=lambda key: (cost_seconds(key), key)):
            _, _, representation, metric, _, size, seed = key
            started = clock()
            try:
                if copy is None:
                    written = identity(file.path)  # before it is read
                    copy = stack.enter_context(on_disk(file.path))
                # Codes are read once for all metrics of the file.
                what = next((s for s in METRICS[metric].shapes if s in READ), "codes")
                if (what, representation) not in read:
                    data = read.get((what, "mean")) or READ[what](copy)
                    read[what, "mean"] = data
                    if what == "codes" and representation == "sampled":
                        data = sampled(data, seed)
                    read[what, representation] = data
                data = read[what, representation]
                values = metrics.score(metric, data, size=size, seed=seed)
            except MissingRows:
                lacking[key] = written
                continue
            except Exception as error:  # a metric of a user's own may raise anything
                failures.append(error)
                continue
            seconds = clock() - started
            for name, value in values.items():
                yield {
                    **dict(zip(SCORE_KEY_COLUMNS, key, strict=True)),
                    "score": name,
                    "value": value,
                    **encoded(data),
                    "seconds": seconds,
                }


def encoded(data: Data) -> dict[str, int | None]:
    """`cells` and `draws` of the scores table: what the score is of."""
    if isinstance(data, Evidence):
        return {"cells": None, "draws": data.images}
    if isinstance(data, Images):
        return {"cells": None, "draws": data.real.images}
    if isinstance(data, Votes):
        return {"cells": data.codes.shape[0], "draws": data.codes.shape[1]}
    return {"cells": data.num_rows // data.replicates, "draws": data.replicates}


def sampled(data: Data, seed: int) -> CodeTable | SparseTable | Votes:
    """The `sampled` representation: of a table drawn at each look-up, of votes here."""
    assert isinstance(data, CodeTable | SparseTable | Votes)
    return data.drawn(seed) if isinstance(data, Votes) else dataclasses.replace(data, sampled=True)
