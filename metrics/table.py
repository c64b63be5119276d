"""The code table, and drawing rows of it: what most metrics see of a model and a dataset.

A metric draws rows by the functions below, and sees codes through `codes_at` and `looked_up` alone.
So it is told the same by a table that holds only the rows that it draws (`metrics.sparse`), and by
one that writes down which these are (`metrics.rows`).

The factor grid is row-major, last factor fastest. The rows of a table are the factor grid with one
more axis in front, the replicate r = 0..R-1 of the nuisance, which no metric scores: row r*N + i is
replicate r of factor cell i. A uniform row is thus a uniform cell with a replicate of its own.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_LATENTS = 1_000
MAX_LOGVAR = 100
INTEGERS = ("factor_sizes", "labels", "encoded_rows", "replicates")

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class AbstractTable(ABC):
    """A factor grid with replicates, and codes to look up by row."""

    factor_sizes: tuple[int, ...]
    sampled: bool

    @property
    @abstractmethod
    def replicates(self) -> int:
        """R: how many rows there are of each cell."""

    @property
    @abstractmethod
    def latents(self) -> int: ...

    @abstractmethod
    def look_up(self, rows: Integers) -> tuple[Floats, Floats | None, Integers]:
        """(codes float32 [M, Z], log-variances likewise, places int64 as `rows`).

        The places are where, in the two, those of `rows` are. Without variances: None.
        """

    @property
    def num_rows(self) -> int:
        """R*N, whether codes are held of all of them or not."""
        return self.replicates * math.prod(self.factor_sizes)

    @property
    def strides(self) -> Integers:
        """int64 [F]: how far apart two rows are that differ by one step of a factor."""
        sizes = self.factor_sizes
        return np.array([math.prod(sizes[k + 1 :]) for k in range(len(sizes))], dtype=np.int64)

    @property
    def varying(self) -> Integers:
        """int64: the factors with two or more positions, the only ones that are scored."""
        return np.flatnonzero(np.array(self.factor_sizes) > 1)


@dataclass(frozen=True, eq=False)
class CodeTable(AbstractTable):
    """The representation of every cell of a factor grid.

    codes: float32 [R, N, Z]; codes[r, i] is the representation of replicate r at factor index i.
    factor_sizes: the number of positions of each of the F factors; their product is N.
    logvar: float32 [R, N, Z], the log-variances of the posteriors whose means `codes` are, or None.
    sampled: whether the representation is a draw from the posterior: a new one at each look-up, as
        an encoder in use makes it. (One draw a cell, kept, would be learned by heart where a metric
        learns from some rows and is judged on others of the same cells.)

    ValueError, in one line, where the three do not fit together, are not finite, have more than
    1,000 latents, or where no factor has two positions: there is nothing to score then.
    """

    codes: Floats
    factor_sizes: tuple[int, ...]
    logvar: Floats | None = None
    sampled: bool = False

    def __post_init__(self) -> None:
        check_shapes(self.codes.shape, self.factor_sizes)
        check_values("codes", self.codes, "R, N, Z")
        if self.logvar is not None:
            check_logvar_shape(self.logvar.shape, self.codes.shape)
            check_values("logvar", self.logvar, "R, N, Z")
        if self.sampled:
            check_drawable(self.logvar)

    @classmethod
    def checked(
        cls,
        codes: npt.NDArray[Any],
        factor_sizes: Sequence[int] | npt.NDArray[Any],
        logvar: npt.NDArray[Any] | None = None,
    ) -> CodeTable:
        """From arrays made elsewhere: floats of any width, [N, Z] standing for [1, N, Z].

        Everything is kept as float32. ValueError as for the class, and for arrays that do not hold
        floats (codes, logvar) or integers (factor_sizes).
        """
        sizes = np.asarray(factor_sizes)
        check_types(codes=codes.dtype, factor_sizes=sizes.dtype)
        if logvar is not None:
            check_types(logvar=logvar.dtype)
        if sizes.ndim != 1:
            raise ValueError(f"factor_sizes has {sizes.ndim} dimensions; valid: 1, a size a factor")
        return cls(
            with_replicates(as_float32(codes)),
            tuple(int(size) for size in sizes),
            None if logvar is None else with_replicates(as_float32(logvar)),
        )

    @property
    def rows(self) -> Floats:
        """float32 [R*N, Z], a view."""
        return self.codes.reshape(-1, self.latents)

    @property
    def replicates(self) -> int:
        return int(self.codes.shape[0])

    @property
    def latents(self) -> int:
        return int(self.codes.shape[2])

    def look_up(self, rows: Integers) -> tuple[Floats, Floats | None, Integers]:
        logvar = None if self.logvar is None else self.logvar.reshape(-1, self.latents)
        return self.rows, logvar, rows


def check_types(**dtypes: np.dtype[Any]) -> None:
    """ValueError for an array of the wrong type: INTEGERS hold integers, the others floats."""
    for name, dtype in dtypes.items():
        kinds, valid = ("iu", "integers") if name in INTEGERS else ("f", "floats")
        if dtype.kind not in kinds:
            raise ValueError(f"{name} has dtype {dtype}; valid: {valid}")


def check_shapes(codes: tuple[int, ...], factor_sizes: Sequence[int]) -> None:
    """ValueError for codes that are not [R, N, Z] (or [N, Z]) with N the product of the sizes."""
    check_factor_sizes(factor_sizes)
    if len(codes) not in (2, 3):
        raise ValueError(f"codes has {len(codes)} dimensions; valid: [N, Z] or [R, N, Z]")
    *replicates, rows, latents = codes
    if rows != (cells := math.prod(factor_sizes)):
        raise ValueError(
            f"codes has {rows} rows; factor_sizes {list(factor_sizes)} make {cells} (their product)"
        )
    if replicates == [0]:
        raise ValueError("codes has 0 replicates; valid: 1 or more")
    check_latents("codes", latents)


def check_factor_sizes(factor_sizes: Sequence[int]) -> None:
    if not factor_sizes or min(factor_sizes) < 1 or max(factor_sizes) < 2:
        raise ValueError(
            f"factor_sizes is {list(factor_sizes)}; valid: sizes of 1 or more, at least one above 1"
        )


def check_latents(name: str, latents: int) -> None:
    if not 1 <= latents <= MAX_LATENTS:
        raise ValueError(f"{name} has {latents} latents; valid: 1 to {MAX_LATENTS:,}")


def check_logvar_shape(logvar: tuple[int, ...], codes: tuple[int, ...]) -> None:
    if logvar != codes:
        raise ValueError(f"logvar has shape {list(logvar)}; valid: {list(codes)}, as codes")


def check_drawable(logvar: Floats | None) -> None:
    """ValueError where no codes can be drawn: without log-variances, or with absurd ones."""
    if logvar is None:
        raise ValueError("there is no logvar to draw codes with; valid: mean codes")
    if (largest := logvar.max()) > MAX_LOGVAR:
        raise ValueError(f"logvar holds {largest:g}; valid: at most {MAX_LOGVAR}, to draw codes")


def check_values(name: str, values: Floats, axes: str) -> None:
    """ValueError for anything but finite float32 with the named axes, "R, N, Z" say."""
    if values.dtype != np.float32 or values.ndim != len(axes.split(",")):
        raise ValueError(
            f"{name} is {values.dtype} with {values.ndim} dimensions; valid: float32 [{axes}]"
        )
    # The extremes are NaN if any value is, and cost no memory.
    if not (math.isfinite(values.min()) and math.isfinite(values.max())):
        raise ValueError(f"{name} holds NaN, Inf or a number too large for float32")


def as_float32(values: npt.NDArray[Any]) -> Floats:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def with_replicates(values: Floats) -> Floats:
    """[N, Z] as [1, N, Z], a view."""
    return values[None] if values.ndim == 2 else values


def generator(seed: int, metric: str) -> np.random.Generator:
    """The random numbers of one metric; with one seed, no two metrics draw the same."""
    return np.random.Generator(np.random.PCG64([seed, int.from_bytes(metric.encode())]))


def draw_rows(table: AbstractTable, rng: np.random.Generator, count: int) -> Integers:
    """int64 [count]: rows drawn independently and with replacement."""
    return rng.integers(table.num_rows, size=count)


def draw_rows_with_one_factor_fixed(
    table: AbstractTable, rng: np.random.Generator, batches: int, batch_size: int
) -> tuple[Integers, Integers]:
    """(factors int64 [batches], rows int64 [batches, batch_size]).

    Each batch picks one of the factors that vary, and its rows share that factor's position.
    """
    factors = table.varying[rng.integers(len(table.varying), size=batches)]
    return factors, draw_rows_with_factors_fixed(table, rng, factors, batch_size)


def draw_rows_with_factors_fixed(
    table: AbstractTable, rng: np.random.Generator, factors: Integers, batch_size: int
) -> Integers:
    """int64 [B, batch_size]: a batch of rows for each of `factors`, int64 [B].

    A batch's rows are drawn as by `draw_rows`, and then take its factor's position from the first.
    """
    rows = rng.integers(table.num_rows, size=(len(factors), batch_size))
    strides = table.strides[factors, None]
    # In place: these arrays are the most that a metric ever holds.
    steps = rows // strides
    steps %= np.array(table.factor_sizes)[factors, None]
    steps -= steps[:, :1].copy()
    steps *= strides
    rows -= steps
    return rows


def factors_at(table: AbstractTable, rows: Integers) -> Integers:
    """int64 [F, rows]: the position of every factor at the given rows."""
    sizes = np.array(table.factor_sizes)
    positions: Integers = rows // table.strides[:, None] % sizes[:, None]
    return positions


def codes_at(table: AbstractTable, rows: Integers, rng: np.random.Generator) -> Doubles:
    """float64 [..., Z]: the codes of rows of any shape, widened so that sums of them are exact.

    Of a sampled table mu + sigma epsilon, with an epsilon of its own for each place in `rows`.
    """
    held, held_logvar, places = table.look_up(rows)
    codes = np.take(held, places, axis=0).astype(np.float64)
    if table.sampled:
        assert held_logvar is not None
        logvar = np.take(held_logvar, places, axis=0)
        codes += np.exp(0.5 * logvar.astype(np.float64)) * rng.standard_normal(codes.shape)
    return codes


def looked_up(
    table: AbstractTable, rows: Integers, rng: np.random.Generator
) -> tuple[Floats, Integers]:
    """(float32 [M, Z], int64 as `rows`): codes, and where in them those of `rows` are.

    The table's own, which are not copied; of a sampled table a draw for each place in `rows`.
    """
    if not table.sampled:
        held, _, places = table.look_up(rows)
        return held, places
    codes = codes_at(table, rows.ravel(), rng).astype(np.float32)
    return codes, np.arange(rows.size).reshape(rows.shape)
