"""The last layer of a decoder and the loss of what it gives, as one Triton kernel.

A training wants no picture, only its loss and the loss's gradient, so that neither the picture nor
its difference from the image is ever kept. With output o, image t and B images, summed over an
image and averaged over the batch:

    squared error    L = sum (o - t)^2 / B                              dL/do = 2 (o - t) / B
    Bernoulli        L = sum (max(o, 0) - o t + ln(1 + e^-|o|)) / B     dL/do = (sigmoid(o) - t) / B
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from trainers.kernels.convolution import Layer, Tiles


class Decoded(NamedTuple):
    """A loss in parts that add up to it, float32, and its gradient in the decoder's output:
    bfloat16 [B, H, W, C], where three channels are kept as four, the last of zeros."""

    parts: Tensor
    gradient: Tensor


def up_loss(
    layer: Layer, small: Tensor, weight: Tensor, bias: Tensor, images: Tensor, *, squared: bool
) -> Decoded:
    """Of a transposed 4x4 convolution to images of 1 to 4 channels, the squared error or the
    Bernoulli loss; `images` float32 [B, H, W, C], the others as `trainers.kernels.convolution.up`
    has them, all contiguous.
    """
    assert layer.kernel == 4 and layer.large_channels <= 4 and not layer.small_flat
    batch, side, channels = len(images), layer.large, layer.large_channels
    kept = 4 if channels == 3 else channels
    quads = QUADS if kept == 1 else 1
    groups = triton.cdiv(layer.half, quads)
    rows_m = batch * layer.half * groups
    tiles = _tiles(kept)
    blocks = triton.cdiv(rows_m, tiles.m)
    parts = torch.empty(blocks, dtype=torch.float32, device=images.device)
    gradient = torch.empty((batch, side, side, kept), dtype=torch.bfloat16, device=images.device)
    _up_loss[(blocks,)](
        small, weight, bias, images, parts, gradient, rows_m, 1 / batch,
        H=side, S=layer.small, HALF=layer.half, GROUPS=groups, QUADS=quads, CX=channels, CK=kept,
        CY=layer.small_channels, PAD=layer.padding, SQUARED=squared,
        BM=tiles.m, BN=tiles.n, num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return Decoded(parts, gradient)


QUADS = 3
"""Places of four grey pixels beside each other in a row of the product: 12 of its 16 columns; they
divide the 33 places along 64 pixels."""


def _tiles(kept: int) -> Tiles:
    return Tiles(64, 16, 2, 2) if kept == 1 else Tiles(128, 16, 4, 1)


@triton.jit
def _up_loss(
    small, weight, bias, images, parts, gradient, rows_m, per_image,
    H: tl.constexpr, S: tl.constexpr, HALF: tl.constexpr, GROUPS: tl.constexpr,
    QUADS: tl.constexpr, CX: tl.constexpr, CK: tl.constexpr, CY: tl.constexpr, PAD: tl.constexpr,
    SQUARED: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    """A row of the product is some places of four pixels beside each other, a column a channel of
    one of those pixels; places beside each other have small pixels in common, which are read once.
    """
    m = tl.program_id(0) * BM + tl.arange(0, BM)
    image = m // (HALF * GROUPS)
    top = (m % (HALF * GROUPS)) // GROUPS
    left = (m % GROUPS) * QUADS
    q = tl.arange(0, BN)
    below = q // (2 * QUADS * CK)
    pixel = (q // CK) % (2 * QUADS)
    x = q % CK
    y = tl.arange(0, CY)
    product = tl.zeros((BM, BN), dtype=tl.float32)
    for near in range(0, 2 * (QUADS + 1)):
        d = near // (QUADS + 1)
        after = near % (QUADS + 1)
        i = top - d
        j = left - 1 + after
        inside = (m < rows_m) & (i >= 0) & (i < S) & (j >= 0) & (j < S)
        y_MK = tl.load(
            small + (((image * S + i) * S + j) * CY)[:, None] + y[None, :],
            mask=inside[:, None],
            other=0.0,
        )
        # The tap along the row is 0 or 1, else this small pixel and a place do not meet.
        e = pixel // 2 + 1 - after
        of = (2 * d + below) * (4 * CX) + e * (2 * CX) + (pixel % 2) * CX + x
        meet = (e >= 0) & (e < 2) & (below < 2) & (x < CX)
        w_KN = tl.load(weight + y[:, None] * (16 * CX) + of[None, :], mask=meet[None, :], other=0.0)
        product = tl.dot(y_MK, w_KN, product)
    row = (2 * top - PAD)[:, None] + below[None, :]
    column = (2 * left - PAD)[:, None] + pixel[None, :]
    kept = (row >= 0) & (row < H) & (column >= 0) & (column < H)
    kept = kept & (m < rows_m)[:, None] & (below < 2)[None, :]
    at = (image[:, None] * H + row) * H + column
    real = kept & (x < CX)[None, :]
    t = tl.load(images + at * CX + x[None, :], mask=real, other=0.0)
    o = product + tl.load(bias + x, mask=x < CX, other=0.0)[None, :]
    if SQUARED:
        element = (o - t) * (o - t)
        slope = 2 * (o - t)
    else:
        decayed = tl.exp(-tl.abs(o))
        element = tl.maximum(o, 0.0) - o * t + tl.log(1 + decayed)
        slope = tl.where(o >= 0, 1.0, decayed) / (1 + decayed) - t
    total = tl.sum(tl.sum(tl.where(real, element, 0.0), axis=1), axis=0)
    tl.store(parts + tl.program_id(0), total * per_image)
    slope = tl.where(real, slope * per_image, 0.0)
    tl.store(gradient + at * CK + x[None, :], slope.to(tl.bfloat16), mask=kept)
