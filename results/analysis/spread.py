"""How much a score depends on a setting: Song 2018, figures 4.2, 4.4, 4.6 and 4.8, left panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.analysis.cell_means import Doubles, over_cells


class Cells(NamedTuple):
    """The values of the runs of each place and beta, places x betas, by rising place and beta."""

    places: tuple[float, ...]
    betas: tuple[float, ...]
    values: list[list[Any]]

    def flat(self) -> list[Any]:
        return [cell for row in self.values for cell in row]

    def shaped(self, means: Doubles) -> Doubles:
        """[resamples, cells, ...] of `flat` as [resamples, places, betas, ...]."""
        shape = len(means), len(self.places), len(self.betas), *means.shape[2:]
        return means.reshape(shape)

    def at(self, places: Sequence[float]) -> Cells:
        """Of some of the places."""
        kept = [i for i, place in enumerate(self.places) if place in places]
        return Cells(
            tuple(self.places[i] for i in kept), self.betas, [self.values[i] for i in kept]
        )


def cells_of(rows: pd.DataFrame, planned: pd.DataFrame, values: str | list[str] = "value") -> Cells:
    """The cells of the betas that are planned at every place, of the places where each has a run.

    Both frames have `place` and `beta`; of other betas a spread would be of another thing.
    """
    by_place = planned.groupby("place")["beta"].agg(frozenset)
    betas = sorted(frozenset.intersection(*by_place)) if len(by_place) else []
    there = {key: cell[values].to_numpy(float) for key, cell in rows.groupby(["place", "beta"])}
    places = [p for p in sorted(by_place.index) if all((p, b) in there for b in betas)]
    return Cells(tuple(places), tuple(betas), [[there[p, b] for b in betas] for p in places])


def spread(means: npt.NDArray[np.float64]) -> Doubles:
    """sqrt(mean_b (m_b - mean_b m_b)^2) over the means m_b of the betas, the last axis.

    The population's standard deviation (ddof 0), as in the thesis.
    """
    found: Doubles = np.std(means, axis=-1)
    return found


def spread_by_place(cells: Cells) -> pd.DataFrame:
    """place, value, low, high, n: the spread over beta at each place, where there are two betas.

    The differences between runs add to it: it is above 0 also where beta does nothing.
    """
    rows = [
        (place, *over_cells(row, spread))
        for place, row in zip(cells.places, cells.values, strict=True)
        if len(cells.betas) > 1
    ]
    return pd.DataFrame(rows, columns=["place", "value", "low", "high", "n"])
