"""One trial, from its description to its rows on disk.

The trainer actor and the in-process twin both drive this class, so what a trial leaves on disk does
not depend on where it ran. The order of the writes makes a crash harmless: weights, pictures,
codes and curves first, the trial's row last; a trial without a row is run again, from its newest
checkpoint, and writes the same bytes.
"""

from __future__ import annotations

import io
import os
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from grids.data_folder import DataFolder
from grids.datasets import Images
from grids.metrics import CELL, METRICS
from grids.settings import Resources
from grids.trial import Trial
from orchestrator import checkpoints, machine
from orchestrator.bf16_check import slow_bf16
from orchestrator.codes import codes_of, fixed_codes, latents_of, rows_to_encode
from orchestrator.trial_log import TrialLog
from orchestrator.watchdog import Pace
from orchestrator.work import Unit, due_metrics
from results.files import reading, remove_folder
from results.lease import Fenced
from results.ledger import Attempt, new_attempt_id, utc_now
from results.store import PICTURES, trial_record_name
from trainers import make_dataset
from trainers.datasets.dataset import Dataset
from trainers.fit import Training, finite, next_report
from trainers.kernels import usable
from trainers.pictures import pictures
from trainers.process import prepare_for_training

CHECKPOINT_SECONDS = 60.0
CHECKPOINT_SECONDS_BEFORE_CODES = 10.0  # encoding may take long, and may fail
LATENTS = "latents.npz"
LOGICAL_GPUS = "LATENTGRID_LOGICAL_GPUS"  # set where a cluster is made up, as in tests
WITHOUT_KERNELS = (
    "trains on torch's kernels, which are slower: ours take an Ampere or later, and on its node "
    "Triton, a C compiler and Python's headers"
)


