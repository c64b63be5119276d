"""Whether a study is being run, as far as anybody can tell who only sees its folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from results import lease
from results.store import StudyFolder

Driver = Literal["running", "silent", "stopped"]
SILENT_SECONDS = 45.0
"""A holder beats every two seconds; a network file system may show it half a minute later."""


class DriverWatch:
    """Looks at the holder's counter again and again.

    On the machine of the run a dead driver is known at once. Elsewhere, as beside a copied folder,
    it is `silent` once its counter has stood still under our eyes.
    """

    def __init__(self, folder: StudyFolder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._seen: tuple[int, int] | None = None
        self._moved_at = clock()

    def look(self) -> Driver:
        """LeaseHeld where the lease file is damaged."""
        epoch = lease.held_epoch(self._folder)
        if epoch is None:
            return "stopped"
        seen = epoch, lease.read_holder(self._folder, epoch).beat
        if seen != self._seen:
            self._seen, self._moved_at = seen, self._clock()
        return "silent" if self._clock() - self._moved_at >= SILENT_SECONDS else "running"
