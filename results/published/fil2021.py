"""Numbers of Fil et al. 2021; scores in per cent, FID as it is."""

from __future__ import annotations

from typing import NamedTuple


class Score(NamedTuple):
    mean: float
    sd: float
    median: float


# Table 1, of 2Dshapes (dSprites) by the MLP of Higgins et al., over four seeds; by the number of
# factors that pairs may share, then by setting.
DISENTANGLEMENT = {
    5: {
        "0.1-VAE": Score(65.13, 4.98, 64.79),
        "1-VAE": Score(64.31, 6.56, 63.79),
        "4-VAE": Score(74.53, 15.06, 76.62),
        "10-VAE": Score(76.77, 11.44, 79.67),
        "PCA": Score(69.79, 4.22, 71.53),
        "ICA": Score(68.99, 1.68, 69.38),
    },
    4: {
        "0.1-VAE": Score(81.89, 2.33, 81.82),
        "1-VAE": Score(82.39, 5.79, 81.37),
        "4-VAE": Score(89.09, 15.82, 95.15),
        "10-VAE": Score(86.86, 15.5, 88.81),
        "PCA": Score(88.95, 3.89, 89.91),
        "ICA": Score(83.94, 2.16, 84.12),
    },
}
# Table 1, last column: means of Higgins et al. 2017, of four factors, the worse half of the runs
# left out.
HIGGINS = {"1-VAE": 61.58, "4-VAE": 99.23, "PCA": 84.9, "ICA": 42.03}
# Table 2: mean and standard deviation over all betas ("and seeds" is our reading); by dataset as it
# is named here. (Its caption says 2Dshapes.) Of how many factors is not said; the first may be left
# out, as it is by default in its code.
CLASSIFIERS = {
    "dsprites": {
        "linear": (77.62, 13.04),
        "mlp": (78.8, 12.73),
        "forest": (80.16, 12.29),
        "logistic": (80.73, 12.03),
    },
    "shapes3d": {
        "linear": (91.98, 6.82),
        "mlp": (92.61, 6.82),
        "forest": (94.45, 6.52),
        "logistic": (94.89, 5.67),
    },
    "mpi3d_toy": {
        "linear": (33.21, 14.38),
        "mlp": (34.78, 15.72),
        "forest": (36.25, 16.91),
        "logistic": (35.86, 16.82),
    },
}
# Table 3: FID of reconstructions by beta, over two seeds, without a measure of spread.
FID = {
    "cifar10": {0.1: 197.8, 1.0: 171.1, 4.0: 221.1, 10.0: 266.5},
    "cifar100": {0.1: 132.1, 1.0: 163.5, 4.0: 204.6, 10.0: 252.9},
}
FID_OF_WGAN_GP = 29.3
"""Of samples of CIFAR-10 (Heusel et al. 2017), which is another thing than of reconstructions."""
FID_OF_A_MODERN_VAE = 17.9
"""Of CIFAR-10 (Parmar et al. 2020)."""
