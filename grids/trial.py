"""A trial as data: a frozen dataclass that checks itself and knows its own identity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from grids.configuration import Configuration
from grids.fields import FieldError, Valid
from grids.parts import MSE, AdaGVAE, Adam, Dataset, Framework, Model, Optimizer, Reconstruction

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
    model: Model
    latents: Annotated[int, Valid(at_least=1, at_most=1000), "number of latent dimensions"]
    reconstruction: Reconstruction = MSE()
    optimizer: Optimizer = Adam()
    steps: Annotated[int, Valid(at_least=1), "optimiser steps"]
    batch_size: Annotated[int, Valid(at_least=1), "images (or pairs of images) a step"] = 64
    precision: Annotated[Literal["fp32", "tf32", "bf16"], "arithmetic of the training step"] = (
        "fp32"
    )
    seed: Annotated[int, Valid(at_least=0), "seed of weights, batches and noise"] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.framework.uses_beta and self.beta is None:
            raise FieldError(
                "beta", f"is missing; valid: a number, as {self.framework.name} has one"
            )
        if not self.framework.uses_beta and self.beta is not None:
            raise FieldError(
                "beta", f"is {self.beta}; valid: none, as {self.framework.name} has none"
            )
        if self.dataset.image_shape[1:] != (self.model.image_size, self.model.image_size):
            raise FieldError(
                "model",
                f"is {self.model.name}, for images of side {self.model.image_size}, while those of "
                f"{self.dataset.name} have {self.dataset.image_shape[1]}; valid: equal sides",
            )
        if self.reconstruction.name == "bernoulli" and self.dataset.standardise:
            raise FieldError(
                "reconstruction",
                "is bernoulli, whose targets are in [0, 1], and dataset.standardise is true; "
                "valid: mse, or standardise: false",
            )
        num_factors = len(self.dataset.factor_names)
        if self.framework.pairs and num_factors < 2:
            raise FieldError(
                "framework",
                f"is {self.framework.name}, whose pairs share factors, and {self.dataset.name} has "
                f"{num_factors}; valid: a dataset of at least 2 factors",
            )
        if isinstance(self.framework, AdaGVAE) and self.framework.k is not None:
            if self.framework.k > num_factors:
                raise FieldError(
                    "framework.k",
                    f"is {self.framework.k}; valid: at most {num_factors}, the number of factors "
                    f"of {self.dataset.name}",
                )

    def columns(self) -> dict[str, str | int | float | bool | None]:
        """The configuration as one flat row; grids.columns has the types."""
        return super().columns() | {"beta_sum": self.beta_sum, "beta_mean": self.beta_mean}

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
