"""The parts of a trial as parameter dataclasses: datasets, frameworks, models, losses, optimisers.

Parameters only: what is computed from them lives in `trainers` and `metrics`, under the same
names. A default here is pinned for ever, because the identity of a trial leaves defaults out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from grids.datasets import DATASETS as DATASETS
from grids.datasets import DSpritesRendered as DSpritesRendered
from grids.datasets import Images
from grids.datasets import XYColumns as XYColumns
from grids.datasets import XYObject as XYObject
from grids.datasets import XYSquares as XYSquares
from grids.fields import FieldError, Valid, check_fields

COMMON_TERMS = ("loss", "reconstruction_per_image", "kl_nats")
"""Loss terms that every framework reports."""


@dataclass(frozen=True, kw_only=True)
class BetaVAE:
    """beta-VAE (Higgins et al. 2017)."""

    name: ClassVar[str] = "beta_vae"
    uses_beta: ClassVar[bool] = True
    pairs: ClassVar[bool] = False
    terms: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class AdaGVAE:
    """Ada-GVAE and Ada-ML-VAE (Locatello et al. 2020), trained on pairs of images.

    `forward` is KL(q1 || q2), half of what disentanglement_lib computes; `reverse` KL(q2 || q1).
    """

    name: ClassVar[str] = "ada_gvae"
    uses_beta: ClassVar[bool] = True
    pairs: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("shared_latents",)

    averaging: Annotated[
        Literal["gvae", "ml_vae"], "how the posteriors of shared latents are averaged"
    ] = "gvae"
    divergence: Annotated[
        Literal["symmetric", "forward", "reverse"], "divergence that tells shared latents"
    ] = "symmetric"
    k_rule: Annotated[
        Literal["orig", "uniform", "fixed"], "how many factors differ between the two of a pair"
    ] = "orig"
    k: Annotated[int | None, Valid(at_least=1), "factors that differ, where k_rule is fixed"] = None
    threshold_ratio: Annotated[
        float,
        Valid(at_least=0, at_most=1),
        "a latent is shared below this way from the smallest divergence to the largest",
    ] = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.k_rule == "fixed" and self.k is None:
            raise FieldError("k", "is missing; valid: an integer, as k_rule is fixed")
        if self.k_rule != "fixed" and self.k is not None:
            raise FieldError("k", f"is {self.k}; valid: null, unless k_rule is fixed")


@dataclass(frozen=True, kw_only=True)
class Conv64:
    """Four 4x4 convolutions of stride 2 and padding 1 (Michlo et al. 2023, table 3, as printed)."""

    name: ClassVar[str] = "conv64"
    image_size: ClassVar[int] = 64

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Conv64Disent:
    """The same with padding 2 in the encoder (1,600 features), as disent's code has it."""

    name: ClassVar[str] = "conv64_disent"
    image_size: ClassVar[int] = 64

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class MSE:
    """Squared error of the pixels, without the half of a Gaussian log-likelihood."""

    name: ClassVar[str] = "mse"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Bernoulli:
    """Cross-entropy of the pixels in [0, 1] with the decoder's logits."""

    name: ClassVar[str] = "bernoulli"

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class MSEBoxBlur:
    """Squared error, and that of the images under a box blur (Michlo et al. 2023, section 6.1)."""

    name: ClassVar[str] = "mse_boxblur"

    radius: Annotated[int, Valid(at_least=1), "the box has 2 radius + 1 pixels a side"] = 31
    weight: Annotated[float, Valid(at_least=0), "of the blurred term"] = 3969.0  # 63^2

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam (Kingma and Ba 2015) without weight decay."""

    name: ClassVar[str] = "adam"

    lr: Annotated[float, Valid(above=0), "learning rate"] = 1e-3
    beta1: Annotated[float, Valid(at_least=0, below=1), "decay of the first moment"] = 0.9
    beta2: Annotated[float, Valid(at_least=0, below=1), "decay of the second moment"] = 0.999
    eps: Annotated[float, Valid(above=0), "added to the denominator"] = 1e-8

    def __post_init__(self) -> None:
        check_fields(self)


Dataset = Images
Framework = BetaVAE | AdaGVAE
Model = Conv64 | Conv64Disent
Reconstruction = MSE | Bernoulli | MSEBoxBlur
Optimizer = Adam
Part = Dataset | Framework | Model | Reconstruction | Optimizer

FRAMEWORKS: dict[str, type[Framework]] = {"beta_vae": BetaVAE, "ada_gvae": AdaGVAE}
MODELS: dict[str, type[Model]] = {"conv64": Conv64, "conv64_disent": Conv64Disent}
RECONSTRUCTIONS: dict[str, type[Reconstruction]] = {
    "mse": MSE,
    "bernoulli": Bernoulli,
    "mse_boxblur": MSEBoxBlur,
}
OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam}
METRICS: tuple[str, ...] = ("mig", "factor_vae")
