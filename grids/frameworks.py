"""The frameworks as parameter dataclasses: what each trial's objective is and what it takes.

Parameters only; the objectives are in `trainers.objectives` and `trainers.baselines`, under the
same names. A default is pinned for ever, as in `grids.parts`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from grids.fields import FieldError, Valid, check_fields

Divergence = Annotated[
    Literal["symmetric", "forward", "reverse", "distance", "sampled_distance"],
    "what tells shared latents: a divergence, or the distance of means or of samples",
]
KRule = Annotated[
    Literal["orig", "uniform", "fixed"],
    "how many factors k may differ in a pair: orig, 1 or U{1..F-1}, drawn again (as run); uniform, "
    "U{1..F} that do differ (as printed); fixed, k",
]
K = Annotated[int | None, Valid(at_least=1), "factors that differ, where k_rule is fixed"]
ThresholdRatio = Annotated[
    float,
    Valid(at_least=0, at_most=1),
    "shared are latents below this part of the way from the smallest divergence to the largest",
]
Gamma = Annotated[float, Valid(at_least=0), "weight of the deviation from the capacity"]
LambdaOffDiagonal = Annotated[float, Valid(at_least=0), "weight of entries off the diagonal"]
DiagonalFactor = Annotated[float, Valid(at_least=0), "weight of the diagonal, in lambda_od"]


@dataclass(frozen=True, kw_only=True)
class Framework:
    """What every framework says of itself."""

    name: ClassVar[str]
    source: ClassVar[str]
    """The paper and the equation."""
    conventions: ClassVar[tuple[str, ...]] = ()
    """The conventions that its beta may have; none: no beta."""
    pairs: ClassVar[bool] = False
    """Trained on pairs of images that share factors."""
    posterior: ClassVar[bool] = True
    """The encoder gives means and log variances; else codes only, and no KL is reported."""
    closed_form: ClassVar[bool] = False
    """Fitted once to one batch, not by gradient steps."""
    fewest_latents: ClassVar[int] = 1
    """Below them there is nothing for its terms to compare."""
    terms: ClassVar[tuple[str, ...]] = ()
    """The loss terms that it reports beside the common ones; `grids.terms` says what they are."""

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def drawn_per_row(self) -> int:
        """Images that a step draws for each of `batch_size`; partners of pairs not counted."""
        return 1

    @property
    def rows_multiple(self) -> int:
        """What `batch_size` is a multiple of."""
        return 1

    @property
    def fewest_rows(self) -> int:
        """The smallest `batch_size` that its estimates of a batch are defined for."""
        return 1

    @property
    def longest_schedule(self) -> tuple[str, int] | None:
        """The parameter that says how many steps something takes, with its value."""
        return None


@dataclass(frozen=True, kw_only=True)
class VAE(Framework):
    """VAE: reconstruction and KL, summed, with equal weights."""

    name: ClassVar[str] = "vae"
    source: ClassVar[str] = "Kingma and Welling 2014, equation 10"


@dataclass(frozen=True, kw_only=True)
class Autoencoder(Framework):
    """Autoencoder: reconstruction alone, from a code without noise."""

    name: ClassVar[str] = "autoencoder"
    source: ClassVar[str] = "Hinton and Salakhutdinov 2006; Michlo et al. 2023, section 5"
    posterior: ClassVar[bool] = False


@dataclass(frozen=True, kw_only=True)
class BetaVAE(Framework):
    """beta-VAE: the KL weighed by beta."""

    name: ClassVar[str] = "beta_vae"
    source: ClassVar[str] = "Higgins et al. 2017, equation 4"
    conventions: ClassVar[tuple[str, ...]] = ("mean", "sum")


@dataclass(frozen=True, kw_only=True)
class AnnealedVAE(Framework):
    """AnnealedVAE: the KL is held at a capacity that grows with the steps."""

    name: ClassVar[str] = "annealed_vae"
    source: ClassVar[str] = "Burgess et al. 2017, equation 8"
    terms: ClassVar[tuple[str, ...]] = ("capacity_nats",)

    gamma: Gamma = 1000.0
    capacity_nats: Annotated[float, Valid(at_least=0), "the largest capacity, C"] = 25.0
    anneal_steps: Annotated[int, Valid(at_least=1), "steps in which the capacity grows to it"] = (
        100_000
    )

    @property
    def longest_schedule(self) -> tuple[str, int]:
        return "anneal_steps", self.anneal_steps


@dataclass(frozen=True, kw_only=True)
class FactorVAE(Framework):
    """FactorVAE: total correlation, estimated by a discriminator."""

    name: ClassVar[str] = "factor_vae"
    source: ClassVar[str] = "Kim and Mnih 2018, equation 2"
    fewest_latents: ClassVar[int] = 2
    terms: ClassVar[tuple[str, ...]] = (
        "total_correlation_nats",
        "discriminator_loss",
        "discriminator_accuracy",
    )

    gamma: Annotated[float, Valid(at_least=0), "weight of the total correlation"] = 10.0
    permutation: Annotated[
        Literal["batch", "second_batch", "halves"],
        "codes that are permuted: of the same batch, of a second one, of a batch's second half",
    ] = "batch"
    layers: Annotated[int, Valid(at_least=1, at_most=20), "hidden layers of the discriminator"] = 6
    width: Annotated[int, Valid(at_least=1, at_most=10_000), "units of each of them"] = 1000
    discriminator_lr: Annotated[float, Valid(above=0), "learning rate of its Adam"] = 1e-4
    discriminator_beta1: Annotated[
        float, Valid(at_least=0, below=1), "decay of the first moment of its Adam"
    ] = 0.5
    discriminator_beta2: Annotated[
        float, Valid(at_least=0, below=1), "decay of the second moment of its Adam"
    ] = 0.9

    @property
    def drawn_per_row(self) -> int:
        return 2 if self.permutation == "second_batch" else 1

    @property
    def rows_multiple(self) -> int:
        return 2 if self.permutation == "halves" else 1

    @property
    def fewest_rows(self) -> int:
        """Two codes to permute."""
        return 4 if self.permutation == "halves" else 2


@dataclass(frozen=True, kw_only=True)
class BetaTCVAE(Framework):
    """beta-TCVAE: total correlation weighed by beta, estimated on the minibatch."""

    name: ClassVar[str] = "beta_tc_vae"
    source: ClassVar[str] = "Chen et al. 2018, equation 4 with alpha = gamma = 1"
    conventions: ClassVar[tuple[str, ...]] = ("sum",)
    fewest_latents: ClassVar[int] = 2
    terms: ClassVar[tuple[str, ...]] = ("total_correlation_nats",)

    estimator: Annotated[
        Literal["weighted", "stratified"], "minibatch-weighted or -stratified sampling"
    ] = "weighted"

    @property
    def fewest_rows(self) -> int:
        return 2


@dataclass(frozen=True, kw_only=True)
class DIPVAEI(Framework):
    """DIP-VAE-I: the covariance of the means is drawn to the identity."""

    name: ClassVar[str] = "dip_vae_i"
    source: ClassVar[str] = "Kumar et al. 2018, equation 6"
    terms: ClassVar[tuple[str, ...]] = ("dip_regularizer",)

    lambda_od: LambdaOffDiagonal = 10.0
    lambda_d_factor: DiagonalFactor = 10.0

    @property
    def fewest_rows(self) -> int:
        """A covariance."""
        return 2


@dataclass(frozen=True, kw_only=True)
class DIPVAEII(Framework):
    """DIP-VAE-II: the covariance of the samples is drawn to the identity."""

    name: ClassVar[str] = "dip_vae_ii"
    source: ClassVar[str] = "Kumar et al. 2018, equation 7"
    terms: ClassVar[tuple[str, ...]] = ("dip_regularizer",)

    lambda_od: LambdaOffDiagonal = 10.0
    lambda_d_factor: DiagonalFactor = 1.0

    @property
    def fewest_rows(self) -> int:
        """A covariance."""
        return 2


@dataclass(frozen=True, kw_only=True)
class AdaGVAE(Framework):
    """Ada-GVAE: pairs, whose shared latents get the mean of their posteriors.

    `forward` is KL(q1 || q2), half of what disentanglement_lib computes; `reverse` KL(q2 || q1).
    """

    name: ClassVar[str] = "ada_gvae"
    source: ClassVar[str] = "Locatello et al. 2020, section 4; Michlo et al. 2023, B.2"
    conventions: ClassVar[tuple[str, ...]] = ("mean", "sum")
    pairs: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("shared_latents",)

    averaging: Annotated[
        Literal["gvae", "gvae_std", "disent_0_5"],
        "of shared posteriors: mean of variances (gvae), of deviations, or disent's up to 0.5.0",
    ] = "gvae"
    divergence: Divergence = "symmetric"
    k_rule: KRule = "orig"
    k: K = None
    threshold_ratio: ThresholdRatio = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_k(self)


@dataclass(frozen=True, kw_only=True)
class AdaMLVAE(Framework):
    """Ada-ML-VAE: pairs, whose shared latents get the product of their posteriors."""

    name: ClassVar[str] = "ada_ml_vae"
    source: ClassVar[str] = "Locatello et al. 2020, section 4; Bouchacourt et al. 2018"
    conventions: ClassVar[tuple[str, ...]] = ("mean", "sum")
    pairs: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("shared_latents",)

    divergence: Divergence = "symmetric"
    k_rule: KRule = "orig"
    k: K = None
    threshold_ratio: ThresholdRatio = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_k(self)


@dataclass(frozen=True, kw_only=True)
class CapacityVAE(Framework):
    """Capacity-VAE: a capacity and a weight of its own for the KL of every latent.

    spread: capacities from `capacity_nats` of the first latent to `smallest_capacity_nats` of the
    last, all growing in step. settle: one growing capacity; a latent whose KL is above `rise_nats`
    and moves, from window to window, by less than `settled_ratio` of the capacity's growth is
    frozen at it, and its weight grows by `weight_growth` a window up to `weight_limit` times gamma.
    """

    name: ClassVar[str] = "capacity_vae"
    source: ClassVar[str] = "Song 2018, section 5.2.3 (an idea, without results)"
    terms: ClassVar[tuple[str, ...]] = ("capacity_nats", "frozen_latents")

    variant: Annotated[
        Literal["spread", "settle"],
        "spread: a capacity for each latent; settle: one, and latents are frozen",
    ] = "spread"
    gamma: Gamma = 100.0
    capacity_nats: Annotated[float, Valid(at_least=0), "largest capacity of a latent"] = 5.0
    smallest_capacity_nats: Annotated[
        float, Valid(at_least=0), "spread: capacity of the last latent, the first has the largest"
    ] = 0.0
    anneal_steps: Annotated[int, Valid(at_least=1), "steps in which capacities grow"] = 100_000
    window_steps: Annotated[int, Valid(at_least=1), "settle: steps a KL is averaged over"] = 1000
    rise_nats: Annotated[float, Valid(above=0), "settle: a KL above this has risen"] = 0.5
    settled_ratio: Annotated[
        float,
        Valid(above=0),
        "settle: a KL has settled that moves by less than this part of what the capacity grows by",
    ] = 0.5
    weight_growth: Annotated[
        float, Valid(at_least=1), "settle: factor of a frozen latent's weight, a window"
    ] = 1.1
    weight_limit: Annotated[float, Valid(at_least=1), "settle: largest frozen weight, in gamma"] = (
        10.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        of_other = {
            "spread": ("window_steps", "rise_nats", "settled_ratio", "weight_growth")
            + ("weight_limit",),
            "settle": ("smallest_capacity_nats",),
        }[self.variant]
        for field in dataclasses.fields(self):
            if field.name in of_other and getattr(self, field.name) != field.default:
                raise FieldError(
                    field.name,
                    f"is {getattr(self, field.name)}; valid: leave it out, as variant is "
                    f"{self.variant}",
                )
        if self.smallest_capacity_nats > self.capacity_nats:
            raise FieldError(
                "smallest_capacity_nats",
                f"is {self.smallest_capacity_nats:g}; valid: at most capacity_nats, which is "
                f"{self.capacity_nats:g}",
            )

    @property
    def longest_schedule(self) -> tuple[str, int]:
        return "anneal_steps", self.anneal_steps


@dataclass(frozen=True, kw_only=True)
class PCA(Framework):
    """PCA: principal components of one batch of images, whitened."""

    name: ClassVar[str] = "pca"
    source: ClassVar[str] = "Pearson 1901; Fil et al. 2021, appendix B"
    posterior: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("explained_variance_ratio",)

    whiten: Annotated[bool, "codes of variance 1 on the images of the fit"] = True


@dataclass(frozen=True, kw_only=True)
class ICA(Framework):
    """FastICA: independent components of one batch of images."""

    name: ClassVar[str] = "ica"
    source: ClassVar[str] = "Hyvarinen and Oja 2000; Fil et al. 2021, appendix B"
    posterior: ClassVar[bool] = False
    closed_form: ClassVar[bool] = True
    terms: ClassVar[tuple[str, ...]] = ("fit_iterations",)

    whitening: Annotated[
        Literal["unit_variance", "arbitrary_variance"], "scale of the codes on the images fitted"
    ] = "arbitrary_variance"
    algorithm: Annotated[
        Literal["parallel", "deflation"], "all components at once, or one by one"
    ] = "parallel"
    contrast: Annotated[Literal["logcosh", "exp", "cube"], "approximation of the negentropy"] = (
        "logcosh"
    )
    largest_iterations: Annotated[int, Valid(at_least=1), "iterations at most"] = 400
    tolerance: Annotated[float, Valid(above=0), "change of the unmixing that ends it"] = 1e-4


def check_k(framework: AdaGVAE | AdaMLVAE) -> None:
    """k is given where, and only where, the rule is a fixed number."""
    if framework.k_rule == "fixed" and framework.k is None:
        raise FieldError("k", "is missing; valid: an integer, as k_rule is fixed")
    if framework.k_rule != "fixed" and framework.k is not None:
        raise FieldError("k", f"is {framework.k}; valid: null, unless k_rule is fixed")


FRAMEWORKS: dict[str, type[Framework]] = {
    framework.name: framework
    for framework in (
        VAE,
        Autoencoder,
        BetaVAE,
        AnnealedVAE,
        FactorVAE,
        BetaTCVAE,
        DIPVAEI,
        DIPVAEII,
        AdaGVAE,
        AdaMLVAE,
        CapacityVAE,
        PCA,
        ICA,
    )
}
