"""dSprites under random nuisances: Color-, Noisy- and Scream-dSprites (Locatello et al. 2019).

s is a sprite in {0, 1}, u ~ U(0, 1) is drawn anew for every use of a cell (disentanglement_lib
86a644d, data/ground_truth/dsprites.py):

    color   x_c = s (1 + u_c) / 2, one u_c a channel: a sprite in a random colour on black
    noisy   x = min(s + u, 1), one u a pixel and channel: a white sprite on noise
    scream  a random 64x64 crop of The Scream, b_c = (crop_c + u_c) / 2, one u_c a channel;
            x = b where s = 0 and 1 - b where s = 1

There a draw comes from a generator that goes on, so that no image can be had twice. Here it is a
function of the cell and the number of the draw: Philox with both in its counter.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Tensor

from grids.datasets import Images
from trainers.datasets.dataset import Dataset, cell_index, evaluation_grid
from trainers.streams import Stream, below, philox

SIZE = 64
CHANNELS = 3

Words = Callable[[int], Tensor]
"""words(n): uniform 32-bit words, int64 [B, n], a row an image."""


class NuisanceDSprites:
    """Sprites of another dataset under a nuisance.

    nuisance(sprite_BHW bool, words) gives float32 [B, H, W, 3] in [0, 1]; `rule` names it and all
    that it depends on.
    """

    standardise = False  # no study does it to these, so the two constants are not known
    mean = std = (math.nan,) * CHANNELS

    def __init__(
        self,
        parameters: Images,
        sprites: Dataset,
        nuisance: Callable[[Tensor, Words], Tensor],
        rule: str,
    ) -> None:
        self.factor_names = parameters.factor_names
        self.factor_sizes = parameters.factor_sizes
        self.nuisances = parameters.nuisances
        self.image_shape = parameters.image_shape
        self.evaluation_grid = evaluation_grid(self.factor_sizes)
        # A metric draws about as many rows as there are cells: each with a nuisance of its own.
        self.evaluation_draws = 1
        self.sprites, self.nuisance = sprites, nuisance
        self.fingerprint = hashlib.sha256(f"{rule} {sprites.fingerprint}".encode()).hexdigest()

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """float32 [B, 3, H, W] on the scale [0, 255], in channels_last order."""
        sprite_BHW = self.sprites.images(factors_BF, torch.zeros_like(nuisance_B))[:, 0] > 0
        cell_B = cell_index(factors_BF, self.factor_sizes)

        def words(count: int) -> Tensor:
            block_L = torch.arange(-(-count // 4), device=cell_B.device)
            stream = torch.full_like(block_L, int(Stream.PIXELS))
            counter = (block_L, cell_B[:, None], nuisance_B[:, None], stream)
            return torch.stack(philox(counter, (0, 0)), dim=-1).flatten(1)[:, :count]

        return self.nuisance(sprite_BHW, words).mul_(255).permute(0, 3, 1, 2)


def uniforms(words: Tensor) -> Tensor:
    """Uniform in [0, 1], float32, of 32-bit words."""
    return words.to(torch.float32).mul_(2.0**-32)


def noise(words_BN: Tensor) -> Tensor:
    """Uniform in (0, 1), float32 [B, 4 N]: the middles of 256 equal parts, one a byte of a word.

    As fine as the pixels of every other dataset; noisy pixels are too many for a word each.
    """
    bytes_BN8 = words_BN.contiguous().view(torch.uint8).view(*words_BN.shape, 8)
    return bytes_BN8[..., :4].flatten(1).to(torch.float32).add_(0.5).mul_(2.0**-8)


def color(sprite_BHW: Tensor, words: Words) -> Tensor:
    color_BC = 0.5 + 0.5 * uniforms(words(CHANNELS))
    return sprite_BHW[..., None] * color_BC[:, None, None, :]


def noisy(sprite_BHW: Tensor, words: Words) -> Tensor:
    noise_BHWC = noise(words(SIZE * SIZE * CHANNELS // 4)).view(-1, SIZE, SIZE, CHANNELS)
    return noise_BHWC.masked_fill_(sprite_BHW[..., None], 1.0)


def scream(sprite_BHW: Tensor, words: Words, painting_HWC: Tensor) -> Tensor:
    height, width, _ = painting_HWC.shape
    drawn_B5 = words(2 + CHANNELS)
    pixel_S = torch.arange(SIZE, device=sprite_BHW.device)
    # The last place of a crop is never drawn, as in the original: numpy's bound is exclusive.
    row_BS = below(drawn_B5[:, :1], height - SIZE) + pixel_S
    column_BS = below(drawn_B5[:, 1:2], width - SIZE) + pixel_S
    crop_BHWC = painting_HWC[row_BS[:, :, None], column_BS[:, None, :]] / 255
    background_BHWC = (crop_BHWC + uniforms(drawn_B5[:, 2:])[:, None, None, :]) / 2
    return torch.where(sprite_BHW[..., None], 1 - background_BHWC, background_BHWC)
