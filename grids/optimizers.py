"""The optimisers and the schedules as parameter dataclasses; see `trainers.optimizers`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from grids.fields import FieldError, Valid, check_fields

LearningRate = Annotated[float, Valid(above=0), "learning rate"]
Epsilon = Annotated[float, Valid(above=0), "added to the denominator"]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What every optimiser says of itself."""

    name: ClassVar[str]
    source: ClassVar[str]

    lr: LearningRate

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """Adam without weight decay."""

    name: ClassVar[str] = "adam"
    source: ClassVar[str] = "Kingma and Ba 2015, algorithm 1"

    lr: LearningRate = 1e-3
    beta1: Annotated[float, Valid(at_least=0, below=1), "decay of the first moment"] = 0.9
    beta2: Annotated[float, Valid(at_least=0, below=1), "decay of the second moment"] = 0.999
    eps: Epsilon = 1e-8


@dataclass(frozen=True, kw_only=True)
class Adagrad(Optimizer):
    """Adagrad without weight decay."""

    name: ClassVar[str] = "adagrad"
    source: ClassVar[str] = "Duchi, Hazan and Singer 2011, figure 1 (diagonal)"

    lr: LearningRate = 1e-2
    eps: Epsilon = 1e-10


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A factor that depends on the step: of the learning rate, or of beta."""

    name: ClassVar[str]
    source: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class ConstantSchedule(Schedule):
    """Always 1."""

    name: ClassVar[str] = "constant"


@dataclass(frozen=True, kw_only=True)
class StepSchedule(Schedule):
    """1, then another factor for the rest of the training."""

    name: ClassVar[str] = "step"
    source: ClassVar[str] = "Fil et al. 2021: .2 at 75 %"

    factor: Annotated[float, Valid(at_least=0), "the factor after the step"] = 0.2
    at: Annotated[float, Valid(above=0, below=1), "where, as a part of the training"] = 0.75


@dataclass(frozen=True, kw_only=True)
class LinearSchedule(Schedule):
    """From `start` at the first step to `end` once `steps` are done, and constant after them."""

    name: ClassVar[str] = "linear"

    start: Annotated[float, Valid(at_least=0), "the factor of the first step"] = 0.0
    end: Annotated[float, Valid(at_least=0), "the factor once `steps` are done"] = 1.0
    steps: Annotated[int | None, Valid(at_least=1), "how many; null: all of the training"] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start == self.end:
            raise FieldError("end", f"is {self.end:g}, as start; valid: another factor than start")


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "adagrad": Adagrad}
SCHEDULES: dict[str, type[Schedule]] = {
    schedule.name: schedule for schedule in (ConstantSchedule, StepSchedule, LinearSchedule)
}
