"""A measurement as data: how far apart images of a dataset look along each of its factors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from grids.configuration import Configuration
from grids.fields import FieldError, Valid
from grids.parts import MSE, Dataset, Gaussian, Reconstruction

MEASUREMENT_EPOCH = 1
"""Raised by hand when a change of the code changes what is measured."""


@dataclass(frozen=True, kw_only=True)
class Measurement(Configuration):
    """Distances between pairs of images (Michlo et al. 2023, supplement, equations 1 and 2).

    A study may be a grid of these in place of trials. Raises FieldError.
    """

    kind: ClassVar[str] = "measurement"
    epoch: ClassVar[int] = MEASUREMENT_EPOCH

    dataset: Dataset
    reconstruction: Reconstruction = MSE()
    pairs: Annotated[int, Valid(at_least=1), "pairs of images a factor, and random ones"] = 50_000
    seed: Annotated[int, Valid(at_least=0), "seed of the pairs"] = 777

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dataset.standardise:
            raise FieldError(
                "dataset.standardise", "is true; valid: false, as distances are of plain pixels"
            )
        if isinstance(self.reconstruction, Gaussian):
            raise FieldError(
                "reconstruction",
                "is gaussian; valid: mse, bernoulli, mse_boxblur, as distances have no sigma",
            )
        if self.reconstruction.activation != "linear":
            raise FieldError(
                "reconstruction.activation",
                f"is {self.reconstruction.activation}; valid: linear, as distances are of images, "
                "not of a decoder's output",
            )

    @property
    def steps(self) -> int:
        """Pairs in all: what its progress is counted in."""
        along = (math.prod(sampled_pairs(n, self.pairs)) for n in self.dataset.factor_sizes)
        return sum(along) + self.pairs


def sampled_pairs(positions: int, pairs: int) -> tuple[int, int]:
    """How many traversals of a factor are drawn, and how many pairs of each.

    int(n^1.5 / 2) pairs of a traversal of n positions, and as many traversals as give at least
    `pairs`, but at least a tenth as many (disent 8f061a87, plot_dataset_traversal_dists.py). A
    factor of one position has no pairs.
    """
    if positions < 2:
        return 0, 0
    each = max(1, int(positions**1.5 / 2))
    return max(math.ceil(pairs / each), math.ceil(pairs / 10)), each
