"""Numbers of Michlo et al. 2023 and of the code that drew its figures.

Of figures 6, 9 and 11 the paper prints none. Code: github.com/nmichlo/msc-research at 625e57e.
"""

from __future__ import annotations

from typing import NamedTuple

FIGURE_SCORES = ("mig", "dci_disentanglement")
"""What figures 6, 9 and 11 are of (plot_p01_all_experiments.py), each trial's best in training."""

BETAS_OF_FIGURE_9 = {"beta_vae": (0.00316, 0.001), "ada_gvae": (0.001, 0.001)}
"""By framework the beta (mean form) below spacing 3 and from it on that figure 9 shows, of those
that were run (plot_p01_all_experiments.py; a comment in it says below spacing 6)."""
FIRST_SPACING_OF_THE_SECOND = 3


class Experiment(NamedTuple):
    """A row of table 4."""

    title: str
    trials: int
    steps: int
    hours: float


# Supplement, table 4: "~4 h" and "~2 h" a trial.
EXPERIMENTS = {
    6: Experiment("5.3. Adversarial Experiments (Figure 6)", 160, 18_432_000, 640.0),
    9: Experiment("5.4. Varying Levels of Overlap (Figure 9)", 160, 9_216_000, 320.0),
    11: Experiment("6.1. Augmented Loss Experiments (Figure 11)", 40, 2_304_000, 80.0),
}
"""By the figure that is of them."""
TOTAL_HOURS = 1_040.0
"""Supplement, C.4."""

# Supplement, table 1: mean and standard deviation of the distances between 50,000 pairs of images
# along a factor, and of random pairs; by dataset as it is named here. (Which rows are
# whose is by the comments in disent's code: the names of the sets stand beside others in the text.)
_SQUARE = (0.0104, 0.0)
FACTOR_IMPORTANCE: dict[str, dict[str, tuple[float, float]]] = {
    "cars3d": {
        "random": (0.0519, 0.0188),
        "azimuth": (0.0355, 0.0185),
        "object": (0.0349, 0.0176),
        "elevation": (0.0174, 0.0100),
    },
    "shapes3d": {
        "random": (0.2432, 0.0918),
        "wall_hue": (0.1122, 0.0661),
        "floor_hue": (0.1086, 0.0623),
        "object_hue": (0.0416, 0.0292),
        "shape": (0.0207, 0.0161),
        "scale": (0.0182, 0.0153),
        "orientation": (0.0116, 0.0079),
    },
    "smallnorb_michlo": {
        "random": (0.0535, 0.0529),
        "lighting": (0.0531, 0.0563),
        "category": (0.0113, 0.0066),
        "rotation": (0.0090, 0.0071),
        "instance": (0.0068, 0.0048),
        "elevation": (0.0034, 0.0030),
    },
    "dsprites": {
        "random": (0.0754, 0.0289),
        "y": (0.0584, 0.0378),
        "x": (0.0559, 0.0363),
        "scale": (0.0250, 0.0148),
        "shape": (0.0214, 0.0095),
        "orientation": (0.0172, 0.0106),
    },
    "xysquares": {
        "random": (0.0308, 0.0022),
        **{name: _SQUARE for name in ("x_R", "y_R", "x_G", "y_G", "x_B", "y_B")},
    },
}
# The stand-in is drawn to come out as dSprites.
FACTOR_IMPORTANCE["dsprites_rendered"] = FACTOR_IMPORTANCE["dsprites"]

# Of sets that are in no table: comments in disent's code (8f061a8,
# plot_dataset_traversal_dists.py).
IMPORTANCE_IN_CODE: dict[str, dict[str, tuple[float, float]]] = {
    "xyobject": {
        "random": (0.0145, 0.0111),
        "y": (0.0116, 0.0139),
        "x": (0.0115, 0.0140),
        "color": (0.0088, 0.0084),
        "scale": (0.0051, 0.0056),
    },
    "xyobject, shaded": {
        "random": (0.0145, 0.0111),
        "y": (0.0124, 0.0140),
        "x": (0.0122, 0.0144),
        "color": (0.0090, 0.0101),
        "scale": (0.0050, 0.0055),
        "intensity": (0.0033, 0.0039),
    },
}
