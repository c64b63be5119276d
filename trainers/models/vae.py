"""An encoder and a decoder as one module, and the layers that the convolutional ones share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from trainers.models.transposed import TransposedConvolution

DecodedLoss = Literal["mse", "bernoulli"]
"""What a decoder's own kernels compute with their last layer."""


class Halves(Protocol):
    """The same encoder and decoder in other kernels, and what a training does between and after
    them: what leaves them is float32."""

    def encode(self, images_BCHW: Tensor) -> Tensor: ...

    def decode(self, z_BZ: Tensor) -> Tensor: ...

    def sample(self, mean_BZ: Tensor, logvar_BZ: Tensor, noise_BZ: Tensor) -> tuple[Tensor, Tensor]:
        """A sample, [B, Z], and the nats of each latent, mean over the batch, [Z]."""
        ...

    def averaged(
        self, mean_BZ: Tensor, logvar_BZ: Tensor, divergence: str, averaging: str, ratio: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of pairs: the averaged posteriors, [B, Z] each, and how many latents are shared."""
        ...

    def decoded_loss(self, z_BZ: Tensor, images_BCHW: Tensor, loss: DecodedLoss) -> Tensor:
        """Summed over an image, mean over the batch."""
        ...


class VAE(nn.Module):
    """B batch, C channels, H, W image size, Z latents. Both halves give float32 or wider, whatever
    autocast computes them in.

    The encoder's head gives Z means, then (for a framework with a posterior) Z log variances; the
    decoder's output is linear. `log_sigma` is there where a Gaussian decoder learns its sigma.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, latents: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.latents = latents
        self.log_sigma: nn.Parameter | None
        self.register_parameter("log_sigma", None)
        self.fused: Halves | None = None

    @property
    def fused_in_use(self) -> Halves | None:
        """In place of both modules wherever autocast would have them in bfloat16 on CUDA."""
        return self.fused if torch.is_autocast_enabled("cuda") else None

    def encode(self, images_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of the posterior, [B, Z] each."""
        mean_BZ, logvar_BZ = self._head(images_BCHW).chunk(2, dim=1)
        return mean_BZ, logvar_BZ

    def code(self, images_BCHW: Tensor) -> Tensor:
        """The code, [B, Z]: the mean where there is a posterior."""
        return self._head(images_BCHW)[:, : self.latents]

    def decode(self, z_BZ: Tensor) -> Tensor:
        """The decoder's linear output, [B, C, H, W]."""
        if (fused := self.fused_in_use) is not None:
            return fused.decode(z_BZ)
        return at_least_float32(self.decoder(z_BZ))

    def _head(self, images_BCHW: Tensor) -> Tensor:
        if (fused := self.fused_in_use) is not None:
            return fused.encode(images_BCHW)
        return at_least_float32(self.encoder(images_BCHW))


def at_least_float32(values: Tensor) -> Tensor:
    return values if values.dtype == torch.float64 else values.float()


def convolutions(channels: Sequence[int], kernels: Sequence[int], *, padding: int) -> nn.Sequential:
    """Convolutions of stride 2 with a ReLU each, from channels[0] to channels[-1], flattened.

    Padding is that of the 4x4 kernels; a 2x2 kernel of stride 2 has none (TensorFlow's `SAME`).
    """
    layers: list[nn.Module] = []
    for before, after, kernel in zip(channels[:-1], channels[1:], kernels, strict=True):
        around = padding if kernel == 4 else 0
        layers += [nn.Conv2d(before, after, kernel, stride=2, padding=around), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.Flatten())


def upconvolutions(channels: Sequence[int]) -> nn.Sequential:
    """Transposed 4x4 convolutions of stride 2 from channels[0] x 4 x 4, a ReLU but for the last."""
    layers: list[nn.Module] = [nn.Unflatten(1, (channels[0], 4, 4))]
    for before, after in zip(channels, channels[1:], strict=False):
        layers += [TransposedConvolution(before, after), nn.ReLU(True)]
    return nn.Sequential(*layers[:-1])


def dense(widths: Sequence[int], activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers from widths[0] to widths[-1], an activation after each but the last."""
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(before, after), activation()]
    return nn.Sequential(*layers[:-1])


def refuse_other_sizes(image_shape: tuple[int, int, int], sizes: Sequence[int]) -> None:
    """Raises ValueError for images that are not square of one of the sizes."""
    _, height, width = image_shape
    if height != width or height not in sizes:
        valid = " or ".join(f"{size}x{size}" for size in sizes)
        raise ValueError(f"this model takes {valid} images, not {height}x{width}")


def elements(image_shape: tuple[int, int, int]) -> int:
    return math.prod(image_shape)
