"""What is left of runs whose worse half is discarded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def best_half_mean(values: npt.ArrayLike, axis: int = -1) -> Any:
    """Mean of the larger half of the runs, of an odd number with the middle one.

    Higgins et al. 2017 report such means, as their appendix says; Fil et al. 2021, section 3.1.1.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=axis)
    runs = ordered.shape[axis]
    return np.take(ordered, range(runs // 2, runs), axis=axis).mean(axis=axis)
