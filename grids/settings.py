"""What a grid file says beside the trials: how they are scored, what they may use, what to spend.

None of it changes the answer of a trial, so none of it is in a trial's identity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from grids.fields import FieldError, Valid, check_fields, instead, shown
from grids.metrics import CELL, METRICS

_MEMORY_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
MEMORY_PATTERN = rf"^([0-9]{{1,6}}(?:\.[0-9]{{1,9}})?) ?({'|'.join(_MEMORY_UNITS)})$"


MOST_PACKED = 16
AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a process takes of a node while it runs a trial, or a pack of them."""

    gpus: Annotated[float, Valid(at_least=0), "GPUs a process; a fraction shares one"] = 0.0
    cpus: Annotated[float, Valid(above=0), "CPUs a process"] = 1.0
    memory_bytes: Annotated[
        int | None, Valid(at_least=1), "memory of a process: reserved, and its limit"
    ] = None
    pack: Annotated[
        int | None,
        Valid(at_least=1, at_most=MOST_PACKED),
        "trials that run beside each other in one process and share what is asked here",
    ] = 1
    """None is `auto` in a grid file: as many as a GPU makes most steps with; on a CPU 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.gpus > 1 and not self.gpus.is_integer():
            raise FieldError("gpus", f"is {self.gpus}; valid: a fraction of one, or whole GPUs")


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Which metrics score a trial, and when."""

    metrics: Annotated[tuple[str, ...], Valid(choices=tuple(METRICS)), "metrics to score with"] = ()
    every: Annotated[
        int | None,
        Valid(at_least=1),
        "steps between scores during training, or such steps by metric; null: at the end only",
    ] = None
    every_by_metric: tuple[tuple[str, int], ...] = ()
    """`every` as a mapping, {mig: 2400, dci: 7200}; for others: at the end only."""
    during: Annotated[
        Literal["fast", "full"],
        "sample sizes during training: fast are disent's, full are disentanglement_lib's",
    ] = "fast"
    final: Annotated[Literal["fast", "full"], "sample sizes at the end, likewise"] = "full"
    representations: Annotated[
        tuple[Literal["mean", "sampled"], ...],
        "codes to score: means of the posteriors, draws from them, or both",
    ] = ("mean",)
    seed: Annotated[int, Valid(at_least=0), "seed of what the metrics draw"] = 0
    keep_codes: Annotated[bool, "keep the code tables once they are scored"] = False

    def __post_init__(self) -> None:
        check_fields(self)
        for metric, steps in self.every_by_metric:
            if metric not in self.metrics:
                raise FieldError(
                    "every", f"names {shown(metric)}; {instead(metric, self.metrics)} (the metrics)"
                )
            if METRICS[metric] == (CELL,):
                raise FieldError(
                    "every",
                    f"names {metric}, which is scored once all seeds are done; valid: without",
                )
            if type(steps) is not int or steps < 1:
                raise FieldError(
                    "every", f"of {metric} is {shown(steps)}; valid: an integer of at least 1"
                )

    def steps_between(self, metric: str) -> int | None:
        """The steps between two scores of a metric during training, None for none."""
        return dict(self.every_by_metric).get(metric, self.every)

    @property
    def intervals(self) -> tuple[int, ...]:
        """All steps between scores during training."""
        found = {self.steps_between(metric) for metric in self.metrics}
        return tuple(sorted(steps for steps in found if steps is not None))


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Compute hours after which no more trials are started; None is no limit."""

    gpu_hours: Annotated[float | None, Valid(above=0), "allocated GPU hours"] = None
    cpu_hours: Annotated[float | None, Valid(above=0), "allocated CPU hours"] = None

    def __post_init__(self) -> None:
        check_fields(self)


def pack_size(value: object) -> int | None:
    """A number of trials, or None of `auto`; raises FieldError."""
    if value == AUTO:
        return None
    if type(value) is not int or not 1 <= value <= MOST_PACKED:
        raise FieldError(
            "pack",
            f"is {shown(value)}; valid: {AUTO}, or an integer of at least 1 and at most "
            f"{MOST_PACKED}",
        )
    return value


def memory_bytes(text: object) -> int | None:
    """The bytes of a size such as `2GiB` or `1.5 GiB`, None of None; raises FieldError."""
    if text is None:
        return None
    match = re.fullmatch(MEMORY_PATTERN, text) if isinstance(text, str) else None
    size = 0 if match is None else int(float(match[1]) * _MEMORY_UNITS[match[2]])
    if size < 1:
        raise FieldError(
            "memory",
            f"is {shown(text)}; valid: a number and one of {', '.join(_MEMORY_UNITS)}, as in 2GiB",
        )
    return size
