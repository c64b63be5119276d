"""The Tune trainable: one actor that runs trial after trial, or pack after pack.

Actors are reused, since starting a process and importing torch costs as much as a short trial. An
actor's name in Ray's dashboard is its study; which trial it runs is told by a task of the trial's
name on it, since Ray fixes an actor's name when it starts.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from collections.abc import Sequence
from typing import Any

import ray
from ray import tune
from ray.tune import PlacementGroupFactory

from grids.settings import Resources
from orchestrator.pack_run import PackRun
from orchestrator.runs import Run, start
from orchestrator.watchdog import HANG_SECONDS, Watchdog
from orchestrator.work import Unit, from_json
from results.lease import closed

LAST_RESORT_SECONDS = HANG_SECONDS + 60.0  # for what hangs and lets no other thread run
STEP_SECONDS = 1.5  # Tune kills an actor that takes much longer to answer a stop
FAILURES = "failures"
NOT_BEGUN = "not_begun"


def bundle(resources: Resources) -> dict[str, float]:
    """What one process asks of Ray."""
    asked = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory_bytes or 0}
    return {name: amount for name, amount in asked.items() if amount}


def name_of(units: Sequence[Unit]) -> str:
    """As it stands in Ray's dashboard, and as Tune calls it."""
    first, *others = (unit.trial.trial_id for unit in units)
    return f"{first}-and-{len(others)}-more" if others else first


class TrainerActor(tune.Trainable):
    """`config["units"]` are Units as JSON. A subclass may put another training in their place.

    A result's FAILURES are tracebacks by trial id, of a pack that goes on without them; where it is
    NOT_BEGUN, the study's budget was used up before its turn came.
    """

    make_run = staticmethod(start)
    study = ""  # for the name of an actor whose set-up fails

    def setup(self, config: dict[str, Any]) -> None:
        self.study = from_json(config["units"])[0].study
        self.run: Run | PackRun | None = None
        self.reset_config(config)

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> PlacementGroupFactory:
        return PlacementGroupFactory([bundle(from_json(config["units"])[0].resources)])

    def __repr__(self) -> str:
        return f"latentgrid {self.study}"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.units = from_json(new_config["units"])
        self.run = None  # the trial before is closed; its model goes before the next one comes
        name = f"{self.study}/{name_of(self.units)}"
        ray.get_runtime_context().current_actor.announce.options(name=name).remote()
        return True

    def announce(self) -> None:
        """Does nothing: its name is what shows."""

    def step(self) -> dict[str, Any]:
        faulthandler.dump_traceback_later(LAST_RESORT_SECONDS, exit=True, file=sys.stderr)
        try:
            if self.run is None:
                if closed(self.units[0].folder):
                    return {NOT_BEGUN: True, tune.result.DONE: True}
                alone = len(self.units) == 1
                self.run = (
                    self.make_run(self.units[0])
                    if alone
                    else PackRun(self.units, make_run=self.make_run)
                )
                # A trial that hangs (a stuck kernel, a dead mount) ends with its stack.
                self.watchdog = Watchdog(self.run, self.units[0].resources.memory_bytes)
            finished = self.run.advance(STEP_SECONDS)
        finally:
            faulthandler.cancel_dump_traceback_later()
        if finished:
            self.watchdog.stop()
        failures = self.run.failures if isinstance(self.run, PackRun) else {}
        return {
            "steps_done": self.run.step,
            FAILURES: json.dumps(failures),
            tune.result.DONE: finished,
        }

    def cleanup(self) -> None:
        if self.run is not None:
            self.watchdog.stop()
            self.run.interrupt()
