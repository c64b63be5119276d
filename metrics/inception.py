"""Moments of Inception features, 2,048 an image: what a trial leaves for the FID."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from metrics.table import Doubles


class Moments(NamedTuple):
    """images: n; mean: float64 [d]; covariance: float64 [d, d], over n - 1, nought for n = 1."""

    images: int
    mean: Doubles
    covariance: Doubles


@dataclass(frozen=True, eq=False)
class Images:
    """Moments of the Inception features of a dataset's images and of a model's."""

    real: Moments
    reconstructed: Moments | None = None
    sampled: Moments | None = None
