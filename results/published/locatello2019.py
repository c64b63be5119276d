"""Numbers of Locatello et al. 2019, as the study slides of it print them; datasets as named here.

Variances are percent, rank correlations times 100.
"""

from __future__ import annotations

METRICS = ("BetaVAE", "DCI", "FactorVAE", "MIG", "Modularity", "SAP")

STRENGTHS: dict[str, tuple[float, ...]] = {
    "beta_vae": (1, 2, 4, 6, 8, 16),
    "factor_vae": (10, 20, 30, 40, 50, 100),
    "dip_vae_i": (1, 2, 5, 10, 20, 50),
    "dip_vae_ii": (1, 2, 5, 10, 20, 50),
    "beta_tc_vae": (1, 2, 4, 6, 8, 10),
    "annealed_vae": (5, 10, 25, 50, 75, 100),
}
"""disentanglement_lib, config/unsupervised_study_v1/sweep.py."""
FIXED: dict[str, tuple[object, ...]] = {
    "steps": (300_000, 150_000),  # as printed, and what the code gave FactorVAE
    "model": ("conv_locatello",),
    "latents": (10,),
    "reconstruction": ("bernoulli",),
    "batch_size": (64,),
    "optimizer": ("adam",),
    "optimizer.lr": (1e-4,),
    "dataset.sprites": (None, "dsprites"),  # not the drawn stand-in
}
"""What else makes trials those of the paper (shared.gin), by column."""

# "Key experimental results 3", table (a): by the objective; the columns are METRICS.
EXPLAINED_BY_METHOD: dict[str, tuple[int, ...]] = {
    "cars3d": (1, 36, 26, 34, 37, 13),
    "color_dsprites": (30, 39, 52, 26, 23, 29),
    "noisy_dsprites": (17, 21, 17, 11, 41, 6),
    "scream_dsprites": (89, 50, 76, 45, 60, 56),
    "shapes3d": (31, 21, 14, 20, 26, 10),
    "smallnorb": (68, 71, 58, 71, 62, 62),
    "dsprites": (29, 41, 47, 26, 29, 31),
}
# The same, table (b): by objective and regularisation strength.
EXPLAINED_BY_SETTING: dict[str, tuple[int, ...]] = {
    "cars3d": (4, 69, 42, 59, 51, 17),
    "color_dsprites": (69, 80, 61, 76, 40, 56),
    "noisy_dsprites": (26, 42, 25, 29, 50, 20),
    "scream_dsprites": (93, 74, 83, 66, 68, 75),
    "shapes3d": (61, 78, 53, 59, 49, 35),
    "smallnorb": (87, 89, 81, 88, 72, 82),
    "dsprites": (59, 77, 54, 72, 39, 56),
}

# "Key experimental results 4", Shapes3D. The columns are printed as letters, (A) to (F): which
# metrics they are is our reading, and so is that the row printed as ELBO is of its negative.
UNSUPERVISED_METRICS = ("BetaVAE", "FactorVAE", "MIG", "DCI", "Modularity", "SAP")
UNSUPERVISED: dict[str, dict[str, tuple[int, ...]]] = {
    "shapes3d": {
        "reconstruction": (-30, -4, 59, 22, -21, 27),
        "TC (sampled)": (1, 5, -11, -8, -11, -2),
        "KL": (-14, -1, -38, -31, -11, -29),
        "negative ELBO": (-38, -9, 48, 9, -25, 15),
    }
}

# The same slide: DCI between datasets.
TRANSFER_DATASETS = (
    "dsprites",
    "color_dsprites",
    "noisy_dsprites",
    "scream_dsprites",
    "smallnorb",
    "cars3d",
    "shapes3d",
)
TRANSFER: dict[str, tuple[tuple[int, ...], ...]] = {
    "DCI": (
        (100, 95, 65, 65, 34, 64, 46),
        (95, 100, 61, 60, 21, 63, 47),
        (65, 61, 100, 68, 17, 64, 59),
        (65, 60, 68, 100, 36, 93, 69),
        (34, 21, 17, 36, 100, 21, -9),
        (64, 63, 64, 93, 21, 100, 85),
        (46, 47, 59, 69, -9, 85, 100),
    )
}
# The same slide, percent, by what the metric and the dataset of the target are.
SUCCESS: dict[tuple[str, str], float] = {
    ("same", "same"): 80.7,
    ("same", "other"): 59.3,
    ("other", "other"): 54.9,
}

# "Key experimental results 5", figure 5, dSprites.
TASKS = (
    *("LR10", "LR100", "LR1000", "LR10000"),
    *("GBT10", "GBT100", "GBT1000", "GBT10000"),
    *("efficiency (LR)", "efficiency (GBT)"),
)
DOWNSTREAM: dict[str, dict[str, tuple[int, ...]]] = {
    "dsprites": {
        "BetaVAE": (18, 65, 28, 28, 67, 78, 75, 76, 50, 50),
        "FactorVAE": (13, 49, 13, 12, 58, 73, 71, 71, 43, 46),
        "MIG": (18, 63, 20, -1, 71, 86, 86, 87, 62, 47),
        "DCI": (19, 65, 18, 4, 75, 94, 94, 94, 62, 54),
        "Modularity": (-3, -9, 15, 18, -6, -17, -19, -13, -19, -14),
        "SAP": (12, 64, 20, 12, 71, 77, 74, 75, 56, 49),
    }
}
