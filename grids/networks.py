"""The networks as parameter dataclasses: which images each takes, and how wide it is.

The layers are in `trainers.models`, under the same names. H and W are the sides of an image; every
network takes as many channels as the images have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from grids.fields import check_fields


@dataclass(frozen=True, kw_only=True)
class Model:
    """What every network says of itself."""

    name: ClassVar[str]
    source: ClassVar[str]
    image_sizes: ClassVar[tuple[int, ...] | None] = (64,)
    """The sides that images may have, H = W; None: any, H and W."""
    narrowest_layer: ClassVar[int | None] = 256
    """Units of its narrowest layer beside the code, so the most latents that it has a use for."""

    @classmethod
    def parameters(cls, elements: int, latents: int) -> int:
        """About how many it has, of images of so many elements."""
        return 780_000

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Conv64(Model):
    """Four 4x4 convolutions of stride 2 and padding 1, as printed."""

    name: ClassVar[str] = "conv64"
    source: ClassVar[str] = "Michlo et al. 2023, table 3"


@dataclass(frozen=True, kw_only=True)
class Conv64Disent(Model):
    """As conv64, with padding 2 in the encoder (1,600 features), as run."""

    name: ClassVar[str] = "conv64_disent"
    source: ClassVar[str] = "Michlo et al. 2023, disent's code (8f061a87)"


@dataclass(frozen=True, kw_only=True)
class ConvLocatello(Model):
    """Two 4x4 and two 2x2 convolutions of stride 2."""

    name: ClassVar[str] = "conv_locatello"
    source: ClassVar[str] = "Locatello et al. 2019, table 1; disentanglement_lib's code"


@dataclass(frozen=True, kw_only=True)
class MLPHiggins(Model):
    """Two layers of 1,200 with ReLU; three of 1,200 with tanh back."""

    name: ClassVar[str] = "mlp_higgins"
    source: ClassVar[str] = "Higgins et al. 2017, table 1; Fil et al. 2021, table 4"
    image_sizes: ClassVar[tuple[int, ...] | None] = None
    narrowest_layer: ClassVar[int | None] = 1200

    @classmethod
    def parameters(cls, elements: int, latents: int) -> int:
        return 1200 * (2 * elements + 3 * 1200 + 3 * latents)


@dataclass(frozen=True, kw_only=True)
class ConvBurgess(Model):
    """Four (at 32x32: three) 4x4 convolutions of 32 channels, two layers of 256."""

    name: ClassVar[str] = "conv_burgess"
    source: ClassVar[str] = "Burgess et al. 2017, appendix; Fil et al. 2021's code"
    image_sizes: ClassVar[tuple[int, ...] | None] = (32, 64)

    @classmethod
    def parameters(cls, elements: int, latents: int) -> int:
        return 570_000


@dataclass(frozen=True, kw_only=True)
class ConvSong(Model):
    """Four 4x4 convolutions of 32 channels, two layers of 256; 256 and 512 back."""

    name: ClassVar[str] = "conv_song"
    source: ClassVar[str] = "Song 2018, section 3.4; its code (39416a8)"

    @classmethod
    def parameters(cls, elements: int, latents: int) -> int:
        return 460_000


@dataclass(frozen=True, kw_only=True)
class LinearModel(Model):
    """One linear map to the code and one back, as PCA and ICA have."""

    name: ClassVar[str] = "linear"
    source: ClassVar[str] = "Fil et al. 2021, appendix B"
    image_sizes: ClassVar[tuple[int, ...] | None] = None
    narrowest_layer: ClassVar[int | None] = None

    @classmethod
    def parameters(cls, elements: int, latents: int) -> int:
        return 3 * elements * latents + elements


MODELS: dict[str, type[Model]] = {
    model.name: model
    for model in (
        Conv64,
        Conv64Disent,
        ConvLocatello,
        MLPHiggins,
        ConvBurgess,
        ConvSong,
        LinearModel,
    )
}
