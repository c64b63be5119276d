"""From code files to score rows: the queue of files, and what one scoring task does. No Ray here.

The queue is the folder of code files, so a lost process loses nothing. A file waits until every
score that the grid asks of it stands in the scores table; it is then deleted, unless the grid says
`keep_codes: true`.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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

MAX_TRIES = 3
FILES_A_TASK = 16  # scoring the small tables of short trials costs less than starting a task

logger = logging.getLogger(__name__)


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
            self._seen.add(name)
            for row in self._folder.read_record("scores", name):
                self._keys.add(score_key(row))
        return self._keys


@dataclass
class ScoringQueue:
    """Which code files wait. `steps` gives the length of every trial of the grid."""

    folder: StudyFolder
    evaluate: Evaluate
    steps: Mapping[str, int]
    in_flight: set[Path] = field(default_factory=set)
    failures: dict[Path, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._scored = ScoredKeys(self.folder)

    def scored(self) -> set[ScoreKey]:
        """The scores that exist by now."""
        return self._scored.refresh()

    def waiting(self) -> list[CodeFile]:
        """Files with scores to make that nobody is at, oldest first; settled files are deleted."""
        scored = self.scored()
        found = []
        for path in sorted(self.folder.codes_dir.glob("[!.]*.npz"), key=_age):
            trial_id, _, step = path.stem.rpartition("-")
            if path in self.in_flight or trial_id not in self.steps:
                continue
            wanted = wanted_scores(trial_id, int(step), self.steps[trial_id], self.evaluate)
            missing = frozenset(wanted - scored)
            if not missing:
                if not self.evaluate.keep_codes:
                    path.unlink(missing_ok=True)
            elif len(self.failures.get(path, ())) < MAX_TRIES:
                found.append(CodeFile(path, trial_id, int(step), missing))
        return found

    def take(self) -> list[CodeFile]:
        """The next task: several files, or one alone that has failed before. Marks them taken."""
        waiting = self.waiting()
        fresh = [file for file in waiting if file.path not in self.failures]
        task = fresh[:FILES_A_TASK] or waiting[:1]
        self.in_flight.update(file.path for file in task)
        return task

    def settle(self, task: Sequence[CodeFile], error: str | None) -> None:
        """Gives a task's files back; `error` counts against each of them."""
        for file in task:
            self.in_flight.discard(file.path)
            if error is not None:
                self.failures.setdefault(file.path, []).append(error)

    def gave_up(self) -> dict[str, str]:
        """File name -> last error, of the files that failed too often to be tried again."""
        return {
            path.name: errors[-1]
            for path, errors in self.failures.items()
            if len(errors) >= MAX_TRIES
        }


def _age(path: Path) -> tuple[float, str]:
    """Sorts oldest first; a file that is gone meanwhile comes first and is found settled."""
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name


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


def _score_file(file: CodeFile, clock: Callable[[], float]) -> list[dict[str, object]]:
    mean = read_npz(file.path)
    rows: list[dict[str, object]] = []
    for key in sorted(file.missing):
        trial_id, step, representation, metric, version, size, seed = key
        started = clock()
        table = mean if representation == "mean" else sampled(mean, seed)
        values = metrics.score(metric, table, size=size, seed=seed)
        seconds = clock() - started
        rows += [
            {
                **dict(zip(SCORE_KEY_COLUMNS, key, strict=True)),
                "score": name,
                "value": value,
                "cells": table.codes.shape[1],
                "seconds": seconds,
            }
            for name, value in values.items()
        ]
    return rows


def sampled(table: CodeTable, seed: int) -> CodeTable:
    """One draw z = mu + sigma * epsilon of every posterior: the `sampled` representation."""
    assert table.logvar is not None, "codes of our own always carry their variances"
    epsilon = np.random.Generator(np.random.Philox(seed)).standard_normal(
        table.codes.shape, dtype=np.float32
    )
    return CodeTable(table.codes + np.exp(0.5 * table.logvar) * epsilon, table.factor_sizes)
