"""The compute account while it runs: an attempt is one process run, for one or more trials.

`attempts/<attempt_id>.open.json` is written before work starts, `.beat.json` at most every few
seconds, and `.close.json`, which says everything, at the end; then the other two go. A thread
beats, so that work of any length costs no more than a beat when its process is killed. Nobody
closes another's attempt: a process that vanished leaves open and beat behind, and whoever reads
them infers `lost`, with hours up to the last beat.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from results.attempts import attempts as attempts
from results.files import FULL
from results.lease import Fenced
from results.schema import SCHEMA_VERSION, STAGES
from results.store import StudyFolder

BEAT_SECONDS = 5.0
OUTCOMES = ("completed", "diverged", "failed", "interrupted")


def new_attempt_id(epoch: int) -> str:
    """Sorts by epoch: ids of an earlier run of the study are smaller."""
    return f"{epoch:06d}-{secrets.token_hex(6)}"


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Attempt:
    """One open attempt.

    Durations are monotonic; the wall clock only dates the start and the end.
    """

    def __init__(
        self,
        folder: StudyFolder,
        static: dict[str, Any],
        clock: Callable[[], float],
        now: Callable[[], dt.datetime],
        cpu_clock: Callable[[], float],
        share_clock: Callable[[], float] | None,
    ) -> None:
        self.attempt_id: str = static["attempt_id"]
        self._folder = folder
        self._static = static
        self._clock, self._now, self._cpu_clock = clock, now, cpu_clock
        self._opened, self._opened_cpu = clock(), cpu_clock()
        self._share_clock = share_clock
        self._opened_share = 0.0 if share_clock is None else share_clock()
        self._seconds = dict.fromkeys(STAGES, 0.0)
        self._stage: tuple[str, float] | None = None
        self._beaten = self._opened
        self._steps_done: int = static["start_step"]
        self._full: OSError | None = None
        self._writing = threading.RLock()
        self._closed = threading.Event()

    @classmethod
    def open(
        cls,
        folder: StudyFolder,
        kind: str,
        trial_ids: Sequence[str],
        *,
        attempt_id: str,
        node: str,
        device: str,
        gpu_share: float,
        cpus: float,
        start_step: int = 0,
        resumed_from: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = utc_now,
        cpu_clock: Callable[[], float] = time.process_time,
        share_clock: Callable[[], float] | None = None,
    ) -> Attempt:
        """Open the account before work starts.

        kind: "trial" or "score". gpu_share, cpus: what is allocated to this process run as a whole.
        share_clock: where the process has other attempts beside this one, the seconds of it that
        are this one's; what is written down is then its mean share of gpu_share and cpus.
        start_step, resumed_from: the step of the checkpoint it continues, and the attempt that
        wrote it.
        """
        attempt = cls(
            folder,
            {
                "attempt_id": attempt_id,
                "study": folder.name,
                "trial_ids": list(trial_ids),
                "kind": kind,
                "epoch": folder.epoch or 0,
                "node": node,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "device": device,
                "gpu_share": gpu_share,
                "cpus": cpus,
                "started_at": now().isoformat(),
                "resumed_from": resumed_from,
                "start_step": start_step,
            },
            clock,
            now,
            cpu_clock,
            share_clock,
        )
        attempt._write("open", {}, durable=True)
        beating = (weakref.ref(attempt), attempt._closed)
        threading.Thread(target=_keep_beating, args=beating, daemon=True).start()
        return attempt

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds inside as one of STAGES.

        Stages do not nest.
        """
        if name not in STAGES or self._stage is not None:
            raise ValueError(
                f"stage {name!r} inside {self._stage}; valid, one at a time: {', '.join(STAGES)}"
            )
        self._stage = name, self._clock()
        try:
            yield
        finally:
            self._seconds, self._stage = self._stage_seconds(), None

    def beat(self, steps_done: int, *, now: bool = False) -> None:
        """Write what is known so far, at most every BEAT_SECONDS, or `now`.

        Raises lease.Fenced if the study is another's, and OSError where the disk is full: nobody
        would know of what is done from then on. What else is refused, the next beat says.
        """
        self._steps_done = steps_done
        if not self._writing.acquire(blocking=now):
            return  # another thread is at it, maybe at a store that is away
        try:
            due = now or self._clock() - self._beaten >= BEAT_SECONDS
            if due and not self._closed.is_set():
                self._beaten = self._clock()
                self._full = None
                try:
                    self._write("beat", self._progress(steps_done), durable=False)
                except OSError as error:
                    self._full = error if error.errno in FULL else None
            if self._full is not None:  # or was, when the thread that beats wrote last
                raise self._full
        finally:
            self._writing.release()

    def close(self, outcome: str, steps_done: int, error: str | None = None) -> None:
        """Write the final account; the first one stands.

        Raises lease.Fenced if the study is another's: the attempt is then `lost`, as it is where
        the disk is full (OSError).
        """
        if outcome not in OUTCOMES:
            raise ValueError(f"outcome {outcome!r}; valid: {', '.join(OUTCOMES)}")
        ending = {"outcome": outcome, "error": error}
        with self._writing:
            if self._closed.is_set():
                return
            self._closed.set()
            self._write("close", self._progress(steps_done) | ending, durable=True)
            for part in ("open", "beat"):
                self._folder.attempt(self.attempt_id, part).unlink(missing_ok=True)

    def _stage_seconds(self) -> dict[str, float]:
        stage = self._stage  # of another thread, where one beats
        if stage is None:
            return self._seconds
        name, since = stage
        return self._seconds | {name: self._seconds[name] + self._clock() - since}

    def _progress(self, steps_done: int) -> dict[str, Any]:
        wall_seconds = self._clock() - self._opened
        progress = {
            "ended_at": self._now().isoformat(),
            "steps_done": steps_done,
            "seconds": self._stage_seconds(),
            "wall_seconds": wall_seconds,
            "cpu_seconds": self._cpu_clock() - self._opened_cpu,
        }
        if self._share_clock is not None and wall_seconds > 0:
            share = (self._share_clock() - self._opened_share) / wall_seconds
            progress |= {name: share * self._static[name] for name in ("gpu_share", "cpus")}
        return progress

    def _write(self, part: str, progress: dict[str, Any], *, durable: bool) -> None:
        content = {"schema_version": SCHEMA_VERSION, **self._static, **progress}
        path = self._folder.attempt(self.attempt_id, part)
        self._folder.write(path, json.dumps(content).encode(), durable=durable)


def _keep_beating(reference: weakref.ref[Attempt], closed: threading.Event) -> None:
    """Until the attempt is closed, or dropped by what an error has ended."""
    while not closed.wait(BEAT_SECONDS):
        attempt = reference()
        if attempt is None:
            return
        try:
            attempt.beat(attempt._steps_done)
        except Fenced:
            return  # who works finds it out at the next write
        except OSError:
            pass  # and this at the next beat
        del attempt
