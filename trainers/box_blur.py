"""The box-blur loss: squared error of the pixels, and of sums over a window around each.

Michlo et al. 2023, section 6.1 (disent 8f061a87, nn/functional/_conv2d.py, frameworks/helper/
reconstructions.py: `mse_box_r31_l1.0_k3969.0_norm_sum`). Element by element, K the box of
(2 r + 1) x (2 r + 1) equal entries that add up to 1:

    (x^ - x)^2 + w ((K * x^) - (K * x))^2

Images are continued by zeros, the result is cropped to their size, and the border is not
renormalised. Convolution is linear, so the second term is w (K * (x^ - x))^2.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mse_boxblur(output: Tensor, target: Tensor, *, radius: int, weight: float) -> Tensor:
    """The loss per element, any one shape [..., H, W] and scale, of the inputs' dtype."""
    error = output - target
    return error.square() + weight * box_blur(error, radius).square()


def box_blur(images: Tensor, radius: int) -> Tensor:
    """Means over windows of 2 radius + 1 pixels a side, what lies outside being zero. [..., H, W].

    Two products with banded matrices, one an axis: for images as small as these faster than sums
    that run or convolutions. Never in bfloat16, whose 8 bits the blurred signal would not survive.
    """
    height, width = images.shape[-2:]
    with torch.autocast(images.device.type, enabled=False):
        rows, columns = (_band(size, radius, images) for size in (height, width))
        return rows @ images @ columns / (2 * radius + 1) ** 2


def _band(size: int, radius: int, like: Tensor) -> Tensor:
    """Ones where two positions are at most `radius` apart, [size, size]."""
    position = torch.arange(size, device=like.device)
    return ((position[:, None] - position).abs() <= radius).to(like.dtype)
