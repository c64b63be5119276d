"""The convolutional VAE of Song 2018 (section 3.4), as its code has it (39416a8, model.py).

Section 3.4 lists a fourth layer of 32 channels with a ReLU as the decoder's last; the code ends in
as many channels as the image has, without an activation.
"""

from __future__ import annotations

from torch import nn

from trainers.models.vae import VAE, convolutions, dense, refuse_other_sizes, upconvolutions


def conv_song(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """Four convolutions of 32 channels, two layers of 256; layers of 256 and 512 back."""
    refuse_other_sizes(image_shape, (64,))
    channels = image_shape[0]
    encoder = nn.Sequential(
        convolutions((channels, 32, 32, 32, 32), (4, 4, 4, 4), padding=1),
        dense((32 * 4 * 4, 256, 256, head)),
    )
    decoder = nn.Sequential(
        dense((latents, 256, 32 * 4 * 4)),
        nn.ReLU(True),
        upconvolutions((32, 32, 32, 32, channels)),
    )
    return VAE(encoder, decoder, latents)
