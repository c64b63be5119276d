"""Convolutions of stride 2, their transposes and all their gradients as three Triton kernels.

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
    def rows(self) -> int:
        """Rows of the kernel in one product: all where one row's channels do not fill a tile."""
        return 1 if self.kernel * self.large_channels >= 32 else self.kernel


def down(
    layer: Layer,
    large: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """To the small side, bfloat16: with a bias and a ReLU, or masked where `mask` is not positive.

    `large` [B, H, W, Cx] of float32 or bfloat16, `weight` bfloat16 [Cy, k, k, Cx], contiguous.
    """
    batch = large.shape[0]
    side, channels = layer.small, layer.small_channels
    shape = (batch, channels, side, side) if layer.small_flat else (batch, side, side, channels)
    small = torch.empty(shape, dtype=torch.bfloat16, device=large.device)
    rows_m = batch * side * side
    tiles = _down_tiles(layer, rows_m)
    grid = (triton.cdiv(rows_m, tiles.m) * triton.cdiv(channels, tiles.n),)
    _down[grid](
        large, weight, bias, mask, small, rows_m,
        H=layer.large, S=side, CX=layer.large_channels, CY=channels, KS=layer.kernel,
        PAD=layer.padding, FLAT=layer.small_flat, ROWS=layer.rows,
        BIAS=bias is not None, MASK=mask is not None,
        BM=tiles.m, BN=tiles.n,
        BK=triton.next_power_of_2(layer.rows * layer.kernel * layer.large_channels),
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return small


def up(
    layer: Layer,
    small: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    relu: bool = False,
    mask: Tensor | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Tensor:
    """To the large side [B, H, W, Cx] of `dtype`: with a bias and perhaps a ReLU, or masked."""
    batch = small.shape[0]
    side, channels = layer.large, layer.large_channels
    large = torch.empty((batch, side, side, channels), dtype=dtype, device=small.device)
    half = (side - 1 + layer.padding) // 2 + 1
    rows_m = batch * half * half
    tiles = _up_tiles(layer, rows_m)
    grid = (triton.cdiv(rows_m, tiles.m) * triton.cdiv(4 * channels, tiles.n),)
    _up[grid](
        small, weight, bias, mask, large, rows_m,
        H=side, S=layer.small, HALF=half, CX=channels, CY=layer.small_channels, KS=layer.kernel,
        PAD=layer.padding, FLAT=layer.small_flat,
        BIAS=bias is not None, RELU=relu, MASK=mask is not None,
        BM=tiles.m, BN=tiles.n,
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    return large


def weight_gradient(
    layer: Layer, large: Tensor, small: Tensor, weight: Tensor, bias: Tensor, *, transposed: bool
) -> None:
    """Writes the gradients of weight and bias, float32 [Cy, k, k, Cx] and of the outputs' channels.

    One of `large` and `small` is what the layer was given, the other the gradient of what it gave.
    """
    batch = large.shape[0]
    rows_m = batch * layer.small**2
    tiles, chunks = _weight_tiles(layer, rows_m)
    columns = layer.kernel**2 * layer.large_channels
    biases = columns if transposed else layer.small_channels
    sums = torch.empty((chunks, layer.weights + biases), dtype=torch.float32, device=large.device)
    _weight[(chunks * layer.kernel // layer.rows,)](
        large, small, sums, rows_m,
        H=layer.large, S=layer.small, CX=layer.large_channels, CY=layer.small_channels,
        KS=layer.kernel, PAD=layer.padding, FLAT=layer.small_flat, ROWS=layer.rows,
        TRANSPOSED=transposed, CHUNKS=chunks, BIASES=biases, BM=tiles.m,
        LENGTH=triton.cdiv(triton.cdiv(rows_m, chunks), tiles.m) * tiles.m,
        BK=max(16, triton.next_power_of_2(layer.rows * layer.kernel * layer.large_channels)),
        num_warps=tiles.warps, num_stages=tiles.stages,
    )  # fmt: skip
    block = max(16, 4096 // chunks)
    blocks = triton.cdiv(layer.weights, block) + (1 if transposed else triton.cdiv(biases, block))
    _sum_chunks[(blocks,)](
        sums, weight, bias,
        WEIGHTS=layer.weights, BIASES=biases, CX=layer.large_channels, KS=layer.kernel,
        CXS=triton.next_power_of_2(layer.large_channels),
        TRANSPOSED=transposed, CHUNKS=chunks, BLOCK=block, num_warps=4,
    )  # fmt: skip


class Tiles(NamedTuple):
    """Rows and columns of a block's product, its warps, and how many loads are under way."""

    m: int
    n: int
    warps: int
    stages: int


def _down_tiles(layer: Layer, rows: int) -> Tiles:
    n = min(layer.small_channels, 64)
    if layer.large_channels < 8:
        return Tiles(128, n, 4, 1)
    if rows <= 8192:
        return Tiles(64, 32, 4, 4)
    return Tiles(64, n, 4, 3 if n == 64 else 2)


def _up_tiles(layer: Layer, rows: int) -> Tiles:
    n = max(16, triton.next_power_of_2(4 * layer.large_channels))
    if n == 16:
        return Tiles(128, n, 4, 3)
    return Tiles(64, 128, 4, 2) if layer.small_channels == 64 else Tiles(64, 64, 4, 3)


def _weight_tiles(layer: Layer, rows: int) -> tuple[Tiles, int]:
    """Also into how many parts the rows are split."""
    chunks = 256 if layer.rows > 1 else 64 if rows >= 32768 else 32 if rows >= 8192 else 16
    wide = layer.kernel * layer.large_channels > 128
    return Tiles(64, 0, 8 if wide else 4, 3), chunks


@triton.jit
def _down(
    large, weight, bias, mask, small, rows_m,
    H: tl.constexpr, S: tl.constexpr, CX: tl.constexpr, CY: tl.constexpr, KS: tl.constexpr,
    PAD: tl.constexpr, FLAT: tl.constexpr, ROWS: tl.constexpr,
    BIAS: tl.constexpr, MASK: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    blocks_n: tl.constexpr = (CY + BN - 1) // BN
    block = tl.program_id(0)
    m = (block // blocks_n) * BM + tl.arange(0, BM)
    y = (block % blocks_n) * BN + tl.arange(0, BN)
    image = m // (S * S)
    place = m % (S * S)
    row = 2 * (place // S) - PAD
    column = 2 * (place % S) - PAD
    k = tl.arange(0, BK)
    of_row = k // (KS * CX)
    of_column = (k // CX) % KS
    at = ((image * H + row) * H + column) * CX
    inside_columns = (column[:, None] + of_column[None, :] >= 0) & (
        column[:, None] + of_column[None, :] < H
    )
    inside = inside_columns & (k < ROWS * KS * CX)[None, :] & (m < rows_m)[:, None]
    within = of_row * (H * CX) + k % (KS * CX)
    sums = tl.zeros((BM, BN), dtype=tl.float32)
    for r in range(0, KS, ROWS):
        rows = row[:, None] + (of_row + r)[None, :]
        x_MK = tl.load(
            large + at[:, None] + within[None, :] + r * (H * CX),
            mask=inside & (rows >= 0) & (rows < H),
            other=0.0,
        )
        w_NK = tl.load(
            weight + y[:, None] * (KS * KS * CX) + k[None, :] + r * (KS * CX),
            mask=(k < ROWS * KS * CX)[None, :] & (y < CY)[:, None],
            other=0.0,
        )
        sums = tl.dot(x_MK.to(tl.bfloat16), tl.trans(w_NK), sums)
    if BIAS:
        sums = tl.maximum(sums + tl.load(bias + y, mask=y < CY, other=0.0)[None, :], 0.0)
    if FLAT:
        to = (image * (CY * S * S) + place)[:, None] + y[None, :] * (S * S)
    else:
        to = m[:, None] * CY + y[None, :]
    kept = (m < rows_m)[:, None] & (y < CY)[None, :]
    if MASK:
        seen = tl.load(mask + to, mask=kept, other=0.0)
        sums = tl.where(seen > 0, sums, 0.0)
    tl.store(small + to, sums.to(tl.bfloat16), mask=kept)


@triton.jit
def _up(
    small, weight, bias, mask, large, rows_m,
    H: tl.constexpr, S: tl.constexpr, HALF: tl.constexpr, CX: tl.constexpr, CY: tl.constexpr,
    KS: tl.constexpr, PAD: tl.constexpr, FLAT: tl.constexpr,
    BIAS: tl.constexpr, RELU: tl.constexpr, MASK: tl.constexpr,
    BM: tl.constexpr, BN: tl.constexpr,
):  # fmt: skip
    """A row of the product is one place of four pixels, a column one channel of one of them."""
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
    sums = tl.zeros((BM, BN), dtype=tl.float32)
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
        sums = tl.dot(y_MK.to(tl.bfloat16), w_KN, sums)
    row = 2 * top - PAD
    column = 2 * left - PAD
    rows = row[:, None] + below[None, :]
    columns = column[:, None] + right[None, :]
    kept = (rows >= 0) & (rows < H) & (columns >= 0) & (columns < H)
    kept = kept & (m < rows_m)[:, None] & (q < 4 * CX)[None, :]
    # Two pixels beside each other are one piece of memory.
    to = (((image * H + row) * H + column) * CX)[:, None] + (below * (H * CX) + q % (2 * CX))[
        None, :
    ]
    if BIAS:
        sums += tl.load(bias + x)[None, :]
    if RELU:
        sums = tl.maximum(sums, 0.0)
    if MASK:
        seen = tl.load(mask + to, mask=kept, other=0.0)
        sums = tl.where(seen > 0, sums, 0.0)
    tl.store(large + to, sums.to(large.dtype.element_ty), mask=kept)


@triton.jit
def _weight(
    large, small, sums, rows_m,
    H: tl.constexpr, S: tl.constexpr, CX: tl.constexpr, CY: tl.constexpr, KS: tl.constexpr,
    PAD: tl.constexpr, FLAT: tl.constexpr, ROWS: tl.constexpr, TRANSPOSED: tl.constexpr,
    CHUNKS: tl.constexpr, BIASES: tl.constexpr, LENGTH: tl.constexpr,
    BM: tl.constexpr, BK: tl.constexpr,
):  # fmt: skip
    """A block sums a part of the places; the parts are added up by `_sum_chunks`."""
    chunk = tl.program_id(0) % CHUNKS
    r = (tl.program_id(0) // CHUNKS) * ROWS
    k = tl.arange(0, BK)
    y = tl.arange(0, CY)
    of_row = r + k // (KS * CX)
    of_column = (k // CX) % KS
    within = of_row * (H * CX) + k % (KS * CX)
    valid = k < ROWS * KS * CX
    product_KY = tl.zeros((BK, CY), dtype=tl.float32)
    of_large = tl.zeros((BK,), dtype=tl.float32)
    of_small = tl.zeros((CY,), dtype=tl.float32)
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
            large + (((image * H + row) * H + column) * CX)[:, None] + within[None, :],
            mask=inside & valid[None, :] & (m < rows_m)[:, None],
            other=0.0,
        ).to(tl.bfloat16)
        if FLAT:
            at = (image * (CY * S * S) + place)[:, None] + y[None, :] * (S * S)
        else:
            at = m[:, None] * CY + y[None, :]
        y_MY = tl.load(small + at, mask=(m < rows_m)[:, None], other=0.0).to(tl.bfloat16)
        product_KY = tl.dot(tl.trans(x_MK), y_MY, product_KY)
        if TRANSPOSED:
            of_large += tl.sum(x_MK.to(tl.float32), axis=0)
        else:
            of_small += tl.sum(y_MY.to(tl.float32), axis=0)
    weights: tl.constexpr = CY * KS * KS * CX
    into = sums + chunk * (weights + BIASES)
    tl.store(
        into + y[None, :] * (KS * KS * CX) + (r * KS * CX + k)[:, None],
        product_KY,
        mask=valid[:, None] & (y < CY)[None, :],
    )
    if TRANSPOSED:
        tl.store(into + weights + r * KS * CX + k, of_large, mask=valid)
    elif r == 0:
        tl.store(into + weights + y, of_small)


@triton.jit
def _sum_chunks(
    sums, weight, bias,
    WEIGHTS: tl.constexpr, BIASES: tl.constexpr, CX: tl.constexpr, KS: tl.constexpr,
    CXS: tl.constexpr, TRANSPOSED: tl.constexpr, CHUNKS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    blocks: tl.constexpr = (WEIGHTS + BLOCK - 1) // BLOCK
    block = tl.program_id(0)
    of_chunk = (tl.arange(0, CHUNKS) * (WEIGHTS + BIASES))[:, None]
    if block < blocks:
        at = block * BLOCK + tl.arange(0, BLOCK)
        parts = tl.load(sums + of_chunk + at[None, :], mask=(at < WEIGHTS)[None, :], other=0.0)
        tl.store(weight + at, tl.sum(parts, axis=0), mask=at < WEIGHTS)
    elif TRANSPOSED:
        # Each pixel lies under the four taps in the middle of the kernel exactly once.
        x = tl.arange(0, CXS)
        total = tl.zeros((CXS,), dtype=tl.float32)
        for r in tl.static_range(1, 3):
            for s in tl.static_range(1, 3):
                of_tap = of_chunk + WEIGHTS + (r * KS + s) * CX
                pixels = tl.load(sums + of_tap + x[None, :], mask=(x < CX)[None, :], other=0.0)
                total += tl.sum(pixels, axis=0)
        tl.store(bias + x, total, mask=x < CX)
    else:
        y = (block - blocks) * BLOCK + tl.arange(0, BLOCK)
        rows = tl.load(
            sums + of_chunk + WEIGHTS + y[None, :], mask=(y < BIASES)[None, :], other=0.0
        )
        tl.store(bias + y, tl.sum(rows, axis=0), mask=y < BIASES)
