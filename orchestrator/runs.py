"""What a process does with a unit of work: trials and measurements behind one interface."""

from __future__ import annotations

from typing import Protocol

from orchestrator.measurement_run import MeasurementRun
from orchestrator.trial_run import TrialRun
from orchestrator.work import Unit


class Run(Protocol):
    """`advance` until it returns True; `interrupt` when the process has to go."""

    @property
    def step(self) -> int: ...

    def advance(self, seconds: float) -> bool: ...

    def interrupt(self) -> None: ...


def start(unit: Unit) -> Run:
    """Opens the attempt at a unit; the work is done in `advance`."""
    return MeasurementRun(unit) if unit.work == "measure" else TrialRun(unit)
