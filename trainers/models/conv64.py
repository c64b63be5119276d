"""The convolutional VAE of Michlo et al. 2023 (supplement, table 3), as printed and as run."""

from __future__ import annotations

from torch import nn

from trainers.models.vae import VAE, convolutions, dense, refuse_other_sizes, upconvolutions


def conv64(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """Table 3 as printed: four 4x4 convolutions of stride 2 and padding 1, 1024 features."""
    return _conv64(image_shape, latents, head, padding=1, features=64 * 4 * 4)


def conv64_disent(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """As run: padding 2 in the encoder, so 64 -> 33 -> 17 -> 9 -> 5 and 1600 features.

    nmichlo/disent 8f061a87, EncoderConv64; the table does not mention its padding.
    """
    return _conv64(image_shape, latents, head, padding=2, features=64 * 5 * 5)


def _conv64(
    image_shape: tuple[int, int, int], latents: int, head: int, *, padding: int, features: int
) -> VAE:
    refuse_other_sizes(image_shape, (64,))
    channels = image_shape[0]
    encoder = nn.Sequential(
        convolutions((channels, 32, 32, 64, 64), (4, 4, 4, 4), padding=padding),
        dense((features, 256, head)),
    )
    decoder = nn.Sequential(
        dense((latents, 256, 64 * 4 * 4)),
        nn.ReLU(True),
        upconvolutions((64, 64, 32, 32, channels)),
    )
    return VAE(encoder, decoder, latents)
