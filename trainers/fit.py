"""The training loop, and the state of a trial between two steps.

The trajectory of a trial depends on the trial and the step only (and, in its last bits, on the
machine, the versions and the number of threads): batches and noise are keyed by (seed, stream,
step), so that resuming is knowing the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from grids.parts import (
    COMMON_TERMS,
    Adam,
    ConstantSchedule,
    FactorVAE,
)
from grids.trial import Trial
from trainers import BASELINES, COMPANIONS, OBJECTIVES, make_model
from trainers.baselines import fit_images
from trainers.batches import Batches, images_a_step
from trainers.capture import CapturedSteps
from trainers.datasets.dataset import Dataset
from trainers.kernels import usable
from trainers.objectives.evidence import reconstruction_per_image
from trainers.objectives.step import Step, Terms
from trainers.optimizers import make_optimizer
from trainers.precision import autocast, kernels
from trainers.schedules import factor

REPORTS_PER_TRIAL = 60

Report = dict[str, float | list[float]]
"""Means since the last report by term; where there is a KL, "kl_nats_by_latent", a list of Z."""


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
        # A tensor only where the rate moves: a number is what the fused kernels are fastest with.
        self._lr: float | Tensor = trial.optimizer.lr
        if trial.lr_schedule != ConstantSchedule():
            # The fused kernels read a float32 on CUDA, whatever the tensor is.
            dtype = torch.float32 if self.device.type == "cuda" else torch.float64
            self._lr = torch.tensor(self._lr, dtype=dtype, device=self.device)
        self.optimizer = self._optimizer()
        self.companion: nn.Module | None = None
        self.companion_optimizer: torch.optim.Optimizer | None = None
        if trial.framework.name in COMPANIONS:
            self.companion = COMPANIONS[trial.framework.name](trial).to(self.device)
        if isinstance(trial.framework, FactorVAE):
            assert self.companion is not None
            adam = Adam(
                lr=trial.framework.discriminator_lr,
                beta1=trial.framework.discriminator_beta1,
                beta2=trial.framework.discriminator_beta2,
            )
            self.companion_optimizer = make_optimizer(
                self.companion.parameters(), adam, adam.lr, self.device
            )
        self._batches = Batches(trial, dataset, self.device)
        with_kl = trial.framework.posterior
        self._term_names = (
            *(COMMON_TERMS if with_kl else COMMON_TERMS[:2]),
            *trial.framework.terms,
            *trial.reconstruction.terms,
        )
        self._sums = torch.zeros(
            len(self._term_names) + (trial.latents if with_kl else 0),
            dtype=torch.float64,
            device=self.device,
        )
        self._summed_steps = 0
        # The step on the device, so that what it keys follows it without the host.
        self._device_step = torch.zeros((), dtype=torch.int64, device=self.device)
        # The gradient of a loss in itself, which torch would fill in anew each step.
        self._one = torch.ones((), device=self.device)
        self._captured: CapturedSteps | None = None
        self._capture_anew()

    def _optimizer(self) -> torch.optim.Optimizer:
        """The model's; where our own kernels are for both, the model has them from here on."""
        part = self.trial.optimizer
        if self.trial.precision == "bf16" and isinstance(part, Adam) and usable(self.device):
            from trainers.models.fused import fuse, fusible  # needs Triton

            if fusible(self.model, images_a_step(self.trial)):
                return fuse(self.model, self.trial.dataset.image_shape[1], part, self._lr)
        return make_optimizer(self.model.parameters(), part, self._lr, self.device)

    def advance(self, steps: int) -> None:
        """Trains exactly so many steps, without waiting for the device."""
        end = self.step + steps
        while self.step < end:
            made = self._some_steps(end - self.step)
            self.step += made
            self._summed_steps += made

    def report(self) -> Report:
        """Means of the terms over the steps since the last report, at least one; starts new sums.

        The only place where the host waits for the device, and where divergence is judged.
        """
        assert self._summed_steps > 0
        means = (self._sums / self._summed_steps).tolist()
        self._sums.zero_()
        self._summed_steps = 0
        terms: Report = dict(zip(self._term_names, means, strict=False))
        if by_latent := means[len(self._term_names) :]:
            terms["kl_nats_by_latent"] = by_latent
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
        if self.companion is not None:
            state["companion"] = dict(self.companion.state_dict())
        if self.companion_optimizer is not None:
            state["companion_optimizer"] = self.companion_optimizer.state_dict()["state"]
        copied: dict[str, Any] = cloned(state)
        return copied

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continues, bit for bit, where `state_dict` was taken; `state` is copied."""
        self.step = state["step"]
        self.diverged = state["diverged"]
        self.model.load_state_dict(state["model"])  # first: the optimiser may copy the weights
        _load_moments(self.optimizer, state["optimizer"])
        if self.companion is not None:
            self.companion.load_state_dict(state["companion"])
        if self.companion_optimizer is not None:
            _load_moments(self.companion_optimizer, state["companion_optimizer"])
        self._sums.copy_(state["sums"])
        self._summed_steps = state["summed_steps"]
        self._device_step.fill_(self.step)
        self._capture_anew()

    def _capture_anew(self) -> None:
        """Where steps can be captured: on CUDA, if all of a step is on the device.

        torch's Adagrad counts its steps on the host; what is fitted in closed form is one step.
        """
        on_device = isinstance(self.trial.optimizer, Adam) and not self.trial.framework.closed_form
        if self.device.type == "cuda" and on_device:
            self._captured = CapturedSteps()

    def _some_steps(self, most: int) -> int:
        most = min(most, self._batches.reach(self.step))
        if self._captured is not None:
            return self._captured.run(self._one_step, most)
        self._one_step()
        return 1

    def _one_step(self) -> None:
        with kernels(self.trial.precision):
            step = self._batch()
            if self.trial.framework.closed_form:
                terms = self._fitted(step)
            else:
                with autocast(self.trial.precision, self.device):
                    terms = OBJECTIVES[self.trial.framework.name](self.model, step, self.trial)
                self._descend(terms)
            self._count(terms)

    def _count(self, terms: Terms) -> None:
        self._device_step += 1
        scalars = {
            "loss": terms.loss,
            "reconstruction_per_image": terms.reconstruction_per_image,
            **terms.own,
        }
        by_latent = []
        if terms.kl_nats_by_latent is not None:
            scalars["kl_nats"] = terms.kl_nats_by_latent.sum()
            by_latent = [terms.kl_nats_by_latent]
        summed = [scalars[name].to(self.device, torch.float32).view(1) for name in self._term_names]
        self._sums += torch.cat([*summed, *by_latent]).detach()

    def _descend(self, terms: Terms) -> None:
        """A step of the model, and one of its companion, on gradients taken before either."""
        self.optimizer.zero_grad(set_to_none=True)
        _backward(terms.loss, self.optimizer, self._one)
        if self.companion_optimizer is not None:
            assert terms.companion_loss is not None
            self.companion_optimizer.zero_grad(set_to_none=True)
            _backward(terms.companion_loss, self.companion_optimizer, self._one)
            self.companion_optimizer.step()
        if isinstance(self._lr, Tensor):
            moved = factor(self.trial.lr_schedule, self._device_step, self.trial.steps)
            self._lr.copy_(self.trial.optimizer.lr * moved)
        self.optimizer.step()
        for name, value in terms.companion_state.items():
            assert self.companion is not None
            self.companion.get_buffer(name).copy_(value)

    def _fitted(self, step: Step) -> Terms:
        """The whole training of a framework in closed form: one fit, to one batch."""
        from threadpoolctl import threadpool_limits  # comes with scikit-learn, which the fits need

        with threadpool_limits(1):  # as torch is: sums differ by the number of threads
            found = BASELINES[self.trial.framework.name](fit_images(step.images_BCHW), self.trial)
        self.model.load_state_dict(found.state_dict())
        with torch.no_grad():
            output_BCHW = self.model.decode(self.model.code(step.images_BCHW))
            error, _ = reconstruction_per_image(
                self.model, output_BCHW, step.images_BCHW, self.trial
            )
        own = {name: torch.tensor(value, device=self.device) for name, value in found.own.items()}
        return Terms(error / step.images_BCHW[0].numel(), error, None, own)

    def _batch(self) -> Step:
        step = self._batches.of_step(self._device_step)
        return step._replace(companion=self.companion)


def _backward(loss: Tensor, optimizer: torch.optim.Optimizer, one: Tensor) -> None:
    """Gradients for the optimiser's own parameters only."""
    own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    loss.backward(one.to(loss.dtype), inputs=own)  # type: ignore[no-untyped-call]


def _load_moments(optimizer: torch.optim.Optimizer, moments: Mapping[Any, Any]) -> None:
    # Hyperparameters are the trial's. The optimiser would go on to write into what it is given, and
    # takes copies of what is not a number, so of a rate that moves.
    rates = [group["lr"] for group in optimizer.param_groups]
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": cloned(moments), "param_groups": groups})
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate


def cloned(state: Any) -> Any:
    """A copy whose tensors have each a memory of their own, whatever they shared or were part of:
    what adds to one of them in place must not add to another.
    """
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: cloned(value) for key, value in state.items()}
    return state


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
