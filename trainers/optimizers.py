"""Optimisers by name, with a learning rate that may follow a schedule on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from grids import parts

Rate = float | Tensor
Make = Callable[
    [Iterable[nn.Parameter], parts.Optimizer, Rate, torch.device], torch.optim.Optimizer
]


def make_optimizer(
    parameters: Iterable[nn.Parameter], part: parts.Optimizer, lr: Rate, device: torch.device
) -> torch.optim.Optimizer:
    """`lr` in place of the part's own; a tensor may be written into from step to step."""
    return OPTIMIZERS[part.name](parameters, part, lr, device)


def adam(
    parameters: Iterable[nn.Parameter], part: parts.Optimizer, lr: Rate, device: torch.device
) -> torch.optim.Optimizer:
    """Kingma and Ba 2015, algorithm 1, without weight decay."""
    assert isinstance(part, parts.Adam)
    return torch.optim.Adam(
        parameters,
        lr=lr,
        betas=(part.beta1, part.beta2),
        eps=part.eps,
        fused=True,
        capturable=device.type == "cuda",
    )


def adagrad(
    parameters: Iterable[nn.Parameter], part: parts.Optimizer, lr: Rate, device: torch.device
) -> torch.optim.Optimizer:
    """Duchi, Hazan and Singer 2011, diagonal: w -= lr g / (sqrt(sum of g^2) + eps)."""
    assert isinstance(part, parts.Adagrad)
    return torch.optim.Adagrad(parameters, lr=lr, eps=part.eps)


OPTIMIZERS: dict[str, Make] = {"adam": adam, "adagrad": adagrad}
