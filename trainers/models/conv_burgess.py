"""The convolutional VAE of Burgess et al. 2017, as the code of Fil et al. 2021 has it.

Four convolutions at 64x64 and three at 32x32: Fil et al. (table 4) print three and 12,288 inputs
for all. Its head interleaves means and log variances; ours gives one half, then the other, which is
an order of the same units.
"""

from __future__ import annotations

import math

from torch import nn

from trainers.models.vae import VAE, convolutions, dense, refuse_other_sizes, upconvolutions


def conv_burgess(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """Convolutions of 32 channels down to 4x4, two layers of 256; 256, 256 and 512 back."""
    refuse_other_sizes(image_shape, (32, 64))
    channels, height, _ = image_shape
    halvings = int(math.log2(height // 4))
    hidden = [32] * halvings
    encoder = nn.Sequential(
        convolutions((channels, *hidden), (4,) * halvings, padding=1),
        dense((32 * 4 * 4, 256, 256, head)),
    )
    decoder = nn.Sequential(
        dense((latents, 256, 256, 32 * 4 * 4)),
        nn.ReLU(True),
        upconvolutions((*hidden, channels)),
    )
    return VAE(encoder, decoder, latents)
