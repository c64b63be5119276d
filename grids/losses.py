"""The reconstruction losses as parameter dataclasses; computed in `trainers.reconstruction`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from grids.fields import Valid, check_fields

Activation = Annotated[
    Literal["linear", "sigmoid", "tanh"],
    "of the decoder's output l: l, 1 / (1 + exp(-l)), or (1 + tanh l) / 2",
]


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """What every reconstruction loss says of itself."""

    name: ClassVar[str]
    source: ClassVar[str]
    terms: ClassVar[tuple[str, ...]] = ()
    """What it reports beside the loss."""
    activation = "linear"

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def unit_targets(self) -> bool:
        """Whether it is of pixels in [0, 1] only."""
        return self.activation != "linear"


@dataclass(frozen=True, kw_only=True)
class MSE(Reconstruction):
    """Squared error of the pixels, without the half of a Gaussian log-likelihood."""

    name: ClassVar[str] = "mse"
    source: ClassVar[str] = "Michlo et al. 2023, section 3"

    activation: Activation = "linear"


@dataclass(frozen=True, kw_only=True)
class Bernoulli(Reconstruction):
    """Cross-entropy of the pixels in [0, 1] with the decoder's logits."""

    name: ClassVar[str] = "bernoulli"
    source: ClassVar[str] = "Kingma and Welling 2014, appendix C.1"

    @property
    def unit_targets(self) -> bool:
        return True


@dataclass(frozen=True, kw_only=True)
class Gaussian(Reconstruction):
    """Negative log-likelihood of the pixels under N(output, sigma^2), sigma given or learned."""

    name: ClassVar[str] = "gaussian"
    source: ClassVar[str] = "Fil et al. 2021, equations 8 to 10"
    terms: ClassVar[tuple[str, ...]] = ("sigma",)

    sigma: Annotated[float, Valid(above=0), "its value; where it is learned, the first one"] = 1.0
    learned: Annotated[bool, "sigma is one more parameter of the model"] = False
    activation: Activation = "linear"


@dataclass(frozen=True, kw_only=True)
class MSEBoxBlur(Reconstruction):
    """Squared error, and that of the images under a box blur."""

    name: ClassVar[str] = "mse_boxblur"
    source: ClassVar[str] = "Michlo et al. 2023, section 6.1"

    radius: Annotated[int, Valid(at_least=1), "the box has 2 radius + 1 pixels a side"] = 31
    weight: Annotated[
        float, Valid(at_least=0), "of the blurred term; the box itself adds up to 1"
    ] = 3969.0  # 63^2


RECONSTRUCTIONS: dict[str, type[Reconstruction]] = {
    loss.name: loss for loss in (MSE, Bernoulli, Gaussian, MSEBoxBlur)
}
