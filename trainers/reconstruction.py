"""Reconstruction losses, element by element, and what picture a decoder's output stands for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from grids import parts
from trainers.box_blur import mse_boxblur


class Reconstruction(NamedTuple):
    """`loss(output, target)` per element; `mean_image(output)` is on the target's scale."""

    loss: Callable[[Tensor, Tensor], Tensor]
    mean_image: Callable[[Tensor], Tensor]


def mse(output: Tensor, target: Tensor) -> Tensor:
    """(x^ - x)^2, with neither a factor 1/2 nor an output activation. Any one shape, any scale.

    Michlo et al. 2023, section 3; the target is the standardised image where a trial says so.
    """
    return F.mse_loss(output, target, reduction="none")


def bernoulli(output: Tensor, target: Tensor) -> Tensor:
    """-x ln p - (1 - x) ln(1 - p) in nats, p = sigmoid(x^); x^ are logits, targets are in [0, 1].

    Kingma and Welling 2014, appendix C.1; in the stable form max(l, 0) - l x + ln(1 + e^-|l|).
    """
    return F.binary_cross_entropy_with_logits(output, target, reduction="none")


def unchanged(output: Tensor) -> Tensor:
    """The output itself is the mean image."""
    return output


def reconstruction_of(part: parts.Reconstruction) -> Reconstruction:
    """The loss with the part's parameters."""
    return RECONSTRUCTIONS[part.name](part)


def _mse_boxblur(part: parts.Reconstruction) -> Reconstruction:
    assert isinstance(part, parts.MSEBoxBlur)
    return Reconstruction(
        functools.partial(mse_boxblur, radius=part.radius, weight=part.weight), unchanged
    )


RECONSTRUCTIONS: dict[str, Callable[[parts.Reconstruction], Reconstruction]] = {
    "mse": lambda part: Reconstruction(mse, unchanged),
    "bernoulli": lambda part: Reconstruction(bernoulli, torch.sigmoid),
    "mse_boxblur": _mse_boxblur,
}
