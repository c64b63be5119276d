"""A trial as data: a frozen dataclass that checks itself and knows its own identity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from grids.configuration import Configuration
from grids.datasets import RANDOM_NUISANCES
from grids.fields import FieldError, Valid, declared_fields, shown
from grids.parts import (
    MSE,
    AdaGVAE,
    Adam,
    AdaMLVAE,
    BetaTCVAE,
    CapacityVAE,
    ConstantSchedule,
    Dataset,
    Framework,
    LinearSchedule,
    Model,
    Optimizer,
    Reconstruction,
    Schedule,
)

LARGEST_EPOCH = 2**24
"""Images of a dataset at most, to draw them without replacement: their order is held in memory."""

CODE_EPOCH = 1
"""Raised by hand when a change of the code changes the answers of trials."""


class GridError(ValueError):
    """A grid file is wrong; one line, `file:line:column: what is wrong; valid: ...`."""


@dataclass(frozen=True, kw_only=True)
class Trial(Configuration):
    """One configuration: all that changes the answer, nothing about where or how it runs.

    Raises FieldError (a ValueError) that names the field, its value and what is valid.
    """

    kind: ClassVar[str] = "trial"
    epoch: ClassVar[int] = CODE_EPOCH

    dataset: Dataset
    framework: Framework
    beta: Annotated[float | None, Valid(at_least=0), "weight of the KL term"] = None
    beta_convention: Annotated[
        Literal["mean", "sum"],
        "mean: terms averaged over pixels and over latents; sum: summed over them",
    ] = "mean"
    beta_schedule: Schedule = ConstantSchedule()
    model: Model
    latents: Annotated[int, Valid(at_least=1, at_most=1000), "number of latent dimensions"]
    reconstruction: Reconstruction = MSE()
    optimizer: Optimizer = Adam()
    lr_schedule: Schedule = ConstantSchedule()
    steps: Annotated[int, Valid(at_least=1), "optimiser steps"]
    batch_size: Annotated[int, Valid(at_least=1), "images (or pairs of images) a step"] = 64
    sampling: Annotated[
        Literal["with_replacement", "without_replacement"],
        "how images (of pairs, the first) are drawn; without: each once an epoch",
    ] = "with_replacement"
    precision: Annotated[Literal["fp32", "tf32", "bf16"], "arithmetic of the training step"] = (
        "fp32"
    )
    seed: Annotated[int, Valid(at_least=0), "seed of weights, batches and noise"] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_beta()
        self._check_model()
        self._check_reconstruction()
        self._check_batches()
        self._check_schedules()
        if self.framework.closed_form:
            self._check_closed_form()

    def _check_beta(self) -> None:
        framework = self.framework
        if framework.conventions and self.beta is None:
            raise FieldError("beta", f"is missing; valid: a number, as {framework.name} has one")
        if framework.conventions and self.beta_convention not in framework.conventions:
            raise FieldError(
                "beta_convention",
                f"is {self.beta_convention}; valid: {', '.join(framework.conventions)}, as "
                f"framework is {framework.name}",
            )
        if not framework.conventions:
            for name in ("beta", "beta_convention", "beta_schedule"):
                self._leave_out(name, f"{framework.name} has no beta")

    def _check_model(self) -> None:
        model, (_, height, width) = self.model, self.dataset.image_shape
        sizes = model.image_sizes
        if sizes is not None and not (height == width and height in sizes):
            raise FieldError(
                "model",
                f"is {model.name}, for images of side {' or '.join(map(str, sizes))}, while those "
                f"of {self.dataset.name} are {height}x{width}; valid: equal sides",
            )
        most = model.narrowest_layer or math.prod(self.dataset.image_shape)
        if self.latents > most:
            raise FieldError(
                "latents", f"is {self.latents}; valid: at most {most}, as model is {model.name}"
            )

    def _check_reconstruction(self) -> None:
        if self.reconstruction.unit_targets and self.dataset.standardise:
            name = self.reconstruction.name
            if self.reconstruction.activation != "linear":
                name += f" with a {self.reconstruction.activation}"
            raise FieldError(
                "reconstruction",
                f"is {name}, whose targets are in [0, 1], and dataset.standardise is true; "
                "valid: standardise: false, or mse with a linear output",
            )

    def _check_batches(self) -> None:
        framework, num_factors = self.framework, len(self.dataset.factor_names)
        if framework.pairs and num_factors < 2:
            raise FieldError(
                "framework",
                f"is {framework.name}, whose pairs share factors, and {self.dataset.name} has "
                f"{num_factors}; valid: a dataset of at least 2 factors",
            )
        if isinstance(framework, AdaGVAE | AdaMLVAE) and framework.k is not None:
            if framework.k > num_factors:
                raise FieldError(
                    "framework.k",
                    f"is {framework.k}; valid: at most {num_factors}, the number of factors "
                    f"of {self.dataset.name}",
                )
        if self.batch_size < framework.fewest_rows:
            raise FieldError(
                "batch_size",
                f"is {self.batch_size}; valid: at least {framework.fewest_rows}, for what "
                f"{framework.name} estimates from a batch",
            )
        if self.latents < framework.fewest_latents:
            raise FieldError(
                "latents",
                f"is {self.latents}; valid: at least {framework.fewest_latents}, which "
                f"{framework.name} compares",
            )
        if isinstance(framework, BetaTCVAE) and framework.estimator == "stratified":
            if self.batch_size > self.images:
                raise FieldError(
                    "batch_size",
                    f"is {self.batch_size}; valid: at most {self.images}, the images of "
                    f"{self.dataset.name}, as framework.estimator is stratified",
                )
        if self.batch_size % framework.rows_multiple:
            raise FieldError(
                "batch_size",
                f"is {self.batch_size}; valid: a multiple of {framework.rows_multiple}, as "
                f"framework.permutation is halves",
            )
        if self.sampling == "without_replacement":
            images, drawn = self.images, self.batch_size * framework.drawn_per_row
            if images > LARGEST_EPOCH:
                raise FieldError(
                    "sampling",
                    f"is without_replacement, of {images} images of {self.dataset.name}; valid: "
                    f"with_replacement, beyond {LARGEST_EPOCH} images",
                )
            if drawn > images:
                raise FieldError(
                    "sampling",
                    f"is without_replacement, of {images} images of {self.dataset.name}, and a "
                    f"step takes {drawn}; valid: with_replacement, or a smaller batch_size",
                )

    def _check_schedules(self) -> None:
        durations = {}
        for name in ("beta_schedule", "lr_schedule"):
            schedule = getattr(self, name)
            if isinstance(schedule, LinearSchedule) and schedule.steps is not None:
                durations[f"{name}.steps"] = schedule.steps
        if self.framework.longest_schedule is not None:
            name, steps = self.framework.longest_schedule
            durations[f"framework.{name}"] = steps
        if isinstance(self.framework, CapacityVAE) and self.framework.variant == "settle":
            if 2 * self.framework.window_steps > self.steps:
                raise FieldError(
                    "framework.window_steps",
                    f"is {self.framework.window_steps}; valid: at most {self.steps // 2}, as what "
                    f"has settled is told by two windows, and the training has {self.steps} steps",
                )
        for name, steps in durations.items():
            if steps > self.steps:
                raise FieldError(
                    name, f"is {steps}; valid: at most {self.steps}, the steps of the training"
                )

    def _check_closed_form(self) -> None:
        name = self.framework.name
        if self.model.name != "linear":
            raise FieldError("model", f"is {self.model.name}; valid: linear, as {name} is")
        if self.steps != 1:
            raise FieldError(
                "steps", f"is {self.steps}; valid: 1, as {name} is fitted once, to one batch"
            )
        if self.latents >= self.batch_size:
            raise FieldError(
                "latents",
                f"is {self.latents}; valid: below batch_size, as the {self.batch_size} images "
                f"that {name} is fitted to differ from their mean in one direction less",
            )
        for field in ("reconstruction", "optimizer", "lr_schedule", "precision"):
            self._leave_out(field, f"{name} is not trained by gradients")

    def _leave_out(self, name: str, why: str) -> None:
        """Refuses a value that would change the identity and not the answer."""
        value = getattr(self, name)
        field = type(self).__dataclass_fields__[name]
        if value != field.default:
            given, valid = _told_apart(value, field.default)
            raise FieldError(
                name, f"is {given}; valid: {valid}, its default, as {why} (a case may set it)"
            )

    def columns(self) -> dict[str, str | int | float | bool | None]:
        """The configuration as one flat row; grids.columns has the types."""
        row = super().columns() | {"beta_sum": self.beta_sum, "beta_mean": self.beta_mean}
        return row if self.framework.conventions else row | {"beta_convention": None}

    @property
    def beta_sum(self) -> float | None:
        """beta where both terms are sums: beta_sum = beta_mean * N / Z, N values of an image."""
        if self.beta is None or self.beta_convention == "sum":
            return self.beta
        return self.beta * math.prod(self.dataset.image_shape) / self.latents

    @property
    def beta_mean(self) -> float | None:
        """beta where both terms are means (over N values of an image, over Z latents)."""
        if self.beta is None or self.beta_convention == "mean":
            return self.beta
        return self.beta * self.latents / math.prod(self.dataset.image_shape)

    @property
    def images(self) -> int:
        """Images of the dataset; where the nuisance is random numbers, cells of its grid."""
        nuisances = self.dataset.nuisances
        cells = math.prod(self.dataset.factor_sizes)
        return cells if nuisances == RANDOM_NUISANCES else cells * nuisances


def _told_apart(value: object, default: object) -> tuple[str, str]:
    """Two values as a grid file spells them; of parts of one name, the parameters that differ."""
    names = getattr(value, "name", None), getattr(default, "name", None)
    if names[0] is None and names[1] is None:
        return str(value), shown(default) if default is None else str(default)
    if names[0] != names[1]:
        return str(names[0]), str(names[1])
    differing = [
        n for n in declared_fields(type(value)) if getattr(value, n) != getattr(default, n)
    ]
    given, valid = (
        ", ".join([f"name: {names[0]}", *(f"{n}: {getattr(part, n)}" for n in differing)])
        for part in (value, default)
    )
    return f"{{{given}}}", f"{{{valid}}}"
