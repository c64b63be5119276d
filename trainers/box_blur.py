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
    """The sum of the equation over all elements, a scalar, any one shape [..., H, W] and scale."""
    total: Tensor = _Total.apply(output, target, radius, weight)  # type: ignore[no-untyped-call]
    return total


class _Total(torch.autograd.Function):
    """K is symmetric, so with e = x^ - x the sum is <e, e + w K * K * e>, and its gradient twice
    the right factor: one blur by K * K a step, in place of two by K. Once differentiable.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, target: Tensor, radius: int, weight: float) -> Tensor:
        error = (output - target).contiguous()  # of one order with its blur, for what follows
        half_gradient = torch.add(error, box_blur(error, radius, times=2), alpha=weight)
        ctx.save_for_backward(half_gradient)
        return (error * half_gradient).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        (half_gradient,) = ctx.saved_tensors
        of_output = 2 * gradient * half_gradient
        return of_output, -of_output if ctx.needs_input_grad[1] else None, None, None


def box_blur(images: Tensor, radius: int, *, times: int = 1) -> Tensor:
    """Means over windows of 2 radius + 1 pixels a side, what lies outside being zero. [..., H, W].

    Blurred `times` times, the image being cropped after each. Two products with banded matrices,
    one an axis: for images as small as these faster than sums that run or convolutions. Never in
    bfloat16, whose 8 bits the blurred signal would not survive.
    """
    height, width = images.shape[-2:]
    area = (2 * radius + 1) ** 2
    with torch.autocast(images.device.type, enabled=False):
        columns = torch.linalg.matrix_power(_band(width, radius, images), times)
        rows = torch.linalg.matrix_power(_band(height, radius, images) / area, times)
        along_rows = images.reshape(-1, width) @ columns
        blurred: Tensor = rows @ along_rows.view(-1, height, width)
        return blurred.view(images.shape)


def _band(size: int, radius: int, like: Tensor) -> Tensor:
    """Ones where two positions are at most `radius` apart, [size, size]."""
    position = torch.arange(size, device=like.device)
    return ((position[:, None] - position).abs() <= radius).to(like.dtype)
