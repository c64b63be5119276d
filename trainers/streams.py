"""Random numbers that depend on (seed, stream, step, row, column) and on nothing else.

Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") maps
a 128-bit counter and a 64-bit key to four 32-bit words. The key is the trial's seed; the counter is
(column // 4, row, step, stream). There is no state, so that resuming a trial is knowing its step, a
wider draw keeps the columns of a narrower one, and no draw moves another.

Words are int64 tensors with values in [0, 2^32): torch has no unsigned arithmetic on every device,
and the low 64 bits of a product are the same with a sign.
"""

from __future__ import annotations

import math
from enum import IntEnum

import torch
from torch import Tensor

MASK = 0xFFFFFFFF
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
SEEDS = 2**64


class Stream(IntEnum):
    """One name a use. A number is part of what a trial's answer depends on: never change one."""

    INITIALISATION = 0
    CELLS = 1
    PAIRS = 2
    LATENT_NOISE = 3
    PICTURES = 4
    NUISANCE = 5
    DISTANCES = 6
    PIXELS = 7
    ORDER = 8
    PERMUTATION = 9
    EVALUATION = 10
    EVALUATION_NOISE = 11


def philox(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 of a counter of four 32-bit words (int64 tensors, broadcast together)."""
    word_0, word_1, word_2, word_3 = torch.broadcast_tensors(*counter)  # type: ignore[no-untyped-call]
    key_0, key_1 = key
    for _ in range(ROUNDS):
        product_0, product_1 = word_0 * MULTIPLIER_0, word_2 * MULTIPLIER_1
        word_0 = (product_1 >> 32).bitwise_and_(MASK).bitwise_xor_(word_1).bitwise_xor_(key_0)
        word_2 = (product_0 >> 32).bitwise_and_(MASK).bitwise_xor_(word_3).bitwise_xor_(key_1)
        word_1, word_3 = product_1.bitwise_and_(MASK), product_0.bitwise_and_(MASK)
        key_0, key_1 = (key_0 + WEYL_0) & MASK, (key_1 + WEYL_1) & MASK
    return word_0, word_1, word_2, word_3


def words(
    seed: int,
    stream: Stream,
    step: int | Tensor,
    rows: int,
    columns: int,
    *,
    first_row: int = 0,
) -> Tensor:
    """Uniform 32-bit words, int64 [rows, columns], of the rows from `first_row` on.

    `step` is a number below 2^32, or an int64 tensor, whose device the draw is then made on: of one
    step, or of S steps, [S], whose rows follow each other, [S * rows, columns].
    """
    if not 0 <= seed < SEEDS:
        raise ValueError(f"seed must be a whole number in [0, 2^64), not {seed}")
    step_S11 = torch.as_tensor(step, dtype=torch.int64).view(-1, 1, 1)
    block_L = torch.arange(-(-columns // 4), device=step_S11.device)
    row_R1 = torch.arange(first_row, first_row + rows, device=step_S11.device)[:, None]
    number = torch.full_like(step_S11, int(stream))
    words_4SRL = philox((block_L, row_R1, step_S11, number), (seed & MASK, seed >> 32))
    return torch.stack(words_4SRL, dim=-1).flatten(2).flatten(0, 1)[:, :columns]


def below(words: Tensor, bound: int | Tensor) -> Tensor:
    """Whole numbers in [0, bound), int64, one a word; each value's probability is within 2^-32.

    `bound` is at most 2^31 and broadcasts. (Lemire 2019, "Fast random integer generation in an
    interval", without the rejection: a static number of words a draw.)
    """
    return (words * bound) >> 32


def normals(
    seed: int, stream: Stream, step: int | Tensor, rows: int, columns: int, *, dtype: torch.dtype
) -> Tensor:
    """Standard normal numbers, [rows, columns] of `dtype`, at most 6.66 from zero; of S steps, as
    `words` has them.

    Box and Muller 1958: sqrt(-2 ln u) (cos 2 pi v, sin 2 pi v), in float64 whatever the dtype, so
    that the last bits of a library's logarithm and cosine do not reach a float32.
    """
    pairs = -(-columns // 2)
    words_RP2 = words(seed, stream, step, rows, 2 * pairs).view(-1, pairs, 2)
    uniform_RP2 = words_RP2.to(torch.float64) * 2.0**-32
    radius_RP = torch.sqrt(-2 * torch.log1p(-uniform_RP2[..., 0]))
    angle_RP = 2 * math.pi * uniform_RP2[..., 1]
    both = torch.stack((radius_RP * torch.cos(angle_RP), radius_RP * torch.sin(angle_RP)), dim=-1)
    return both.flatten(1)[:, :columns].to(dtype)
