"""Reconstruction losses, element by element, and what picture a decoder's output stands for."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from grids import parts
from trainers.box_blur import mse_boxblur


class Reconstruction(NamedTuple):
    """`loss(output, target)`, summed over all elements; `mean_image(output)` is on the target's
    scale."""

    loss: Callable[[Tensor, Tensor], Tensor]
    mean_image: Callable[[Tensor], Tensor]
    own: Mapping[str, Tensor] = {}
    """The terms that the loss names in `grids.losses`."""


def mse(output: Tensor, target: Tensor) -> Tensor:
    """(x^ - x)^2, without a factor 1/2. Any one shape, any scale.

    Michlo et al. 2023, section 3; the target is the standardised image where a trial says so.
    """
    return F.mse_loss(output, target, reduction="none")


def bernoulli(output: Tensor, target: Tensor) -> Tensor:
    """-x ln p - (1 - x) ln(1 - p) in nats, p = sigmoid(x^); x^ are logits, targets are in [0, 1].

    Kingma and Welling 2014, appendix C.1; in the stable form max(l, 0) - l x + ln(1 + e^-|l|).
    """
    return F.binary_cross_entropy_with_logits(output, target, reduction="none")


def gaussian(output: Tensor, target: Tensor, log_sigma: Tensor) -> Tensor:
    """-ln N(x; x^, sigma^2) = (x^ - x)^2 / (2 sigma^2) + ln sigma + ln(2 pi) / 2 in nats.

    Fil et al. 2021, equation 9, with its constant; `log_sigma` is a scalar (Rybkin et al. 2020).
    """
    squared = 0.5 * torch.exp(-2 * log_sigma) * (output - target).square()
    return squared + log_sigma + 0.5 * math.log(2 * math.pi)


def unchanged(output: Tensor) -> Tensor:
    """The output itself is the mean image."""
    return output


def half_tanh(output: Tensor) -> Tensor:
    """(1 + tanh l) / 2, as disentanglement_lib scales it."""
    return 0.5 * (1 + torch.tanh(output))


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": unchanged,
    "sigmoid": torch.sigmoid,
    "tanh": half_tanh,
}


def reconstruction_of(
    part: parts.Reconstruction,
    log_sigma: Tensor | None = None,
    *,
    device: torch.device | None = None,
) -> Reconstruction:
    """The loss with the part's parameters, and with the sigma that a model has learned; what it
    has of its own is on the device."""
    return RECONSTRUCTIONS[part.name](part, log_sigma, device)


def _mse(
    part: parts.Reconstruction, log_sigma: Tensor | None, device: torch.device | None
) -> Reconstruction:
    activation = ACTIVATIONS[part.activation]
    return Reconstruction(lambda output, target: mse(activation(output), target).sum(), activation)


def _bernoulli(
    part: parts.Reconstruction, log_sigma: Tensor | None, device: torch.device | None
) -> Reconstruction:
    return Reconstruction(lambda output, target: bernoulli(output, target).sum(), torch.sigmoid)


def _gaussian(
    part: parts.Reconstruction, log_sigma: Tensor | None, device: torch.device | None
) -> Reconstruction:
    assert isinstance(part, parts.Gaussian)
    activation = ACTIVATIONS[part.activation]
    if log_sigma is None:
        # Filled in on the device: nothing is copied to it inside a captured step.
        log_sigma = torch.full((), math.log(part.sigma), dtype=torch.float64, device=device)
    return Reconstruction(
        lambda output, target: gaussian(activation(output), target, log_sigma).sum(),
        activation,
        {"sigma": torch.exp(log_sigma)},
    )


def _mse_boxblur(
    part: parts.Reconstruction, log_sigma: Tensor | None, device: torch.device | None
) -> Reconstruction:
    assert isinstance(part, parts.MSEBoxBlur)
    return Reconstruction(
        functools.partial(mse_boxblur, radius=part.radius, weight=part.weight), unchanged
    )


RECONSTRUCTIONS: dict[
    str, Callable[[parts.Reconstruction, Tensor | None, torch.device | None], Reconstruction]
] = {
    "mse": _mse,
    "bernoulli": _bernoulli,
    "gaussian": _gaussian,
    "mse_boxblur": _mse_boxblur,
}
