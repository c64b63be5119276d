"""The networks behind the names in `grids.networks`: a file a network, and its initial weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from trainers.models.conv64 import conv64, conv64_disent
from trainers.models.conv_burgess import conv_burgess
from trainers.models.conv_locatello import conv_locatello
from trainers.models.conv_song import conv_song
from trainers.models.initialisation import (
    Initialise,
    fan_in_uniform,
    glorot_normal,
    glorot_uniform_of_two_heads,
    torch_default,
)
from trainers.models.linear import linear
from trainers.models.mlp_higgins import mlp_higgins
from trainers.models.vae import VAE as VAE


class Network(NamedTuple):
    """`make(image_shape, latents, head)` with a head of so many outputs; how its weights start."""

    make: Callable[[tuple[int, int, int], int, int], VAE]
    initialise: Initialise


MODELS: dict[str, Network] = {
    "conv64": Network(conv64, glorot_normal),
    "conv64_disent": Network(conv64_disent, glorot_normal),
    "conv_locatello": Network(conv_locatello, glorot_uniform_of_two_heads),
    "mlp_higgins": Network(mlp_higgins, torch_default),
    "conv_burgess": Network(conv_burgess, torch_default),
    "conv_song": Network(conv_song, fan_in_uniform),
    "linear": Network(linear, torch_default),
}
