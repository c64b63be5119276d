"""What every fault is held to: nobody reads a wrong table meanwhile, and the disk is clean at the
end.
"""

from __future__ import annotations

import io
import re
import threading
import time
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

import pandas as pd

from results import load
from results.files import Location
from results.ledger import BEAT_SECONDS
from results.schema import KEYS, PROVENANCE, SCHEMAS
from results.store import FINAL
from tests.orchestrator.waiting import wait_for

POLL_SECONDS = 0.2
A_LOSS_SECONDS = BEAT_SECONDS + 2.0  # in which a busy machine writes a beat that is due
ID, ATTEMPT = r"[a-z0-9]+", r"[0-9]{6}-[0-9a-f]+"
ALLOWED = re.compile(
    "|".join(
        (
            r"study\.yaml|manifest\.json|(trials|curves|scores|attempts)\.parquet",
            rf"_rows/trials/{ID}\.(completed|diverged|failed)\.({ATTEMPT}|[0-9]{{6}}-failed)\.json",
            rf"_rows/curves/{ID}\.json|_rows/scores/({ATTEMPT}|adopted-{ID}-[0-9]{{6}})\.json",
            r"_rows/compacted\.json",
            rf"attempts/(?P<closed>{ATTEMPT})\.close\.json",
            rf"attempts/(?P<open>{ATTEMPT})\.(open|beat)\.json",
            rf"lease/[0-9]{{6}}\.json|models/{ID}\.pt|distances/{ID}\.parquet|logs/{ID}\.txt",
            rf"artifacts/{ID}/(pictures|latents|fixed_codes)\.npz",
        )
    )
)


def assert_clean(root: Location, failed: Collection[str] = ()) -> None:
    """Nothing lies there but what a finished study has: an open account only of a lost attempt,
    checkpoints only of `failed` trials, which a later run tries again."""
    attempts = load(root).attempts
    lost = set(attempts["attempt_id"][attempts["outcome"] == "lost"])
    if isinstance(root, Path):
        assert {path.name for path in root.glob("checkpoints/*")} <= set(failed)
        names = [str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()]
    else:
        names = root.below()
    for name in names:
        if name.startswith("checkpoints/") and name.split("/")[1] in failed:
            continue
        match = ALLOWED.fullmatch(name)
        assert match, f"left behind: {name}"
        assert match["open"] is None or match["open"] in lost, f"left behind: {name}"


def trial_attempts(root: Location) -> pd.DataFrame:
    return load(root).attempts.query("kind == 'trial'")


def assert_accounted(began: float, root: Location, true: Path | None = None) -> int:
    """The ledger has the time that runs themselves measured, in the folder `true`: no less but for
    a beat a lost attempt, and no more; where one was lost, no more than went by since `began`.
    Returns how many attempts were lost."""
    attempts = trial_attempts(root)
    assert not set(attempts["outcome"]) & {"running"}
    lost = attempts[attempts["outcome"] == "lost"]
    assert lost["lower_bound"].all()
    took = time.monotonic() - began
    if true is None:
        assert isinstance(root, Path)
        true = root.parent / "true"
    measured = true_seconds(true)
    assert {trial_id for trial_id, _ in measured} == set(attempts["trial_id"])
    for (trial_id, pid), (least, most) in measured.items():
        here = attempts[(attempts["trial_id"] == trial_id) & (attempts["pid"] == pid)]
        losses = (here["outcome"] == "lost").sum()
        accounted = here["wall_seconds"].sum()
        assert accounted >= least - A_LOSS_SECONDS * losses, trial_id
        assert accounted <= (took if losses else most), trial_id
    return len(lost)


def true_seconds(true: Path) -> dict[tuple[str, int], tuple[float, float]]:
    """What the runs of a trial in a process said of themselves: from the first to the last moment
    within their accounts, and outside."""
    seconds: dict[tuple[str, int], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for path in true.iterdir():
        trial_id, pid, _ = path.name.split("-")
        said = [line.split() for line in path.read_text().splitlines()]
        outside = [float(words[0]) for words in said]
        if inside := [float(words[0]) for words in said if len(words) == 1]:  # else killed before
            least, most = seconds[trial_id, int(pid)]
            least += inside[-1] - inside[0]
            seconds[trial_id, int(pid)] = least, most + outside[-1] - outside[0]
    return seconds


class Reader:
    """Reads a study's tables as pandas does without us, and as `results.load` does.

    `look` raises AssertionError for a row that stands twice, or has gone or changed since the last
    look. Of a trial that goes on, what is loaded of its curve is its progress: it begins again with
    it. A failed trial may be run again.
    """

    def __init__(self, root: Location) -> None:
        self.root = root
        self.looks = 0
        self._seen: dict[tuple[str, str], pd.DataFrame] = {}

    def wait_for_looks(self, count: int = 2) -> None:
        """Until there were so many more: of two, the second has begun since."""
        before = self.looks
        wait_for(lambda: self.looks >= before + count)

    def look(self) -> None:
        plain = {
            # pandas opens a path of its own, more than once.
            table: pd.read_parquet(
                path if isinstance(path, Path) else io.BytesIO(path.read_bytes())
            )
            for table in SCHEMAS
            if (path := self.root / f"{table}.parquet").exists()
        }
        for table, frame in plain.items():
            self._check("pandas", table, frame)
        if self.root.is_dir():
            frames = load(self.root)
            done = set(frames.trials["trial_id"][frames.trials["status"].isin(FINAL)])
            for table in SCHEMAS:
                frame = getattr(frames, table)
                if table == "curves":
                    frame = frame[frame["trial_id"].isin(done)]
                self._check("load", table, frame)
                if table in plain:
                    self._check("load", table, plain[table], published=True)
        self.looks += 1

    def _check(self, how: str, table: str, frame: pd.DataFrame, *, published: bool = False) -> None:
        keys = list(KEYS[table])
        rows = frame.drop(columns=[c for c in PROVENANCE[table] if c not in keys])
        rows = rows.set_index(keys).sort_index()
        twice = rows.index[rows.index.duplicated()].tolist()
        assert not twice, f"{how}: {table} has rows twice: {twice}"
        if published:  # all of it is in what was loaded after it was read
            gone = rows.index.difference(self._seen[how, table].index)
            assert gone.empty, f"{table}: published, and not loaded: {gone.tolist()}"
            return
        seen = self._seen.get((how, table))
        if seen is not None:
            if table == "trials":
                seen = seen[seen["status"].isin(FINAL)]
            gone = seen.index.difference(rows.index)
            assert gone.empty, f"{how}: {table} has lost {gone.tolist()}"
            pd.testing.assert_frame_equal(rows.loc[seen.index], seen, check_exact=True)
        self._seen[how, table] = rows


class Polling:
    """While entered, a thread looks all the time; leaving raises what it has seen go wrong."""

    def __init__(self, root: Location) -> None:
        self.reader = Reader(root)
        self.error: Exception | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self.reader

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:  # a run may have been too short for a single look
            wait_for(lambda: self.reader.looks > 0 or self.error is not None)
        self._done.set()
        self._thread.join()
        if kind is None and self.error is not None:
            raise self.error

    def _poll(self) -> None:
        while not self._done.wait(POLL_SECONDS):
            try:
                self.reader.look()
            except Exception as error:
                self.error = error
                return
