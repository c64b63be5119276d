"""What a process does with units of work: trials, packs and measurements behind one interface."""

from __future__ import annotations

from typing import Any, Protocol

from orchestrator.measurement_run import MeasurementRun
from orchestrator.trial_run import TrialRun
from orchestrator.watchdog import Watched
from orchestrator.work import Unit


class Run(Watched, Protocol):
    """`advance` until it returns True; `interrupt` when the process has to go; `abandon`, from
    another thread, when it hangs.
    """

    @property
    def step(self) -> int: ...

    def advance(self, seconds: float) -> bool: ...

    def interrupt(self) -> None: ...


def start(unit: Unit, **clocks: Any) -> Run:
    """Opens the attempt at a unit, with the clocks of its account; the work is in `advance`."""
    return MeasurementRun(unit) if unit.work == "measure" else TrialRun(unit, **clocks)
