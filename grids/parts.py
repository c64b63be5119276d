"""The parts of a trial as parameter dataclasses, by kind and by name.

Parameters only: what is computed from them lives in `trainers` and `metrics`, under the same
names. A default is pinned for ever, because the identity of a trial leaves defaults out.
"""

from __future__ import annotations

from grids.datasets import (
    DATASETS,
    DSpritesRendered,
    XYColumns,
    XYObject,
    XYSquares,
)
from grids.datasets import Images as Dataset
from grids.frameworks import (
    DIPVAEI,
    DIPVAEII,
    FRAMEWORKS,
    ICA,
    PCA,
    VAE,
    AdaGVAE,
    AdaMLVAE,
    AnnealedVAE,
    Autoencoder,
    BetaTCVAE,
    BetaVAE,
    CapacityVAE,
    FactorVAE,
    Framework,
)
from grids.losses import MSE, RECONSTRUCTIONS, Bernoulli, Gaussian, MSEBoxBlur, Reconstruction
from grids.networks import (
    MODELS,
    Conv64,
    Conv64Disent,
    ConvBurgess,
    ConvLocatello,
    ConvSong,
    LinearModel,
    MLPHiggins,
    Model,
)
from grids.optimizers import (
    OPTIMIZERS,
    SCHEDULES,
    Adagrad,
    Adam,
    ConstantSchedule,
    LinearSchedule,
    Optimizer,
    Schedule,
    StepSchedule,
)

__all__ = [
    "AdaGVAE",
    "AdaMLVAE",
    "Adagrad",
    "Adam",
    "AnnealedVAE",
    "Autoencoder",
    "Bernoulli",
    "BetaTCVAE",
    "BetaVAE",
    "COMMON_TERMS",
    "CapacityVAE",
    "ConstantSchedule",
    "Conv64",
    "Conv64Disent",
    "ConvBurgess",
    "ConvLocatello",
    "ConvSong",
    "DATASETS",
    "DIPVAEI",
    "DIPVAEII",
    "DSpritesRendered",
    "Dataset",
    "FRAMEWORKS",
    "FactorVAE",
    "Framework",
    "Gaussian",
    "ICA",
    "LinearModel",
    "LinearSchedule",
    "METRICS",
    "MLPHiggins",
    "MODELS",
    "MSE",
    "MSEBoxBlur",
    "Model",
    "OPTIMIZERS",
    "Optimizer",
    "PCA",
    "Part",
    "RECONSTRUCTIONS",
    "Reconstruction",
    "SCHEDULES",
    "Schedule",
    "StepSchedule",
    "VAE",
    "XYColumns",
    "XYObject",
    "XYSquares",
]

Part = Dataset | Framework | Model | Reconstruction | Optimizer | Schedule

COMMON_TERMS = ("loss", "reconstruction_per_image", "kl_nats")
"""Loss terms that every framework reports; the last where its encoder gives a posterior."""

METRICS: tuple[str, ...] = ("mig", "factor_vae", "dci", "dci_sklearn")
