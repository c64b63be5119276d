"""The convolutional VAE of Michlo et al. 2023 (supplement, table 3), as printed and as run.

B batch, C channels, H, W image size, Z latents. Every layer but the heads and the last has a ReLU;
the decoder's output is linear. The encoder's head gives 2 Z numbers: Z means, then Z log variances.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainers.streams import Stream, normals

IMAGE_SIZE = 64


class VAE(nn.Module):
    """An encoder and a decoder; both give float32 or wider, whatever autocast computes them in."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latents: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latents = latents

    def encode(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the posterior, [B, Z] each."""
        mean_BZ, logvar_BZ = at_least_float32(self.encoder(images_BCHW)).chunk(2, dim=1)
        return mean_BZ, logvar_BZ

    def decode(self, z_BZ: Tensor) -> Tensor:
        """The decoder's linear output, [B, C, H, W]."""
        return at_least_float32(self.decoder(z_BZ))


def at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def conv64(image_shape: tuple[int, int, int], latents: int) -> VAE:
    """Table 3 as printed: four 4x4 convolutions of stride 2 and padding 1, 1024 features."""
    return conv_vae(image_shape, latents, padding=1, features=64 * 4 * 4)


def conv64_disent(image_shape: tuple[int, int, int], latents: int) -> VAE:
    """As run: padding 2 in the encoder, so 64 -> 33 -> 17 -> 9 -> 5 and 1600 features.

    nmichlo/disent 8f061a87, EncoderConv64; the table does not mention its padding.
    """
    return conv_vae(image_shape, latents, padding=2, features=64 * 5 * 5)


def conv_vae(
    image_shape: tuple[int, int, int], latents: int, *, padding: int, features: int
) -> VAE:
    channels, height, width = image_shape
    if (height, width) != (IMAGE_SIZE, IMAGE_SIZE):
        raise ValueError(f"this model takes {IMAGE_SIZE}x{IMAGE_SIZE} images, not {height}x{width}")
    encoder = nn.Sequential(
        nn.Conv2d(channels, 32, 4, stride=2, padding=padding),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 32, 4, stride=2, padding=padding),
        nn.ReLU(inplace=True),
        nn.Conv2d(32, 64, 4, stride=2, padding=padding),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 64, 4, stride=2, padding=padding),
        nn.ReLU(inplace=True),
        nn.Flatten(),
        nn.Linear(features, 256),
        nn.ReLU(inplace=True),
        nn.Linear(256, 2 * latents),
    )
    decoder = nn.Sequential(
        nn.Linear(latents, 256),
        nn.ReLU(inplace=True),
        nn.Linear(256, 64 * 4 * 4),
        nn.ReLU(inplace=True),
        nn.Unflatten(1, (64, 4, 4)),
        nn.ConvTranspose2d(64, 64, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(32, channels, 4, stride=2, padding=1),
    )
    return VAE(encoder, decoder, latents)


def initialise(model: nn.Module, seed: int) -> None:
    """Weights normal with variance 2 / (fan_in + fan_out), biases zero, in place.

    Glorot and Bengio 2010, equation 12, as a normal distribution (disent's xavier_normal). The
    numbers come from our own stream, not from torch's generator, whose values are its version's.
    """
    for number, parameter in enumerate(model.parameters()):
        with torch.no_grad():
            if parameter.ndim == 1:
                parameter.zero_()
                continue
            receptive_field = math.prod(parameter.shape[2:])
            fan_in_and_out = (parameter.shape[0] + parameter.shape[1]) * receptive_field
            drawn = normals(
                seed,
                Stream.INITIALISATION,
                number,
                1,
                parameter.numel(),
                dtype=parameter.dtype,
            )
            parameter.copy_(drawn.view_as(parameter) * math.sqrt(2 / fan_in_and_out))


MODELS = {"conv64": conv64, "conv64_disent": conv64_disent}
