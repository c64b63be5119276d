"""From code files to score rows: the queue of files, and what one scoring task does. No Ray here.

The queue is the folder of code files, so a lost process loses nothing. A file waits until every
score that the grid asks of it stands in the scores table; it is then deleted, unless the grid says
`keep_codes: true`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

import metrics
from grids.settings import Evaluate
from metrics.npz import read_npz
from metrics.table import CodeTable
from orchestrator import machine
from orchestrator.work import SCORE_KEY_COLUMNS, ScoreKey, score_key, wanted_scores
from results.lease import Fenced
from results.ledger import Attempt, new_attempt_id
from results.parquet import read_table
from results.store import StudyFolder

MAX_FAILURES = 3
FILES_A_TASK = 16  # scoring the small tables of short trials costs less than starting a task


@dataclass(frozen=True)
class CodeFile:
    """A trial's codes at one step, with the scores that are still missing."""

    path: Path
    trial_id: str
    step: int
    missing: frozenset[ScoreKey]


class ScoredKeys:
    """The scores that exist, read incrementally: every record is opened once."""

    def __init__(self, folder: StudyFolder) -> None:
        self._folder = folder
        self._seen: set[str] = set()
        self._keys: set[ScoreKey] = set()
        published = read_table(folder, "scores", SCORE_KEY_COLUMNS)
        if published is not None:
            columns = (published[name].to_pylist() for name in SCORE_KEY_COLUMNS)
            self._keys.update(zip(*columns, strict=True))

    def refresh(self) -> set[ScoreKey]:
        for name in set(self._folder.record_names("scores")) - self._seen:
            rows = self._folder.read_record("scores", name)
            self._keys.update(score_key(row) for row in rows)
            self._seen.add(name)
        return self._keys


class ScoringQueue:
    """Which code files wait to be scored. `steps` gives the length of every trial of the grid."""

    def __init__(self, folder: StudyFolder, evaluate: Evaluate, steps: Mapping[str, int]) -> None:
        self.folder, self.evaluate, self.steps = folder, evaluate, steps
        self._scored = ScoredKeys(folder)
        self._settled: set[str] = set()
        self._in_flight: set[str] = set()
        self._failures: dict[str, list[str]] = {}

    def scored(self) -> set[ScoreKey]:
        """The scores that exist by now."""
        return self._scored.refresh()

    def files(self) -> set[str]:
        """The names of the code files. One listing."""
        return {path.name for path in self.folder.codes_dir.glob("[!.]*.npz")}

    def waiting(self) -> list[CodeFile]:
        """Every file that lacks scores, those in flight and given up included."""
        found = []
        names = sorted(self.files() - self._settled)
        scored = self.scored()
        for name in names:
            trial_id, _, step = name.removesuffix(".npz").rpartition("-")
            if trial_id not in self.steps or not step.isdigit():
                continue  # of a trial that the grid no longer has, or not ours
            wanted = wanted_scores(trial_id, int(step), self.steps[trial_id], self.evaluate)
            if missing := frozenset(wanted - scored):
                path = self.folder.codes_dir / name
                found.append(CodeFile(path, trial_id, int(step), missing))
            else:
                self._settled.add(name)
        return found

    def take(self) -> list[CodeFile]:
        """The next task: several files, or one alone that has failed before. Marks them taken."""
        free = [
            file
            for file in self.waiting()
            if file.path.name not in self._in_flight
            and len(self._failures.get(file.path.name, ())) < MAX_FAILURES
        ]
        task = [file for file in free if file.path.name not in self._failures][:FILES_A_TASK]
        task = task or free[:1]
        self._in_flight.update(file.path.name for file in task)
        return task

    def settle(self, task: Sequence[CodeFile], error: str | None) -> None:
        """Gives a task's files back; `error` counts against each of them."""
        for file in task:
            self._in_flight.discard(file.path.name)
            if error is not None:
                self._failures.setdefault(file.path.name, []).append(error)

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
        """File name -> last error, of the files that failed too often to be tried again."""
        return {
            name: errors[-1]
            for name, errors in self._failures.items()
            if len(errors) >= MAX_FAILURES
        }


def score_files(
    folder: StudyFolder,
    task: Sequence[CodeFile],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Scores every file of the task and writes one record with all the rows.

    What was scored before an error is kept; the error is raised once it is written down.
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
    failure: BaseException | None = None
    with attempt.stage("score"), threadpool_limits(1):
        try:
            for file in task:
                for row in _score_file(file, clock):
                    rows.append({**row, "attempt_id": attempt.attempt_id})
                    attempt.beat(0)
        except Fenced:
            raise
        except Exception as error:  # a metric of a user's own may raise anything
            failure = error
    if rows:
        folder.write_record("scores", attempt.attempt_id, rows)
    if failure is not None:
        attempt.close("failed", 0, error="".join(traceback.format_exception(failure)))
        raise failure
    attempt.close("completed", 0)


def _score_file(file: CodeFile, clock: Callable[[], float]) -> Iterator[dict[str, object]]:
    mean = read_npz(file.path)
    assert isinstance(mean, CodeTable), "a trial's codes are those of a factor grid"
    for key in sorted(file.missing):
        trial_id, step, representation, metric, version, size, seed = key
        started = clock()
        table = mean if representation == "mean" else sampled(mean, seed)
        values = metrics.score(metric, table, size=size, seed=seed)
        seconds = clock() - started
        for name, value in values.items():
            yield {
                **dict(zip(SCORE_KEY_COLUMNS, key, strict=True)),
                "score": name,
                "value": value,
                "cells": table.codes.shape[1],
                "draws": table.codes.shape[0],
                "seconds": seconds,
            }


def sampled(table: CodeTable, seed: int) -> CodeTable:
    """One draw z = mu + sigma * epsilon of every posterior: the `sampled` representation."""
    assert table.logvar is not None, "codes of our own always carry their variances"
    epsilon = np.random.Generator(np.random.Philox(seed)).standard_normal(
        table.codes.shape, dtype=np.float32
    )
    return CodeTable(table.codes + np.exp(0.5 * table.logvar) * epsilon, table.factor_sizes)
