"""Every study that is watched, read once for all viewers, and only while somebody looks."""

from __future__ import annotations

import asyncio
import time

from orchestrator.dashboard.study import WatchedStudy
from results.files import Location
from results.store import StudyFolder, studies_in

PAUSE_SECONDS = 2.0
SHARE = 1 / 3
"""Of the time at most a study is being read, however large it is or slow its disk."""
OLDEST_SECONDS = 10.0
"""What is older is not shown: whoever asks first after a while waits for what is new."""


class Reader:
    """Keeps one study up to date for everybody who asks: one refresh at a time, in a thread."""

    def __init__(self, folder: StudyFolder) -> None:
        self.study = WatchedStudy(folder)
        self._reading: asyncio.Task[None] | None = None
        self._read_at, self._took_seconds = float("-inf"), 0.0

    async def current(self) -> WatchedStudy:
        """The study as it was a moment ago; meanwhile it is read again, if it is time to."""
        age = time.monotonic() - self._read_at
        pause = max(PAUSE_SECONDS, self._took_seconds * (1 / SHARE - 1))
        if self._reading is None and age >= pause:
            self._reading = asyncio.create_task(self._read())
        if self._reading is not None and age >= OLDEST_SECONDS:
            await asyncio.shield(self._reading)
        return self.study

    async def _read(self) -> None:
        started = time.monotonic()
        try:
            await asyncio.to_thread(self.study.refresh)
        finally:
            self._read_at = time.monotonic()
            self._took_seconds = self._read_at - started
            self._reading = None


class Studies:
    """The studies of an `--out` folder, or the one of a study's folder."""

    def __init__(self, root: Location) -> None:
        self.root = root
        self.single = StudyFolder(root).manifest.exists()
        self._readers: dict[str, Reader] = {}
        self._listing: asyncio.Task[list[StudyFolder]] | None = None

    async def names(self) -> list[str]:
        """By name. Studies may come while we watch. One listing, in a thread, for all who ask.

        OSError.
        """
        if self.single:
            return [self.root.name]
        if self._listing is None or self._listing.done():
            self._listing = asyncio.create_task(asyncio.to_thread(studies_in, self.root))
        return [folder.name for folder in await asyncio.shield(self._listing)]

    async def reader(self, name: str) -> Reader | None:
        """None for what is no name of a study here, whatever path it may spell. OSError."""
        if name not in self._readers:
            if name not in await self.names():
                return None
            root = self.root if self.single else self.root / name
            self._readers.setdefault(name, Reader(StudyFolder(root)))
        return self._readers[name]

    async def all(self) -> dict[str, WatchedStudy]:
        """Every study, read one after the other the first time, so that memory stays low.

        OSError.
        """
        found = {}
        for name in await self.names():
            reader = await self.reader(name)
            if reader is not None:
                found[name] = await reader.current()
        return found
