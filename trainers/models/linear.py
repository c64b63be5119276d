"""One linear map each way: what PCA and ICA fit, and any framework may train."""

from __future__ import annotations

from torch import nn

from trainers.models.vae import VAE, elements


def linear(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """The flattened image to the head, the code to the flattened image. Any image size."""
    size = elements(image_shape)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(size, head))
    decoder = nn.Sequential(nn.Linear(latents, size), nn.Unflatten(1, image_shape))
    return VAE(encoder, decoder, latents)
