"""Convolutions of stride 2, their transposes and all their gradients as Triton kernels.

cuDNN has no fast bfloat16 kernel for the 1 or 3 channels of an image, and leaves bias, ReLU and its
mask to kernels of their own. A layer joins a large side X [B, H, W, Cx] (channels last) and a small
side Y [B, h, w, Cy] by weights W [Cy, k, k, Cx], in either direction (torch's weights of a
convolution and of a transposed one are both [Cy, Cx, k, k], here in channels_last order):

    down    Y[n, i, j, y] = sum X[n, 2 i + r - p, 2 j + s - p, x] W[y, r, s, x]
    up      X[n, 2 i + r - p, 2 j + s - p, x] = sum Y[n, i, j, y] W[y, r, s, x]
    weight  dW[y, r, s, x] = sum Y[n, i, j, y] X[n, 2 i + r - p, 2 j + s - p, x]

k is 4 or 2, p the padding. A convolution is `down`, its gradients are `up` and `weight`; of a
transposed one it is the other way round. Products of bfloat16 are added up in float32. Tiles and
splits are constants of a layer, so that the bits of a training do not depend on what runs beside
it, and no sum depends on the order in which blocks end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor


class Layer(NamedTuple):
    """Sides and channels of a layer, whichever way it goes; kernel and padding."""

    large: int
    small: int
    large_channels: int
    small_channels: int
    kernel: int
    padding: int
    small_flat: bool = False
    """The small side is kept as [B, Cy, h, w], as a dense layer has it."""

    @property
    def weights(self) -> int:
        return self.small_channels * self.kernel**2 * self.large_channels

    @property
    def half(self) -> int:
        """Places of four pixels along the large side, of which one lies at each of a step of 2."""
        return (self.large - 1 + self.padding) // 2 + 1


class Masked(NamedTuple):
    """A gradient where a ReLU let something through, and, if asked for, its sums by block and
    channel, which add up to the gradient of the bias below."""

    gradient: Tensor
    sums: Tensor | None


FEW_CHANNELS = 8
"""A large side of fewer is an image; its three channels are better kept as four, one of zeros."""


def down(layer: Layer, large: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """To the small side, with a bias and a ReLU: bfloat16 [B, h, w, Cy], or flat.

    `large` [B, H, W, Cx or more] of float32 or bfloat16, `weight` bfloat16 [Cy, k, k, Cx], all
    contiguous; the bias float32.
    """
    return _to_small(layer, large, weight, bias=bias)[0]


def down_masked(
    layer: Layer, large: Tensor, weight: Tensor, mask: Tensor, *, scale: Tensor | None = None
) -> Masked:
    """The same without a bias, zero where `mask`, what the ReLU gave, is not positive; times
    `scale`, a float32 scalar on the device.
    """
    return _to_small(layer, large, weight, mask=mask, scale=scale)


def up(
    layer: Layer, small: Tensor, weight: Tensor, bias: Tensor, *, relu: bool, dtype: torch.dtype
) -> Tensor:
    """To the large side [B, H, W, Cx] of `dtype`, with a bias and perhaps a ReLU."""
    return _to_large(layer, small, weight, dtype, bias=bias, relu=relu)[0]


def up_masked(layer: Layer, small: Tensor, weight: Tensor, mask: Tensor, *, summed: bool) -> Masked:
    """The same without a bias, bfloat16, zero where `mask` is not positive."""
    return _to_large(layer, small, weight, torch.bfloat16, mask=mask, summed=summed)


def _to_small(
    layer: Layer,
    large: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: Tensor | None = None,
) -> Masked:
    batch, side, channels = large.shape[0], layer.small, layer.small_channels
    kept = large.shape[-1]
    shape = (batch, channels, side, side) if layer.small_flat else (batch, side, side, channels)
    small = torch.empty(shape, dtype=torch.bfloat16, device=large.device)
    rows_m = batch * side * side
    rows = layer.kernel if kept < FEW_CHANNELS else 1
    tiles = _down_tiles(layer, rows_m)
    blocks_m = triton.cdiv(rows_m, tiles.m)
    sums = None
    if mask is not None:
        sums = torch.empty((blocks_m, channels), dtype=torch.float32, device=large.device)
    _down[(blocks_m * triton.cdiv(channels, tiles.n),)](
        large, weight, bias, mask, scale, small, sums, rows_m,
        H=layer.large, S=side, CX=layer.large_channels, CK=kept, CY=channels, KS=layer.kernel,
        PAD=layer.padding, FLAT=layer.small_flat, ROWS=rows,
        BIAS=bias is not None, MASK=mask is not None, SCALE=scale is not None,
        BM=tiles.m, BN=tiles.n, BK=rows * layer.kernel * kept,
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return Masked(small, sums)


def _to_large(
    layer: Layer,
    small: Tensor,
    weight: Tensor,
    dtype: torch.dtype,
    *,
    bias: Tensor | None = None,
    relu: bool = False,
    mask: Tensor | None = None,
    summed: bool = False,
) -> Masked:
    batch, side, channels = small.shape[0], layer.large, layer.large_channels
    large = torch.empty((batch, side, side, channels), dtype=dtype, device=small.device)
    rows_m = batch * layer.half**2
    tiles = _up_tiles(layer, rows_m, masked=mask is not None)
    blocks_m = triton.cdiv(rows_m, tiles.m)
    sums = None
    if summed:
        sums = torch.empty((4 * blocks_m, channels), dtype=torch.float32, device=small.device)
    _up[(blocks_m * triton.cdiv(4 * channels, tiles.n),)](
        small, weight, bias, mask, large, sums, rows_m,
        H=side, S=layer.small, HALF=layer.half, CX=channels, CY=layer.small_channels,
        KS=layer.kernel, PAD=layer.padding, FLAT=layer.small_flat,
        BIAS=bias is not None, RELU=relu, MASK=mask is not None, SUMS=summed,
        BM=tiles.m, BN=tiles.n,
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return Masked(large, sums)


class Parts(NamedTuple):
    """Of the gradients of a layer's weight, [chunks, Cy k k Cx], and bias, [rows, C], float32; and
    where their sums over the first axis go."""

    of_weight: Tensor
    of_bias: Tensor
    weight: Tensor
    bias: Tensor


def weight_gradient(
    layer: Layer,
    large: Tensor,
    small: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    transposed: bool,
    sums: Tensor | None = None,
    scale: Tensor | None = None,
) -> Parts:
    """Parts of the gradients of weight and bias, float32 [Cy, k, k, Cx] and of the outputs'
    channels, which `add_up` writes.

    One of `large` and `small` is what the layer was given, the other the gradient of what it gave;
    `sums` those of that gradient where they are known: an image's layer has its own, and those of a
    large side of many channels are needed. `scale`, a float32 scalar on the device, is what all of
    an image's layer is multiplied by.
    """
    few = large.shape[-1] < FEW_CHANNELS
    rows_m = large.shape[0] * (layer.small if few else layer.half) ** 2
    tiles, chunks = _weight_tiles(layer, rows_m)
    length = triton.cdiv(triton.cdiv(rows_m, chunks), tiles.m) * tiles.m
    parts = torch.empty((chunks, layer.weights), dtype=torch.float32, device=large.device)
    known = sums is not None
    assert not known if few else known or not transposed
    if sums is None:
        sums = torch.empty((chunks, len(bias)), dtype=torch.float32, device=large.device)
    if few:
        _weight_of_taps[(chunks,)](
            large, small, scale, parts, sums, rows_m,
            H=layer.large, S=layer.small, CX=layer.large_channels, CK=large.shape[-1],
            CY=layer.small_channels, KS=layer.kernel, PAD=layer.padding,
            TRANSPOSED=transposed, SCALE=scale is not None,
            LENGTH=length, BM=tiles.m, BK=layer.kernel**2 * large.shape[-1],
            num_warps=tiles.warps, num_stages=tiles.stages,
        )  # fmt: skip
    else:
        assert scale is None
        wide = 4 * layer.large_channels
        high = layer.kernel**2 // 4 * layer.small_channels
        blocks = triton.cdiv(wide, tiles.n) * triton.cdiv(high, min(high, tiles.n))
        _weight_of_quads[(chunks * blocks,)](
            large, small, parts, sums, rows_m,
            H=layer.large, S=layer.small, HALF=layer.half, CX=layer.large_channels,
            CY=layer.small_channels, KS=layer.kernel, PAD=layer.padding, FLAT=layer.small_flat,
            SUMS=not known, CHUNKS=chunks, LENGTH=length, BM=tiles.m,
            BX=tiles.n, BY=min(high, tiles.n),
            num_warps=tiles.warps, num_stages=tiles.stages,
        )  # fmt: skip
    return Parts(parts, sums, weight, bias)


def add_up(parts: Sequence[Parts]) -> None:
    """Writes the gradients of some layers at once: alone, each would be next to nothing."""
    weights, channels = zip(*((p.of_weight.shape[1], len(p.bias)) for p in parts), strict=True)
    chunks, totals = zip(*((len(p.of_weight), len(p.of_bias)) for p in parts), strict=True)
    wide = tuple(max(16, 4096 // count) for count in chunks)
    high = tuple(min(1024, triton.next_power_of_2(count)) for count in totals)
    blocks = tuple(
        triton.cdiv(elements, block) + triton.cdiv(count, CHANNELS_ADDED)
        for elements, block, count in zip(weights, wide, channels, strict=True)
    )
    of_weight, of_bias, weight, bias = zip(*parts, strict=True)
    _add_up[(sum(blocks),)](
        of_weight, of_bias, weight, bias,
        WEIGHTS=weights, CHANNELS=channels, CHUNKS=chunks, TOTALS=totals, BLOCKS=blocks,
        WIDE=wide, HIGH=high,
        LAYERS=len(parts), COLUMNS=CHANNELS_ADDED, num_warps=4,
    )  # fmt: skip


CHANNELS_ADDED = 4
"""Of a bias in a block of `_add_up`: their sums are thousands of rows, so that few are many."""


class Tiles(NamedTuple):
    """Rows and columns of a block's product, its warps, and how many loads are under way."""

    m: int
    n: int
    warps: int
    stages: int


