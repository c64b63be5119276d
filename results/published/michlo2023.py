"""Numbers of Michlo et al. 2023."""

from __future__ import annotations

# Michlo et al. 2023, supplement, table 1: mean and standard deviation of the distances between
# 50,000 pairs of images along a factor, and of random pairs; by dataset as it is named here. (In
# the printed table the names of the datasets stand some rows too low.)
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
