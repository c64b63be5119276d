"""The convolutional VAE of Locatello et al. 2019 (table 1), as disentanglement_lib has it.

The last two convolutions have 2x2 kernels, where Higgins et al. 2017 and Michlo et al. 2023 have
4x4. TensorFlow's `SAME` pads a 4x4 kernel of stride 2 by 1 on either side, and a 2x2 one by none.
"""

from __future__ import annotations

from torch import nn

from trainers.models.vae import VAE, convolutions, dense, refuse_other_sizes, upconvolutions


def conv_locatello(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """conv_encoder and deconv_decoder of disentanglement_lib (methods/shared/architectures.py)."""
    refuse_other_sizes(image_shape, (64,))
    channels = image_shape[0]
    encoder = nn.Sequential(
        convolutions((channels, 32, 32, 64, 64), (4, 4, 2, 2), padding=1),
        dense((64 * 4 * 4, 256, head)),
    )
    decoder = nn.Sequential(
        dense((latents, 256, 64 * 4 * 4)),
        nn.ReLU(True),
        upconvolutions((64, 64, 32, 32, channels)),
    )
    return VAE(encoder, decoder, latents)
