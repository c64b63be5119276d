"""Images on their way to the network, as Triton kernels: what each step does with its batch."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024


def rows_of_step(
    images_NP: Tensor,
    noise_NZ: Tensor,
    row_R: Tensor,
    step: Tensor,
    shift_C: Tensor,
    scale_C: Tensor,
    *,
    shifted: bool,
) -> tuple[Tensor, Tensor]:
    """A step's rows of many images on the model's scale, (x - shift) / scale, float32 [R, P], and
    of their noise, float32 [R, Z]; `row_R` are those of step 0, each step has R of its own.

    Images of uint8 or float32, whose P elements are pixels with C channels each; rounded as
    `trainers.pixels.Pixels.to_float` rounds.
    """
    (rows,), elements, latents = row_R.shape, images_NP.shape[1], noise_NZ.shape[1]
    scaled_RP = torch.empty((rows, elements), dtype=torch.float32, device=images_NP.device)
    drawn_RZ = torch.empty((rows, latents), dtype=torch.float32, device=images_NP.device)
    _rows_of_step[(rows, triton.cdiv(elements, BLOCK))](
        images_NP, noise_NZ, row_R, step, shift_C, scale_C, scaled_RP, drawn_RZ,
        R=rows, P=elements, C=len(shift_C), Z=latents, WIDE=triton.next_power_of_2(latents),
        SHIFTED=shifted, BLOCK=BLOCK, num_warps=4,
    )  # fmt: skip
    return scaled_RP, drawn_RZ


def padded(images_BHW3: Tensor) -> Tensor:
    """With a fourth channel of zeros, bfloat16 [B, H, W, 4]; contiguous."""
    padded_BHW4 = images_BHW3.new_empty(*images_BHW3.shape[:3], 4, dtype=torch.bfloat16)
    elements = padded_BHW4.numel()
    _padded[(triton.cdiv(elements, BLOCK),)](
        images_BHW3, padded_BHW4, elements, BLOCK=BLOCK, num_warps=4
    )
    return padded_BHW4


@triton.jit
def _rows_of_step(
    images, noise, row, step, shift, scale, scaled, drawn,
    R: tl.constexpr, P: tl.constexpr, C: tl.constexpr, Z: tl.constexpr, WIDE: tl.constexpr,
    SHIFTED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    into = tl.program_id(0)
    element = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    kept = element < P
    at = tl.load(row + into) + tl.load(step) * R
    values = tl.load(images + at * P + element, mask=kept, other=0).to(tl.float32)
    channel = element % C
    if SHIFTED:
        values -= tl.load(shift + channel)
    values = tl.div_rn(values, tl.load(scale + channel))
    tl.store(scaled + into * P + element, values, mask=kept)
    if tl.program_id(1) == 0:
        latent = tl.arange(0, WIDE)
        numbers = tl.load(noise + at * Z + latent, mask=latent < Z, other=0.0)
        tl.store(drawn + into * Z + latent, numbers, mask=latent < Z)


@triton.jit
def _padded(images, padded, elements, BLOCK: tl.constexpr):  # fmt: skip
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = element % 4
    values = tl.load(
        images + element // 4 * 3 + channel, mask=(element < elements) & (channel < 3), other=0.0
    )
    tl.store(padded + element, values.to(tl.bfloat16), mask=element < elements)
