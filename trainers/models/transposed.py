"""Transposed 4x4 convolutions of stride 2, padding 1, as a CPU computes them fastest.

On other devices they are torch's own; here the same, rounded elsewhere. oneDNN is slow in two
places (torch 2.13, AVX-512, batch 256, bfloat16): gradients of the weights (32 to 32 channels at
32x32: 32 ms, 8 ms as those of the convolution that this one is the transpose of), and outputs of
few channels (3 at 64x64: 19 ms, 11 ms as below).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_weight

FEW_CHANNELS = 8


class TransposedConvolution(nn.ConvTranspose2d):
    """nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after, 4, stride=2, padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        if input.device.type != "cpu":
            return super().forward(input, output_size)
        assert self.bias is not None
        operands = [input, self.weight, self.bias]
        if torch.is_autocast_enabled("cpu"):
            operands = [operand.to(torch.get_autocast_dtype("cpu")) for operand in operands]
        transposed: Tensor = _Transposed.apply(*operands)  # type: ignore[no-untyped-call]
        return transposed


class _Transposed(torch.autograd.Function):
    """B batch, I and O channels in and out; [B, I, H, W] to [B, O, 2H, 2W]. Once differentiable."""

    @staticmethod
    def forward(ctx: Any, x_BIHW: Tensor, weight_IO44: Tensor, bias_O: Tensor) -> Tensor:
        ctx.save_for_backward(x_BIHW, weight_IO44)
        if weight_IO44.shape[1] < FEW_CHANNELS:
            return by_depth_to_space(x_BIHW, weight_IO44, bias_O)
        return F.conv_transpose2d(x_BIHW, weight_IO44, bias_O, stride=2, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x_BIHW, weight_IO44 = ctx.saved_tensors
        gradient = channels_last(gradient)
        return (
            F.conv2d(gradient, weight_IO44, stride=2, padding=1),
            conv2d_weight(gradient, weight_IO44.shape, x_BIHW, stride=2, padding=1),  # type: ignore[no-untyped-call]
            gradient.sum(dim=(0, 2, 3)),
        )


def channels_last(values_BCHW: Tensor) -> Tensor:
    """In channels_last order by its strides, too, where one channel leaves them open."""
    batch, channels, rows, columns = values_BCHW.shape
    values_BN = values_BCHW.permute(0, 2, 3, 1).flatten(1)
    return values_BN.view(batch, rows, columns, channels).permute(0, 3, 1, 2)


def by_depth_to_space(x_BIHW: Tensor, weight_IO44: Tensor, bias_O: Tensor) -> Tensor:
    """The same as a 2x2 convolution to the four pixels of a block, which are then put in place.

    Output pixel (2p + a - 1, 2q + b - 1), a and b 0 or 1, is the sum over d, e in {0, 1} of
    x[p - d, q - e] times weight[2d + a, 2e + b], x being 0 outside.
    """
    ins, outs = weight_IO44.shape[:2]
    # A convolution goes along its kernel in the other direction: i = 1 - d, j = 1 - e.
    taps_IOdaeb = weight_IO44.reshape(ins, outs, 2, 2, 2, 2)
    taps_abOIij = taps_IOdaeb.flip(2, 4).permute(3, 5, 1, 0, 2, 4)
    kernel = taps_abOIij.reshape(4 * outs, ins, 2, 2).contiguous(memory_format=torch.channels_last)
    blocks = F.conv2d(x_BIHW, kernel, bias_O.repeat(4), padding=1)
    batch, _, rows, columns = blocks.shape
    blocks_BPQabO = blocks.permute(0, 2, 3, 1).reshape(batch, rows, columns, 2, 2, outs)
    pixels = blocks_BPQabO.permute(0, 1, 3, 2, 4, 5).reshape(batch, 2 * rows, 2 * columns, outs)
    return pixels[:, 1:-1, 1:-1].permute(0, 3, 1, 2)
