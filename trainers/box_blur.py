"""The box-blur loss: squared error of the pixels, and of sums over a window around each.

Michlo et al. 2023, section 6.1 (disent 8f061a87, nn/functional/_conv2d.py, frameworks/helper/
reconstructions.py: `mse_box_r31_l1.0_k3969.0_norm_sum`). Element by element, K the box of
(2 r + 1) x (2 r + 1) equal entries that add up to 1:

    (x^ - x)^2 + w ((K * x^) - (K * x))^2

Images are continued by zeros, the result is cropped to their size, and the border is not
renormalised. Convolution is linear, so the second term is w (K * (x^ - x))^2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def mse_boxblur(output: Tensor, target: Tensor, *, radius: int, weight: float) -> Tensor:
    """The loss per element, any one shape [..., H, W] and scale, of the inputs' dtype."""
    loss: Tensor = _Loss.apply(output, target, radius, weight)  # type: ignore[no-untyped-call]
    return loss


class _Loss(torch.autograd.Function):
    """The equation with its gradient 2 e g + 2 w K * ((K * e) g), e = x^ - x, written out.

    K is symmetric, so that a blur is its own transpose: two blurs a step, and no more memory than
    e and K * e. Once differentiable.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, target: Tensor, radius: int, weight: float) -> Tensor:
        error = (output - target).contiguous()  # of one order with its blur, for what follows
        blurred = box_blur(error, radius)
        ctx.save_for_backward(error, blurred)
        ctx.radius, ctx.weight = radius, weight
        return torch.addcmul(error.square(), blurred, blurred, value=weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        error, blurred = ctx.saved_tensors
        of_output = 2 * ctx.weight * box_blur(gradient * blurred, ctx.radius)
        of_output = torch.addcmul(of_output, gradient, error, value=2)
        return of_output, -of_output if ctx.needs_input_grad[1] else None, None, None


def box_blur(images: Tensor, radius: int) -> Tensor:
    """Means over windows of 2 radius + 1 pixels a side, what lies outside being zero. [..., H, W].

    Two products with banded matrices, one an axis: for images as small as these faster than sums
    that run or convolutions. Never in bfloat16, whose 8 bits the blurred signal would not survive.
    """
    height, width = images.shape[-2:]
    area = (2 * radius + 1) ** 2
    with torch.autocast(images.device.type, enabled=False):
        along_rows = images.reshape(-1, width) @ _band(width, radius, images)
        rows = _band(height, radius, images) / area
        return (rows @ along_rows.view(-1, height, width)).view(images.shape)


def _band(size: int, radius: int, like: Tensor) -> Tensor:
    """Ones where two positions are at most `radius` apart, [size, size]."""
    position = torch.arange(size, device=like.device)
    return ((position[:, None] - position).abs() <= radius).to(like.dtype)
