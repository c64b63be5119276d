"""The training loop, and the state of a trial between two steps.

The trajectory of a trial depends on the trial and the step only (and, in its last bits, on the
machine, the versions and the number of threads): batches and noise are keyed by (seed, stream,
step), so that resuming is knowing the step.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from grids.parts import COMMON_TERMS, AdaGVAE
from grids.trial import Trial
from trainers import OBJECTIVES, make_model
from trainers.datasets.dataset import Dataset
from trainers.pixels import Pixels
from trainers.precision import autocast, kernels
from trainers.sampling import cells, nuisances, pairs
from trainers.streams import Stream, normals

REPORTS_PER_TRIAL = 60

Report = dict[str, float | list[float]]
"""Means since the last report by term, and "kl_nats_by_latent", a list of Z."""


def fit(
    trial: Trial,
    dataset: Dataset,
    *,
    device: torch.device | str,
    state: Mapping[str, Any] | None = None,
    report: Callable[[int, Report], None] | None = None,
) -> Training:
    """Trains to the end, or until a report is not finite; hands each to `report(step, terms)`."""
    training = Training(trial, dataset, device)
    if state is not None:
        training.load_state_dict(state)
    while training.step < trial.steps and not training.diverged:
        training.advance(next_report(trial, training.step) - training.step)
        terms = training.report()
        if report is not None:
            report(training.step, terms)
    return training


class Training:
    """A trial between two steps."""

    def __init__(self, trial: Trial, dataset: Dataset, device: torch.device | str) -> None:
        self.trial = trial
        self.dataset = dataset
        self.device = torch.device(device)
        self.step = 0
        self.diverged = False
        self.model = make_model(trial, device=self.device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(),
            lr=trial.optimizer.lr,
            betas=(trial.optimizer.beta1, trial.optimizer.beta2),
            eps=trial.optimizer.eps,
            fused=True,
            capturable=self.device.type == "cuda",
        )
        self._factor_sizes_F = torch.tensor(
            dataset.factor_sizes, dtype=torch.int64, device=self.device
        )
        self._pixels = Pixels(dataset, self.device)
        self._term_names = (*COMMON_TERMS, *trial.framework.terms)
        self._sums = torch.zeros(
            len(self._term_names) + trial.latents, dtype=torch.float64, device=self.device
        )
        self._summed_steps = 0
        # The step on the device, so that what it keys follows it without the host.
        self._device_step = torch.zeros((), dtype=torch.int64, device=self.device)

    def advance(self, steps: int) -> None:
        """Trains exactly so many steps, without waiting for the device."""
        with kernels(self.trial.precision):
            for _ in range(steps):
                self._one_step()
        self.step += steps
        self._summed_steps += steps

    def report(self) -> Report:
        """Means of the terms over the steps since the last report, at least one; starts new sums.

        The only place where the host waits for the device, and where divergence is judged.
        """
        assert self._summed_steps > 0
        means = (self._sums / self._summed_steps).tolist()
        self._sums.zero_()
        self._summed_steps = 0
        terms: Report = dict(zip(self._term_names, means, strict=False))
        terms["kl_nats_by_latent"] = means[len(self._term_names) :]
        self.diverged = not finite(terms)
        return terms

    def state_dict(self) -> dict[str, Any]:
        """A copy of all that an exact resume at this step needs; tensors and plain values only."""
        state = {
            "step": self.step,
            "diverged": self.diverged,
            "model": dict(self.model.state_dict()),
            "optimizer": self.optimizer.state_dict()["state"],
            "sums": self._sums,
            "summed_steps": self._summed_steps,
        }
        return copy.deepcopy(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues, bit for bit, where `state_dict` was taken; `state` is copied."""
        self.step = state["step"]
        self.diverged = state["diverged"]
        self.model.load_state_dict(state["model"])
        # Hyperparameters are the trial's. The optimiser would go on to write into what it is given.
        groups = self.optimizer.state_dict()["param_groups"]
        moments = copy.deepcopy(state["optimizer"])
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self._sums.copy_(state["sums"])
        self._summed_steps = state["summed_steps"]
        self._device_step.fill_(self.step)

    def _one_step(self) -> None:
        images_BCHW, noise_BZ = self._batch()
        objective = OBJECTIVES[self.trial.framework.name]
        with autocast(self.trial.precision, self.device):
            terms = objective(self.model, images_BCHW, noise_BZ, self.trial)
        self.optimizer.zero_grad(set_to_none=True)
        terms.loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self._device_step += 1
        scalars = {
            "loss": terms.loss,
            "reconstruction_per_image": terms.reconstruction_per_image,
            "kl_nats": terms.kl_nats_by_latent.sum(),
            **terms.framework,
        }
        summed = torch.stack([scalars[name] for name in self._term_names])
        self._sums += torch.cat([summed, terms.kl_nats_by_latent]).detach()

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Images on the model's scale and the noise of their latents; of pairs, partners last."""
        trial, seed, step = self.trial, self.trial.seed, self._device_step
        sizes_F = self._factor_sizes_F
        if isinstance(trial.framework, AdaGVAE):
            factors_BF = torch.cat(pairs(seed, step, trial.batch_size, sizes_F, trial.framework))
        else:
            factors_BF = cells(seed, step, trial.batch_size, sizes_F)
        noise_BZ = normals(
            seed, Stream.LATENT_NOISE, step, len(factors_BF), trial.latents, dtype=torch.float32
        )
        nuisance_B = nuisances(seed, step, len(factors_BF), self.dataset.nuisances)
        return self._pixels.to_float(self.dataset.images(factors_BF, nuisance_B)), noise_BZ


def report_every(trial: Trial) -> int:
    """Steps from report to report: at most 60 reports a trial, fixed by the trial alone."""
    return math.ceil(trial.steps / REPORTS_PER_TRIAL)


def next_report(trial: Trial, step: int) -> int:
    """The step of the first report after `step`; the last step has one."""
    every = report_every(trial)
    return min((step // every + 1) * every, trial.steps)


def finite(report: Report) -> bool:
    """Whether no term is NaN or infinite."""
    flat = (v for value in report.values() for v in (value if isinstance(value, list) else [value]))
    return all(math.isfinite(v) for v in flat)
