"""One measurement, from its description to its rows on disk.

The table of distances comes first and the row of the measurement last: one without a row is made
again. There are no checkpoints, as the longest takes minutes.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from grids.measurement import Measurement
from orchestrator import machine
from orchestrator.trial_log import TrialLog
from orchestrator.trial_run import check_device, device_of
from orchestrator.watchdog import Pace
from orchestrator.work import Unit
from results.lease import Fenced
from results.ledger import Attempt, new_attempt_id, utc_now
from results.schema import DISTANCES
from results.store import trial_record_name
from trainers import make_dataset
from trainers.distances import FactorDistances, Measuring
from trainers.process import prepare_for_training


class MeasurementRun:
    """Call `advance` until it returns True; `interrupt` when the process has to go."""

    def __init__(self, unit: Unit, *, clock: Callable[[], float] = time.monotonic) -> None:
        assert isinstance(unit.trial, Measurement)
        self.unit, self.measurement, self.folder = unit, unit.trial, unit.folder
        self.clock = clock
        self.measuring: Measuring | None = None
        self.closed = False
        self.pace = Pace(clock)
        self.device = device_of(unit.resources)
        self.device_kind = machine.device_kind(self.device.type)
        self.log = TrialLog(self.folder.log(self.measurement.trial_id))
        self.attempt = Attempt.open(
            self.folder,
            "trial",
            [self.measurement.trial_id],
            attempt_id=new_attempt_id(unit.epoch),
            node=machine.node(),
            device=self.device_kind,
            gpu_share=unit.resources.gpus,
            cpus=unit.resources.cpus,
            clock=clock,
        )
        self.log.write(f"attempt {self.attempt.attempt_id} to measure on {self.device_kind}")

    @property
    def step(self) -> int:
        """Pairs measured."""
        return 0 if self.measuring is None else self.measuring.pairs_done

    def advance(self, seconds: float) -> bool:
        """Works for about `seconds`; True once nothing is left to do.

        Raises what went wrong, after the attempt was closed as failed, and `Fenced` when a newer
        driver has taken the study over.
        """
        try:
            measuring = self.measuring or self._prepare()
            deadline = self.clock() + seconds
            with self.attempt.stage("measure"):
                finished = False
                while not finished and self.clock() < deadline:
                    with self.pace.chunk():
                        finished = measuring.advance()
            if not finished:
                self.attempt.beat(self.step)
                return False
            self._finish(measuring.results())
            return True
        except Fenced:
            self.closed = True
            raise
        except Exception:
            self.closed = True
            error = traceback.format_exc()
            self.log.write(error)
            self.attempt.close("failed", steps_done=self.step, error=error)
            raise

    def interrupt(self) -> None:
        """Closes the attempt; a finished run is left alone."""
        if not self.closed:
            self.closed = True
            self.attempt.close("interrupted", steps_done=self.step)
            self.log.write(f"interrupted after {self.step} pairs")

    def paces(self) -> list[Pace]:
        return [self.pace]

    def abandon(self, error: str) -> None:
        """Closes the attempt with `error`, if it is open; the process ends at once."""
        if not self.closed:
            self.closed = True
            self.attempt.close("failed", steps_done=self.step, error=error)
            self.log.write(error)

    def _prepare(self) -> Measuring:
        with self.attempt.stage("prepare"):
            check_device(self.unit.resources, self.device)
            prepare_for_training()
            self.dataset = make_dataset(self.measurement.dataset, self.unit.data, self.device)
            self.measuring = Measuring(
                self.dataset,
                self.measurement.reconstruction,
                pairs=self.measurement.pairs,
                seed=self.measurement.seed,
                device=self.device,
            )
        return self.measuring

    def _finish(self, found: list[FactorDistances]) -> None:
        trial_id = self.measurement.trial_id
        columns = self.measurement.columns()
        common = {name: value for name, value in columns.items() if name in DISTANCES.names}
        common |= {"trial_id": trial_id, "dataset_fingerprint": self.dataset.fingerprint}
        rows = [
            common
            | {
                "factor": factor.factor,
                "positions": factor.positions,
                "pairs": factor.pairs,
                "distance_mean": factor.mean,
                "distance_sd": factor.std,
                "distance_quantiles": factor.quantiles.tolist(),
                "distance_matrix": None if factor.matrix is None else factor.matrix.tolist(),
            }
            for factor in found
        ]
        with self.folder.replacing(self.folder.distances(trial_id)) as temporary:
            pq.write_table(pa.Table.from_pylist(rows, schema=DISTANCES), temporary)
        row = {
            "study": self.unit.study,
            "trial_id": trial_id,
            **columns,
            "status": "completed",
            "steps_done": self.step,
            "device": self.device_kind,
            "dataset_fingerprint": self.dataset.fingerprint,
            "code_version": self.unit.code_version,
            "attempt_id": self.attempt.attempt_id,
            "finished_at": utc_now(),
        }
        name = trial_record_name(trial_id, "completed", self.attempt.attempt_id)
        self.folder.write_record("trials", name, [row])
        self.closed = True
        self.attempt.close("completed", steps_done=self.step)
        self.log.write(f"completed: {self.step} pairs")
