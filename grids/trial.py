"""A trial as data: a frozen dataclass that checks itself and knows its own identity."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

from grids.fields import FieldError, Valid, check_fields, declared_fields, instead, shown
from grids.parts import (
    DATASETS,
    FRAMEWORKS,
    MODELS,
    MSE,
    OPTIMIZERS,
    RECONSTRUCTIONS,
    AdaGVAE,
    Adam,
    Dataset,
    Framework,
    Model,
    Optimizer,
    Part,
    Reconstruction,
)

CODE_EPOCH = 1
"""Raised by hand when a change of the code changes the answers of trials."""

PARTS: dict[str, Mapping[str, type[Part]]] = {
    "dataset": DATASETS,
    "framework": FRAMEWORKS,
    "model": MODELS,
    "reconstruction": RECONSTRUCTIONS,
    "optimizer": OPTIMIZERS,
}
"""The fields of a trial that are parts, with the valid choices of each."""


class GridError(ValueError):
    """A grid file is wrong; one line, `file:line:column: what is wrong; valid: ...`."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One configuration: all that changes the answer, nothing about where or how it runs.

    Raises FieldError (a ValueError) that names the field, its value and what is valid.
    """

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
        for kind, choices in PARTS.items():
            part = getattr(self, kind)
            if type(part) not in choices.values():
                raise FieldError(kind, f"is {shown(part)}; valid: {', '.join(choices)}")
        check_fields(self)
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
        if isinstance(self.framework, AdaGVAE) and self.framework.k is not None:
            num_factors = len(self.dataset.factor_names)
            if self.framework.k > num_factors:
                raise FieldError(
                    "framework.k",
                    f"is {self.framework.k}; valid: at most {num_factors}, the number of factors "
                    f"of {self.dataset.name}",
                )

    @cached_property
    def trial_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the identity and CODE_EPOCH.

        The identity leaves out what equals its pinned default, so that a field added later with a
        neutral default moves no id.
        """
        identity = {
            field.name: _identity(value) if field.name in PARTS else value
            for field in dataclasses.fields(self)
            if (value := getattr(self, field.name)) != field.default
        }
        text = canonical_json({"code_epoch": CODE_EPOCH, "trial": identity})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """Every field, parts as dicts with their `name`: plain values for JSON."""
        return {
            field.name: _all_parameters(value) if field.name in PARTS else value
            for field in dataclasses.fields(self)
            for value in [getattr(self, field.name)]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Trial:
        """The inverse of `to_dict`; what is left out takes its default, a part may be a bare name.

        Raises FieldError.
        """
        declared = [field.name for field in dataclasses.fields(cls)]
        for name in values:
            if name not in declared:
                raise FieldError(
                    str(name), f"is not a field of a trial; {instead(name, declared)}", unknown=True
                )
        missing = [
            field.name
            for field in dataclasses.fields(cls)
            if field.default is dataclasses.MISSING and field.name not in values
        ]
        if missing:
            first, *others = missing
            valid = ", ".join(PARTS[first]) if first in PARTS else declared_fields(cls)[first].what
            also = f"; missing too: {', '.join(others)}" if others else ""
            raise FieldError(first, f"is missing; valid: {valid}{also}")
        arguments: dict[str, Any] = {
            name: part_from(name, value) if name in PARTS else value
            for name, value in values.items()
        }
        return cls(**arguments)

    def columns(self) -> dict[str, str | int | float | bool | None]:
        """The configuration as one flat row, a column a parameter; COLUMN_TYPES has their types."""
        row: dict[str, str | int | float | bool | None] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in PARTS:
                row[field.name] = value
                if field.name == "beta_convention":
                    row["beta_sum"], row["beta_mean"] = self.beta_sum, self.beta_mean
                continue
            row[field.name] = value.name
            for name in declared_fields(type(value)):
                row[f"{field.name}.{name}"] = getattr(value, name)
        return row

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


def canonical_json(value: Any) -> str:
    """One text for equal plain values: sorted keys, no spaces, floats by repr; NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def part_from(kind: str, value: Any) -> Part:
    """The part of a kind from its name, or from a mapping of `name` and parameters."""
    choices = PARTS[kind]
    parameters = dict(value) if isinstance(value, Mapping) else {"name": value}
    if "name" not in parameters:
        raise FieldError(kind, f"has no name; valid: {', '.join(choices)}")
    name = parameters.pop("name")
    if not isinstance(name, str) or name not in choices:
        raise FieldError(kind, f"is {shown(name)}; {instead(name, choices)}")
    declared = declared_fields(choices[name])
    for parameter in parameters:
        if parameter not in declared:
            owners = [other for other in choices if parameter in declared_fields(choices[other])]
            whose = f" (but of {', '.join(owners)})" if owners else ""
            raise FieldError(
                f"{kind}.{parameter}",
                f"is not a parameter of {name}{whose}; {instead(parameter, declared)}",
                unknown=True,
            )
    try:
        return choices[name](**parameters)
    except FieldError as error:
        raise error.inside(kind) from None


def column_types(parts: Mapping[str, Mapping[str, type]]) -> dict[str, type]:
    """Every column that a trial of these parts can have, with its type.

    Raises TypeError where two parts give one column two types.
    """
    columns: dict[str, type] = {}
    for field in dataclasses.fields(Trial):
        if field.name not in parts:
            columns[field.name] = declared_fields(Trial)[field.name].python_type
            if field.name == "beta_convention":
                columns |= {"beta_sum": float, "beta_mean": float}
            continue
        columns[field.name] = str
        for part in parts[field.name].values():
            for name, parameter in declared_fields(part).items():
                column = f"{field.name}.{name}"
                if columns.setdefault(column, parameter.python_type) is not parameter.python_type:
                    raise TypeError(
                        f"{column} is {columns[column].__name__} in one part and "
                        f"{parameter.python_type.__name__} in {part.__name__}"
                    )
    return columns


COLUMN_TYPES: dict[str, type] = column_types(PARTS)


def _all_parameters(part: Part) -> dict[str, Any]:
    return {"name": part.name} | {name: getattr(part, name) for name in declared_fields(type(part))}


def _identity(part: Part) -> dict[str, Any]:
    """The name and what differs from its pinned default."""
    return {"name": part.name} | {
        name: value
        for name, field in declared_fields(type(part)).items()
        if (value := getattr(part, name)) != field.default
    }
