"""The fully connected VAE of Higgins et al. 2017 (table 1, row 1) and Fil et al. 2021 (table 4).

The decoder gives logits: what Fil et al. call its last sigmoid is part of the Bernoulli loss.
"""

from __future__ import annotations

from torch import nn

from trainers.models.vae import VAE, dense, elements


def mlp_higgins(image_shape: tuple[int, int, int], latents: int, head: int) -> VAE:
    """Two layers of 1,200 with ReLU to the code, three of 1,200 with tanh back. Any image size."""
    size = elements(image_shape)
    encoder = nn.Sequential(nn.Flatten(), dense((size, 1200, 1200, head)))
    decoder = nn.Sequential(
        dense((latents, 1200, 1200, 1200, size), nn.Tanh), nn.Unflatten(1, image_shape)
    )
    return VAE(encoder, decoder, latents)
