"""Images on their way to the network, as Triton kernels: what each step does with its batch."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


def scaled_rows(
    images_NP: Tensor, row_R: Tensor, shift_C: Tensor, scale_C: Tensor, *, shifted: bool
) -> Tensor:
    """Some rows of many images on the model's scale: (x - shift) / scale, float32 [R, P].

    Rows of uint8 or float32, whose P elements are pixels with C channels each; rounded as
    `trainers.pixels.Pixels.to_float` rounds.
    """
    (rows,), elements, channels = row_R.shape, images_NP.shape[1], len(shift_C)
    scaled_RP = torch.empty((rows, elements), dtype=torch.float32, device=images_NP.device)
    _scaled_rows[(rows, triton.cdiv(elements, BLOCK))](
        images_NP, row_R, shift_C, scale_C, scaled_RP,
        P=elements, C=channels, SHIFTED=shifted, BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip
    return scaled_RP


def padded(images_BHW3: Tensor) -> Tensor:
    """With a fourth channel of zeros, bfloat16 [B, H, W, 4]; contiguous."""
    padded_BHW4 = images_BHW3.new_empty(*images_BHW3.shape[:3], 4, dtype=torch.bfloat16)
    elements = padded_BHW4.numel()
    _padded[(triton.cdiv(elements, BLOCK),)](
        images_BHW3, padded_BHW4, elements, BLOCK=BLOCK, num_warps=4
    )
    return padded_BHW4


@triton.jit
def _scaled_rows(
    images, row, shift, scale, scaled,
    P: tl.constexpr, C: tl.constexpr, SHIFTED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    into = tl.program_id(0)
    element = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    kept = element < P
    at = tl.load(row + into) * P
    values = tl.load(images + at + element, mask=kept, other=0).to(tl.float32)
    channel = element % C
    if SHIFTED:
        values -= tl.load(shift + channel)
    values = tl.div_rn(values, tl.load(scale + channel))
    tl.store(scaled + into * P + element, values, mask=kept)


@triton.jit
def _padded(images, padded, elements, BLOCK: tl.constexpr):  # fmt: skip
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = element % 4
    values = tl.load(
        images + element // 4 * 3 + channel, mask=(element < elements) & (channel < 3), other=0.0
    )
    tl.store(padded + element, values.to(tl.bfloat16), mask=element < elements)