def _down_tiles(layer: Layer, rows: int) -> Tiles:
    if layer.large_channels == 1:
        return Tiles(32, layer.small_channels, 1, 1)
    if layer.large_channels < FEW_CHANNELS:
        return Tiles(128, layer.small_channels, 4, 1)
    # Little shared memory, so that blocks of a pack's other kernels lie beside them.
    return Tiles(64, 32 if rows <= 8192 else layer.small_channels, 4, 2)


def _up_tiles(layer: Layer, rows: int, *, masked: bool) -> Tiles:
    if layer.large_channels < FEW_CHANNELS:
        return Tiles(128, 16, 4, 2)
    if layer.small_channels == 64:
        return Tiles(64, 128, 4, 2)
    return Tiles(64 if masked else 128, 64, 4, 3)


def _weight_tiles(layer: Layer, rows: int) -> tuple[Tiles, int]:
    """Also into how many parts the rows are split: more of them end a lone training's step sooner,
    fewer leave a pack more of the memory's bandwidth.
    """
    if layer.large_channels < FEW_CHANNELS:
        return Tiles(64, 0, 2 if layer.large_channels == 1 else 4, 1), 512
    parts = 2 ** (rows // 1024).bit_length() // 2
    return Tiles(64, 128, 4, 3), min(32, max(8, parts))


@triton.jit
def _down(
    large, weight, bias, mask, scale, small, sums, rows_m,
    H: tl.constexpr, S: tl.constexpr, CX: tl.constexpr, CK: tl.constexpr, CY: tl.constexpr,
    KS: tl.constexpr, PAD: tl.constexpr, FLAT: tl.constexpr, ROWS: tl.constexpr,
    BIAS: tl.constexpr, MASK: tl.constexpr, SCALE: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """A row of the product is a pixel of the small side, a column a channel. The kernel's rows come
    one after the other, or at once where one of them is too short for a product."""
    blocks_n: tl.constexpr = (CY + BN - 1) // BN
    block = tl.program_id(0)
    m = (block // blocks_n) * BM + tl.arange(0, BM)
    y = (block % blocks_n) * BN + tl.arange(0, BN)
    image = m // (S * S)
    place = m % (S * S)
    row = 2 * (place // S) - PAD
    column = 2 * (place % S) - PAD
    k = tl.arange(0, BK)
    of_row = k // (KS * CK)
    columns = column[:, None] + ((k // CK) % KS)[None, :]
    inside = (columns >= 0) & (columns < H) & (m < rows_m)[:, None]
    at = (((image * H + row) * H + column) * CK)[:, None]
    within = (of_row * (H * CK) + k % (KS * CK))[None, :]
    if CK == CX:
        of_weight = k[None, :]
        has_weight = (y < CY)[:, None]
    else:
        of_weight = ((k // CK) * CX + k % CK)[None, :]
        has_weight = (y < CY)[:, None] & (k % CK < CX)[None, :]
    product = tl.zeros((BM, BN), dtype=tl.float32)
    for r in range(0, KS, ROWS):
        rows = row[:, None] + (of_row + r)[None, :]
        x_MK = tl.load(
            large + at + within + r * (H * CK), mask=inside & (rows >= 0) & (rows < H), other=0.0
        )
        w_NK = tl.load(
            weight + y[:, None] * (KS * KS * CX) + of_weight + r * (KS * CX),
            mask=has_weight,
            other=0.0,
        )
        product = tl.dot(x_MK.to(tl.bfloat16), tl.trans(w_NK), product)
    if BIAS:
        product = tl.maximum(product + tl.load(bias + y, mask=y < CY, other=0.0)[None, :], 0.0)
    if FLAT:
        to = (image * (CY * S * S) + place)[:, None] + y[None, :] * (S * S)
    else:
        to = m[:, None] * CY + y[None, :]
    kept = (m < rows_m)[:, None] & (y < CY)[None, :]
    if SCALE:
        product *= tl.load(scale)
    if MASK:
        seen = tl.load(mask + to, mask=kept, other=0.0)
        product = tl.where(seen > 0, product, 0.0)
        tl.store(sums + (block // blocks_n) * CY + y, tl.sum(product, axis=0), mask=y < CY)
    tl.store(small + to, product.to(tl.bfloat16), mask=kept)


@triton.jit
def _up(
    small, weight, bias, mask, large, sums, rows_m,
    H: tl.constexpr, S: tl.constexpr, HALF: tl.constexpr, CX: tl.constexpr, CY: tl.constexpr,
    KS: tl.constexpr, PAD: tl.constexpr, FLAT: tl.constexpr,
    BIAS: tl.constexpr, RELU: tl.constexpr, MASK: tl.constexpr, SUMS: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    """A row of the product is a place of four pixels, a column a channel of one of them."""
    blocks_n: tl.constexpr = (4 * CX + BN - 1) // BN
    block = tl.program_id(0)
    m = (block // blocks_n) * BM + tl.arange(0, BM)
    q = (block % blocks_n) * BN + tl.arange(0, BN)
    image = m // (HALF * HALF)
    top = (m % (HALF * HALF)) // HALF
    left = m % HALF
    below = q // (2 * CX)
    right = (q // CX) % 2
    x = q % CX
    y = tl.arange(0, CY)
    product = tl.zeros((BM, BN), dtype=tl.float32)
    taps: tl.constexpr = KS // 2
    for tap in range(0, taps * taps):
        d = tap // taps
        e = tap % taps
        i = top - d
        j = left - e
        inside = (m < rows_m) & (i >= 0) & (i < S) & (j >= 0) & (j < S)
        if FLAT:
            at = (image * (CY * S * S) + i * S + j)[:, None] + y[None, :] * (S * S)
        else:
            at = ((image * S + i) * S + j)[:, None] * CY + y[None, :]
        y_MK = tl.load(small + at, mask=inside[:, None], other=0.0)
        of = (2 * d + below) * (KS * CX) + 2 * e * CX + q % (2 * CX)
        w_KN = tl.load(
            weight + y[:, None] * (KS * KS * CX) + of[None, :],
            mask=(q < 4 * CX)[None, :],
            other=0.0,
        )
        product = tl.dot(y_MK.to(tl.bfloat16), w_KN, product)
    row = 2 * top - PAD
    column = 2 * left - PAD
    rows = row[:, None] + below[None, :]
    columns = column[:, None] + right[None, :]
    kept = (rows >= 0) & (rows < H) & (columns >= 0) & (columns < H)
    kept = kept & (m < rows_m)[:, None] & (q < 4 * CX)[None, :]
    # Two pixels beside each other are one piece of memory.
    at = (((image * H + row) * H + column) * CX)[:, None]
    to = at + (below * (H * CX) + q % (2 * CX))[None, :]
    if BIAS:
        product += tl.load(bias + x)[None, :]
    if RELU:
        product = tl.maximum(product, 0.0)
    if MASK:
        seen = tl.load(mask + to, mask=kept, other=0.0)
        product = tl.where(seen > 0, product, 0.0)
    if SUMS:
        into = (block // blocks_n) * (4 * CX) + q
        tl.store(sums + into, tl.sum(product, axis=0), mask=q < 4 * CX)
    tl.store(large + to, product.to(large.dtype.element_ty), mask=kept)


@triton.jit
def _weight_of_taps(
    large, small, scale, parts, sums, rows_m,
    H: tl.constexpr, S: tl.constexpr, CX: tl.constexpr, CK: tl.constexpr, CY: tl.constexpr,
    KS: tl.constexpr, PAD: tl.constexpr, TRANSPOSED: tl.constexpr,
    SCALE: tl.constexpr, LENGTH: tl.constexpr, BM: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """Of an image: a row of the product is an element of the kernel, a column a small channel. A
    block has a part of the pixels of the small side."""
    chunk = tl.program_id(0)
    k = tl.arange(0, BK)
    y = tl.arange(0, CY)
    of_row = k // (KS * CK)
    of_column = (k // CK) % KS
    within = (of_row * (H * CK) + k % (KS * CK))[None, :]
    product_KY = tl.zeros((BK, CY), dtype=tl.float32)
    of_large = tl.zeros((BM, BK), dtype=tl.float32)
    of_small = tl.zeros((BM, CY), dtype=tl.float32)
    for start in range(0, LENGTH, BM):
        m = chunk * LENGTH + start + tl.arange(0, BM)
        image = m // (S * S)
        place = m % (S * S)
        row = 2 * (place // S) - PAD
        column = 2 * (place % S) - PAD
        rows = row[:, None] + of_row[None, :]
        columns = column[:, None] + of_column[None, :]
        inside = (rows >= 0) & (rows < H) & (columns >= 0) & (columns < H)
        x_MK = tl.load(
            large + (((image * H + row) * H + column) * CK)[:, None] + within,
            mask=inside & (m < rows_m)[:, None],
            other=0.0,
        ).to(tl.bfloat16)
        y_MY = tl.load(
            small + m[:, None] * CY + y[None, :], mask=(m < rows_m)[:, None], other=0.0
        ).to(tl.bfloat16)
        product_KY = tl.dot(tl.trans(x_MK), y_MY, product_KY)
        if TRANSPOSED:
            of_large += x_MK.to(tl.float32)
        else:
            of_small += y_MY.to(tl.float32)
    factor = tl.load(scale) if SCALE else 1.0
    product_KY *= factor
    into = ((k // CK) * CX + k % CK)[:, None] + y[None, :] * (KS * KS * CX)
    tl.store(parts + chunk * (CY * KS * KS * CX) + into, product_KY, mask=(k % CK < CX)[:, None])
    if TRANSPOSED:
        # Each pixel lies under the four taps in the middle of the kernel exactly once.
        middle = (of_row > 0) & (of_row < 3) & (of_column > 0) & (of_column < 3)
        by_tap = tl.where(middle, tl.sum(of_large, axis=0), 0.0)
        x = tl.arange(0, CK)
        of_channel = tl.where((k % CK)[:, None] == x[None, :], by_tap[:, None], 0.0)
        tl.store(sums + chunk * CX + x, tl.sum(of_channel, axis=0) * factor, mask=x < CX)
    else:
        tl.store(sums + chunk * CY + y, tl.sum(of_small, axis=0) * factor)


@triton.jit
def _weight_of_quads(
    large, small, parts, sums, rows_m,
    H: tl.constexpr, S: tl.constexpr, HALF: tl.constexpr, CX: tl.constexpr, CY: tl.constexpr,
    KS: tl.constexpr, PAD: tl.constexpr, FLAT: tl.constexpr, SUMS: tl.constexpr,
    CHUNKS: tl.constexpr, LENGTH: tl.constexpr,
    BM: tl.constexpr, BX: tl.constexpr, BY: tl.constexpr,
):  # fmt: skip
    """A row of the product is a channel of one of four pixels, a column a channel of one of the
    small pixels that they are joined to. A block has a part of the places of four pixels."""
    taps: tl.constexpr = KS // 2
    blocks_y: tl.constexpr = taps * taps * CY // BY
    chunk = tl.program_id(0) % CHUNKS
    block = tl.program_id(0) // CHUNKS
    q = (block // blocks_y) * BX + tl.arange(0, BX)
    z = (block % blocks_y) * BY + tl.arange(0, BY)
    below = q // (2 * CX)
    right = (q // CX) % 2
    d = z // (taps * CY)
    e = (z // CY) % taps
    y = z % CY
    product_XY = tl.zeros((BX, BY), dtype=tl.float32)
    of_small = tl.zeros((BY,), dtype=tl.float32)
    for start in range(0, LENGTH, BM):
        m = chunk * LENGTH + start + tl.arange(0, BM)
        image = m // (HALF * HALF)
        top = (m % (HALF * HALF)) // HALF
        left = m % HALF
        row = 2 * top - PAD
        column = 2 * left - PAD
        rows = row[:, None] + below[None, :]
        columns = column[:, None] + right[None, :]
        inside = (rows >= 0) & (rows < H) & (columns >= 0) & (columns < H)
        at = (((image * H + row) * H + column) * CX)[:, None]
        x_MX = tl.load(
            large + at + (below * (H * CX) + q % (2 * CX))[None, :],
            mask=inside & (m < rows_m)[:, None],
            other=0.0,
        )
        i = top[:, None] - d[None, :]
        j = left[:, None] - e[None, :]
        joined = (i >= 0) & (i < S) & (j >= 0) & (j < S) & (m < rows_m)[:, None]
        if FLAT:
            of = (image * (CY * S * S) + top * S + left)[:, None]
            of += (y * (S * S) - d * S - e)[None, :]
        else:
            of = (((image * S + top) * S + left) * CY)[:, None] + (y - (d * S + e) * CY)[None, :]
        y_MY = tl.load(small + of, mask=joined, other=0.0)
        product_XY = tl.dot(tl.trans(x_MX), y_MY, product_XY)
        if SUMS:
            of_small += tl.sum(y_MY.to(tl.float32), axis=0)
    into = (2 * d * KS * CX + 2 * e * CX + y * (KS * KS * CX))[None, :]
    into += (below * (KS * CX) + q % (2 * CX))[:, None]
    tl.store(parts + chunk * (CY * KS * KS * CX) + into, product_XY)
    if SUMS and block // blocks_y == 0:
        # Where nothing is shifted each small pixel is met once.
        tl.store(sums + chunk * CY + y, of_small, mask=(d == 0) & (e == 0))


@triton.jit
def _add_up(
    of_weight, of_bias, weight, bias,
    WEIGHTS: tl.constexpr, CHANNELS: tl.constexpr, CHUNKS: tl.constexpr, TOTALS: tl.constexpr,
    BLOCKS: tl.constexpr, WIDE: tl.constexpr, HIGH: tl.constexpr, LAYERS: tl.constexpr,
    COLUMNS: tl.constexpr,
):  # fmt: skip
    """Everything a tuple, of a number or a tensor a layer."""
    block = tl.program_id(0)
    for layer in tl.static_range(LAYERS):
        if (block >= 0) & (block < BLOCKS[layer]):
            _add_up_layer(
                block, of_weight[layer], of_bias[layer], weight[layer], bias[layer],
                WEIGHTS[layer], CHANNELS[layer], CHUNKS[layer], TOTALS[layer],
                WIDE[layer], HIGH[layer], COLUMNS,
            )  # fmt: skip
        block -= BLOCKS[layer]


@triton.jit
def _add_up_layer(
    block, of_weight, of_bias, weight, bias,
    WEIGHTS: tl.constexpr, CHANNELS: tl.constexpr, CHUNKS: tl.constexpr, TOTAL: tl.constexpr,
    WIDE: tl.constexpr, HIGH: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    blocks: tl.constexpr = (WEIGHTS + WIDE - 1) // WIDE
    if block < blocks:
        at = block * WIDE + tl.arange(0, WIDE)
        of_chunk = (tl.arange(0, CHUNKS) * WEIGHTS)[:, None]
        read = tl.load(of_weight + of_chunk + at[None, :], mask=(at < WEIGHTS)[None, :], other=0.0)
        tl.store(weight + at, tl.sum(read, axis=0), mask=at < WEIGHTS)
    else:
        channel = (block - blocks) * COLUMNS + tl.arange(0, COLUMNS)
        total = tl.zeros((HIGH, COLUMNS), dtype=tl.float32)
        for start in range(0, TOTAL, HIGH):
            row = start + tl.arange(0, HIGH)
            total += tl.load(
                of_bias + row[:, None] * CHANNELS + channel[None, :],
                mask=(row < TOTAL)[:, None] & (channel < CHANNELS)[None, :],
                other=0.0,
            )
        tl.store(bias + channel, tl.sum(total, axis=0), mask=channel < CHANNELS)
