"""A code table of some rows: what a trial leaves where few rows are all that its metrics draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metrics.table import (
    AbstractTable,
    Floats,
    Integers,
    check_drawable,
    check_factor_sizes,
    check_latents,
    check_logvar_shape,
    check_values,
)


class MissingRows(ValueError):
    """A metric draws rows that a sparse table does not hold."""


@dataclass(frozen=True, eq=False)
class SparseTable(AbstractTable):
    """The representation of some rows of a factor grid with replicates, as of a `CodeTable`.

    codes: float32 [M, Z], M from 1 up. encoded_rows: int64 [M], ascending, which rows they are of.
    factor_sizes, replicates: those of the whole table. logvar: float32 [M, Z] or None. sampled: as
    of a `CodeTable`.

    A metric that draws other rows than these raises MissingRows. ValueError, in one line, where the
    arrays do not fit together or are not finite.
    """

    codes: Floats
    encoded_rows: Integers
    factor_sizes: tuple[int, ...]
    replicates: int = 1
    logvar: Floats | None = None
    sampled: bool = False

    def __post_init__(self) -> None:
        check_factor_sizes(self.factor_sizes)
        check_sparse_shapes(self.codes.shape, self.encoded_rows.shape)
        check_values("codes", self.codes, "M, Z")
        rows = self.encoded_rows
        if self.replicates < 1 or rows[0] < 0 or rows[-1] >= self.num_rows:
            raise ValueError(
                f"encoded_rows holds {rows[0]} to {rows[-1]}; factor_sizes "
                f"{list(self.factor_sizes)} and {self.replicates} replicates make {self.num_rows}"
            )
        if np.any(rows[1:] <= rows[:-1]):
            raise ValueError("encoded_rows is not ascending; valid: each row once, in order")
        if self.logvar is not None:
            check_logvar_shape(self.logvar.shape, self.codes.shape)
            check_values("logvar", self.logvar, "M, Z")
        if self.sampled:
            check_drawable(self.logvar)

    @property
    def latents(self) -> int:
        return int(self.codes.shape[1])

    def look_up(self, rows: Integers) -> tuple[Floats, Floats | None, Integers]:
        places = np.searchsorted(self.encoded_rows, rows)
        np.minimum(places, len(self.encoded_rows) - 1, out=places)
        missing = self.encoded_rows[places] != rows
        if missing.any():
            raise MissingRows(
                f"row {rows[missing][0]} is not among the {len(self.encoded_rows):,} of "
                f"{self.num_rows:,} that were encoded, for other metrics, sizes or seeds"
            )
        return self.codes, self.logvar, places


def check_sparse_shapes(codes: tuple[int, ...], encoded_rows: tuple[int, ...]) -> None:
    """ValueError for codes that are not [M, Z] of as many rows, M from 1 up."""
    if len(codes) != 2 or not codes[0]:
        raise ValueError(
            f"codes has shape {list(codes)}; valid: [M, Z] of M encoded rows, 1 or more"
        )
    check_latents("codes", codes[1])
    if encoded_rows != codes[:1]:
        raise ValueError(
            f"encoded_rows has shape {list(encoded_rows)}; valid: [{codes[0]}], a number a row"
        )
