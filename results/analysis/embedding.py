"""Codes along each factor in two dimensions: Fil et al. 2021, section 3.1.4, figure 5."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

Codes = Mapping[str, npt.NDArray[np.floating]]
"""By factor, [positions, Z]: one factor is traversed while the others rest in the middle."""


def embedded(codes: Codes) -> tuple[pd.DataFrame, float]:
    """factor, position, first, second: the first two principal components of all these codes.

    And the share of their variance that the two have. Components have the sign that makes the
    largest loading positive, so that pictures of one representation are one.
    """
    joined = _joined(codes)
    centred = joined - joined.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    places = np.zeros((len(joined), 2))
    places[:, : len(directions)] = centred @ directions.T
    variance = (singular**2).sum()
    frame = pd.DataFrame(
        {
            "factor": np.repeat(list(codes), [len(along) for along in codes.values()]),
            "position": np.concatenate([np.arange(len(along)) for along in codes.values()]),
            "first": places[:, 0],
            "second": places[:, 1],
        }
    )
    return frame, float((singular[:2] ** 2).sum() / variance) if variance > 0 else 1.0


def extent(codes: Codes) -> float:
    """How far the codes reach: the root of their mean square distance from their mean."""
    joined = _joined(codes)
    return float(np.sqrt(((joined - joined.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _joined(codes: Codes) -> npt.NDArray[np.float64]:
    return np.concatenate([np.asarray(along, dtype=np.float64) for along in codes.values()])