class TrialRun:
    """Call `advance` until it returns True; `interrupt` when the process has to go.

    A chunk of work is sized by the pace of the chunk before, so that `advance(seconds)` returns in
    about that time: Tune kills an actor that answers much later, without cleanup.
    """

    def __init__(
        self,
        unit: Unit,
        *,
        make_training: Callable[..., Training] = Training,
        clock: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
        share_clock: Callable[[], float] | None = None,
    ) -> None:
        assert isinstance(unit.trial, Trial)
        self.unit, self.trial, self.folder = unit, unit.trial, unit.folder
        self.make_training, self.clock = make_training, clock
        self.device = device_of(unit.resources)
        self.device_kind = machine.device_kind(self.device.type)
        self.training: Training | None = None
        self.curves: list[dict[str, Any]] = []
        self.seconds_per_step: float | None = None
        self.last_checkpoint = clock()
        self.codes_due = False
        self.closed = False
        self.pace = Pace(clock)
        self.log = TrialLog(self.folder.log(self.trial.trial_id))
        self.checkpoint = checkpoints.NOTHING
        if unit.work == "train":
            self.checkpoint = checkpoints.newest(self.folder, self.trial.trial_id, self.log.write)
        self.attempt = Attempt.open(
            self.folder,
            "trial",
            [self.trial.trial_id],
            attempt_id=new_attempt_id(unit.epoch),
            node=machine.node(),
            device=self.device_kind,
            gpu_share=unit.resources.gpus,
            cpus=unit.resources.cpus,
            start_step=self.step,
            resumed_from=self.checkpoint.attempt_id,
            clock=clock,
            cpu_clock=cpu_clock,
            share_clock=share_clock,
        )
        self.log.write(f"attempt {self.attempt.attempt_id} to {unit.work} on {self.device_kind}")

    @property
    def step(self) -> int:
        """The step that the weights stand at."""
        if self.unit.work == "encode":
            return self.trial.steps
        return self.checkpoint.step if self.training is None else self.training.step

    def advance(self, seconds: float) -> bool:
        """Works for about `seconds`; True once nothing is left to do.

        Raises what training or a full disk raised, after the attempt was closed as failed, and
        `Fenced` when a newer driver has taken the study over.
        """
        try:
            if self.training is None:
                self._prepare()
            if self.codes_due:
                self._encode()
            deadline = self.clock() + seconds
            while self.step < self.trial.steps:
                if not self._train(self._chunk(deadline - self.clock())):
                    self._finish("diverged")
                    return True
                if self.clock() >= deadline and self.step < self.trial.steps:
                    self.attempt.beat(self.step)
                    return False
            self._finish("completed")
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
        """Keeps what was trained so far and closes the attempt; a finished run is left alone."""
        if self.closed:
            return
        self.closed = True
        if self.training is not None and self.unit.work == "train":
            self._save_checkpoint()
        self.attempt.close("interrupted", steps_done=self.step)
        self.log.write(f"interrupted at step {self.step}")

    def paces(self) -> list[Pace]:
        return [self.pace]

    def abandon(self, error: str) -> None:
        """Closes the attempt with `error`, if it is open; the process ends at once."""
        if not self.closed:
            self.closed = True
            self.attempt.close("failed", steps_done=self.step, error=error)
            self.log.write(error)

    def _prepare(self) -> None:
        with self.attempt.stage("prepare"):
            check_device(self.unit.resources, self.device)
            prepare_for_training()
            if self.device.type == "cpu" and (warning := slow_bf16([self.trial])):
                self.log.write(warning)
            on_gpu = self.device.type == "cuda" and self.trial.precision == "bf16"
            if on_gpu and not usable(self.device):
                self.log.write(WITHOUT_KERNELS)
            self.dataset = opened(self.trial.dataset, self.unit.data, self.device)
            training = self.make_training(self.trial, self.dataset, self.device)
            if self.unit.work == "encode":
                self._take_weights(training)
            elif self.checkpoint.state is not None:
                self._resume(training, self.checkpoint.state)
                self.log.write(f"goes on from step {self.checkpoint.step}")
            self.checkpoint = self.checkpoint._replace(state=None)
            self.training = training

    def _take_weights(self, training: Training) -> None:
        path = self.folder.weights(self.trial.trial_id)
        with reading(path) as weights:
            try:
                state = torch.load(weights, weights_only=True, map_location="cpu")
                training.model.load_state_dict(state)
            except OSError:
                raise  # of the disk or the store
            except Exception:  # whatever a file that another program wrote makes torch raise
                raise ValueError(f"{path}: damaged, or not the weights of this trial") from None

    def _resume(self, training: Training, state: dict[str, Any]) -> None:
        try:
            if state["dataset_fingerprint"] != self.dataset.fingerprint:
                raise ValueError("of other data")
            training.load_state_dict(state["training"])
            self.curves = state["curves"]
            self.codes_due = state.get("codes_due", False)
        except (torch.OutOfMemoryError, torch.AcceleratorError):
            raise  # they say nothing of the checkpoint
        except Exception as error:  # a state of any shape may raise anything
            # Of another version of this code, say. The next try goes on from what is left.
            checkpoints.discard(self.folder, self.trial.trial_id, self.checkpoint)
            raise ValueError("a checkpoint does not fit this code and data; deleted") from error

    def _chunk(self, seconds_left: float) -> int:
        """Steps until the next report, evaluation or deadline, whichever comes first."""
        stops = [next_report(self.trial, self.step)]
        for every in self.unit.evaluate.intervals:
            stops.append((self.step // every + 1) * every)
        affordable = 1 if self.seconds_per_step is None else seconds_left / self.seconds_per_step
        return max(1, min(min(stops) - self.step, int(affordable)))

    def _train(self, steps: int) -> bool:
        """Trains and writes what is due at the step reached; False if the trial has diverged."""
        assert self.training is not None
        started = self.clock()
        with self.attempt.stage("train"), self.pace.chunk():
            due = self.step + steps == next_report(self.trial, self.step)
            self.training.advance(steps)
            terms = self.training.report() if due else None
            if self.device.type == "cuda":
                torch.cuda.current_stream().synchronize()  # else the pace would be the host's
        self.seconds_per_step = max((self.clock() - started) / steps, 1e-6)
        if terms is not None:
            self.curves.append({"trial_id": self.trial.trial_id, "step": self.step, **terms})
            self.folder.write_record("curves", self.trial.trial_id, self.curves)
            shown = ", ".join(f"{k} {v:.5g}" for k, v in terms.items() if isinstance(v, float))
            self.log.write(f"step {self.step}: {shown}")
            if not finite(terms):
                return False
        at_end = self.step == self.trial.steps
        scored = any(self.step % every == 0 for every in self.unit.evaluate.intervals)
        self.codes_due = scored and not at_end
        encodes = at_end or self.codes_due
        wait_seconds = CHECKPOINT_SECONDS_BEFORE_CODES if encodes else CHECKPOINT_SECONDS
        if self.clock() - self.last_checkpoint >= wait_seconds:
            self._save_checkpoint()
        if self.codes_due:
            self._encode()
        return True

    def _encode(self) -> None:
        with self.attempt.stage("encode"):
            self._write_codes()
        self.codes_due = False

    def _finish(self, outcome: str) -> None:
        assert self.training is not None
        trial_id = self.trial.trial_id
        self.attempt.beat(self.step)
        with self.attempt.stage("encode"):
            if outcome == "completed" and self.unit.work == "train":
                weights = io.BytesIO()
                # On the CPU, so that any machine can read them.
                state = {k: v.cpu() for k, v in self.training.model.state_dict().items()}
                torch.save(state, weights)
                self.folder.write(self.folder.weights(trial_id), weights.getvalue())
                drawn = pictures(
                    self.training.model,
                    self.dataset,
                    reconstruction=self.trial.reconstruction,
                    device=self.device,
                )
                path = self.folder.artifacts(trial_id) / PICTURES
                self.folder.write(path, _npz(np.savez_compressed, drawn))
            if outcome == "completed" and self.unit.evaluate.metrics:
                self._write_codes()
                if any(CELL in METRICS[metric] for metric in self.unit.evaluate.metrics):
                    self._write_fixed_codes()
        if self.unit.work == "train":
            self._write_row(outcome)
            self.folder.check_fence()
            remove_folder(self.folder.checkpoint_dir(trial_id))
        self.closed = True
        self.attempt.close(outcome, steps_done=self.step)
        self.log.write(f"{outcome} at step {self.step}")

    def _write_codes(self) -> None:
        assert self.training is not None
        evaluate, at_end = self.unit.evaluate, self.step == self.trial.steps
        metrics = due_metrics(self.step, self.trial.steps, evaluate)
        rows = None
        # At the end latents are told from all codes, and metrics that are added later scored.
        if not at_end:
            sizes = tuple(len(positions) for positions in self.dataset.evaluation_grid)
            draws = self.dataset.evaluation_draws
            rows = rows_to_encode(self.trial, sizes, draws, metrics, evaluate)
        arrays = codes_of(
            self.training.model,
            self.trial,
            self.dataset,
            metrics,
            size=evaluate.final if at_end else evaluate.during,
            data=self.unit.data,
            device=self.device,
            rows=rows,
        )
        if at_end and (latents := latents_of(self.trial, arrays)):
            path = self.folder.artifacts(self.trial.trial_id) / LATENTS
            self.folder.write(path, _npz(np.savez, latents))
        path = self.folder.codes(self.trial.trial_id, self.step)
        self.folder.write(path, _npz(np.savez, arrays))

    def _write_fixed_codes(self) -> None:
        assert self.training is not None
        arrays = fixed_codes(self.training.model, self.trial, self.dataset, self.device)
        self.folder.write(self.folder.fixed_codes(self.trial.trial_id), _npz(np.savez, arrays))

    def _write_row(self, outcome: str) -> None:
        last = {k: v for k, v in self.curves[-1].items() if k not in ("trial_id", "step")}
        row = {
            "study": self.unit.study,
            "trial_id": self.trial.trial_id,
            **self.trial.columns(),
            "status": outcome,
            "steps_done": self.step,
            **{f"final_{name}": value for name, value in last.items()},
            "device": self.device_kind,
            "dataset_fingerprint": self.dataset.fingerprint,
            "code_version": self.unit.code_version,
            "attempt_id": self.attempt.attempt_id,
            "finished_at": utc_now(),
        }
        name = trial_record_name(self.trial.trial_id, outcome, self.attempt.attempt_id)
        self.folder.write_record("trials", name, [row])

    def _save_checkpoint(self) -> None:
        assert self.training is not None
        state = {
            "training": self.training.state_dict(),
            "curves": self.curves,
            "codes_due": self.codes_due,
            "dataset_fingerprint": self.dataset.fingerprint,
        }
        checkpoints.save(
            self.folder, self.trial.trial_id, self.attempt.attempt_id, self.step, state
        )
        self.last_checkpoint = self.clock()


_opening = threading.Lock()
_opened: weakref.WeakValueDictionary[Any, Dataset] = weakref.WeakValueDictionary()
_last: list[Dataset] = []


def opened(parameters: Images, data: DataFolder, device: torch.device) -> Dataset:
    """The dataset, which all trials of this process share. The last one is kept for the next
    trial, as a copy to a GPU takes a while.
    """
    key = parameters, data, device
    with _opening:
        dataset = _opened.get(key)
        if dataset is None:
            _last.clear()  # first: a GPU may not hold one more than is needed
            dataset = _opened[key] = make_dataset(parameters, data, device)
            if device.type == "cuda":
                # What it keeps on the device is there before another stream reads it.
                first = torch.zeros(1, len(dataset.factor_sizes), dtype=torch.int64, device=device)
                dataset.images(first, torch.zeros(1, dtype=torch.int64, device=device))
                torch.cuda.current_stream(device).synchronize()
        _last[:] = [dataset]
        return dataset


def device_of(resources: Resources) -> torch.device:
    use_cuda = resources.gpus > 0 and torch.cuda.is_available()
    return torch.device("cuda" if use_cuda else "cpu")


def check_device(resources: Resources, device: torch.device) -> None:
    """Raises RuntimeError where a GPU was asked for and torch has none: its hours would be paid for
    what a CPU does.
    """
    if resources.gpus > 0 and device.type == "cpu" and LOGICAL_GPUS not in os.environ:
        raise RuntimeError(
            f"resources: gpus: {resources.gpus:g} asked for, and torch {torch.__version__} on "
            f"{machine.node()} finds no CUDA device: it is a torch for CPUs, or the driver is older"
        )


def _npz(savez: Callable[..., None], arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    savez(buffer, **arrays)
    return buffer.getvalue()
