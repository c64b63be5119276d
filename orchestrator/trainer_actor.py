"""The Tune trainable: one actor that runs trial after trial.

Actors are reused, since starting a process and importing torch costs as much as a short trial. An
actor's name in Ray's dashboard is its study; which trial it runs is told by a task of the trial's
name on it, since Ray fixes an actor's name when it starts.
"""

from __future__ import annotations

import faulthandler
import sys
from typing import Any

import ray
from ray import tune
from ray.tune import PlacementGroupFactory

from grids.settings import Resources
from orchestrator.runs import Run, start
from orchestrator.work import Unit

STEP_SECONDS = 1.5  # Tune kills an actor that takes much longer to answer a stop
HANG_SECONDS = 1800.0


def bundle(resources: Resources) -> dict[str, float]:
    """What one trial asks of Ray."""
    asked = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory_bytes or 0}
    return {name: amount for name, amount in asked.items() if amount}


class TrainerActor(tune.Trainable):
    """`config["unit"]` is a Unit as JSON. A subclass may put another training in its place."""

    make_run = staticmethod(start)
    study = ""  # for the name of an actor whose set-up fails

    def setup(self, config: dict[str, Any]) -> None:
        self.study = Unit.from_json(config["unit"]).study
        self.run: Run | None = None
        self.reset_config(config)

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> PlacementGroupFactory:
        return PlacementGroupFactory([bundle(Unit.from_json(config["unit"]).resources)])

    def __repr__(self) -> str:
        return f"latentgrid {self.study}"

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.unit = Unit.from_json(new_config["unit"])
        self.run = None  # the trial before is closed; its model goes before the next one comes
        name = f"{self.unit.study}/{self.unit.trial.trial_id}"
        ray.get_runtime_context().current_actor.announce.options(name=name).remote()
        return True

    def announce(self) -> None:
        """Does nothing: its name is what shows."""

    def step(self) -> dict[str, Any]:
        # A trial that hangs (a stuck kernel, a dead mount) is ended with its stack in the log.
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=sys.stderr)
        try:
            if self.run is None:
                self.run = self.make_run(self.unit)
            finished = self.run.advance(STEP_SECONDS)
        finally:
            faulthandler.cancel_dump_traceback_later()
        return {"steps_done": self.run.step, tune.result.DONE: finished}

    def cleanup(self) -> None:
        if self.run is not None:
            self.run.interrupt()
