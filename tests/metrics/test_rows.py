"""A table of the rows that a metric draws gives the scores of the whole one, bit for bit."""

from __future__ import annotations

import functools
import math
import sys
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metrics
from metrics import METRICS, metrics_for
from metrics.rows import rows_drawn
from metrics.sparse import MissingRows, SparseTable
from metrics.table import AbstractTable, CodeTable

DSPRITES = (3, 6, 40, 32, 32)
GRIDS = {"dsprites": (DSPRITES, 1), "replicates": ((7, 8, 9, 60), 3)}
WHOLE = {"beta_vae_fil", "beta_vae_fil_without_first"}
SLOW = {"downstream", "dci_sklearn"}
DRAWING = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in metrics_for("table")
    if name not in WHOLE
]


@functools.cache
def table_of(grid: str, kind: str) -> CodeTable:
    """Codes that tell of the factors but mixed and with noise, one of them dead; or all dead."""
    sizes, replicates = GRIDS[grid]
    rng = np.random.default_rng(0)
    positions = np.indices(sizes).reshape(len(sizes), -1).T / (np.array(sizes) - 1.0)
    codes = positions @ rng.standard_normal((len(sizes), 4))
    codes = codes + 0.1 * rng.standard_normal((replicates, *codes.shape))
    codes *= [1, 1, 1e-3, 1] if kind == "mixed" else [1e-6] * 4
    logvar = rng.uniform(-3, 1, codes.shape)
    return CodeTable.checked(codes.astype(np.float32), sizes, logvar.astype(np.float32))


def rows_of(names: list[str], table: AbstractTable, size: str, seed: int, *kinds: str) -> Any:
    return rows_drawn(
        names,
        table.factor_sizes,
        replicates=table.replicates,
        latents=table.latents,
        size=size,
        seed=seed,
        representations=kinds,
    )


def part_of(table: CodeTable, rows: Any, sampled: bool) -> SparseTable:
    assert table.logvar is not None
    logvar = table.logvar.reshape(table.rows.shape)[rows]
    return SparseTable(
        table.rows[rows], rows, table.factor_sizes, table.replicates, logvar, sampled
    )


def assert_same(name: str, table: CodeTable, representation: str, size: str, seed: int) -> None:
    sampled = representation == "sampled"
    part = part_of(table, rows_of([name], table, size, seed, representation), sampled)
    whole = CodeTable(table.codes, table.factor_sizes, table.logvar, sampled)
    expected = metrics.score(name, whole, size=size, seed=seed)
    assert metrics.score(name, part, size=size, seed=seed) == expected


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("representation", ["mean", "sampled"])
@pytest.mark.parametrize("grid", GRIDS)
def test_the_rows_drawn_are_all_that_a_metric_needs(
    name: str, representation: str, grid: str
) -> None:
    assert_same(name, table_of(grid, "mixed"), representation, "fast", seed=0)


@pytest.mark.parametrize("name", DRAWING)
def test_and_of_codes_that_do_not_vary(name: str) -> None:
    assert_same(name, table_of("replicates", "dead"), "mean", "fast", seed=2)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) for n in metrics_for("table") if n not in WHOLE],
)
@pytest.mark.parametrize("representation", ["mean", "sampled"])
def test_and_at_full_size(name: str, representation: str) -> None:
    if name == "dci_sklearn":
        pytest.skip("takes minutes; its rows are those of dci")
    assert_same(name, table_of("dsprites", "mixed"), representation, "full", seed=1)


@pytest.mark.parametrize("name", ["mig", "factor_vae", "flatness", "beta_vae"])
@settings(max_examples=15)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4).filter(lambda s: max(s) > 1),
    replicates=st.integers(1, 3),
    latents=st.integers(1, 5),
    sampled=st.booleans(),
    seed=st.integers(0, 2**64),
)
def test_and_of_any_grid(
    name: str, sizes: list[int], replicates: int, latents: int, sampled: bool, seed: int
) -> None:
    cells = math.prod(sizes)
    if cells > 300_000:
        return
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((2, replicates, cells, latents), dtype=np.float32)
    table = CodeTable(codes[0], tuple(sizes), codes[1])
    assert_same(name, table, "sampled" if sampled else "mean", "fast", seed)


def test_a_few_rows_of_dsprites_are_all_that_fast_scores_need() -> None:
    """Of 737,280; draws of the posteriors stand between those of rows, and change the latter."""

    def count(*names: str, kinds: tuple[str, ...] = ("mean",), size: str = "fast") -> int:
        return len(rows_of(list(names), table_of("dsprites", "mixed"), size, 0, *kinds))

    assert count("mig") == 1_996
    assert count("dci") == count("dci_sklearn") == 1_499
    assert count("factor_vae") == 65_082
    assert count("mig", "dci", "factor_vae") == 68_267
    assert count("mig", kinds=("mean", "sampled")) == 1_996
    assert count("factor_vae", kinds=("mean", "sampled")) > 120_000
    assert count("mig", size="full") == 9_927


@pytest.mark.parametrize("name", metrics_for("table"))
def test_only_what_draws_while_it_learns_has_the_whole_table_encoded(name: str) -> None:
    assert (rows_of([name], table_of("dsprites", "mixed"), "fast", 0, "mean") is None) == (
        name in WHOLE
    )


def test_a_metric_that_reads_the_table_itself_has_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(table: CodeTable, *, seed: int, samples: int) -> dict[str, float]:
        return {"own": float(table.codes.mean())}

    module = types.ModuleType("metrics.own")
    module.own = own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "metrics.own", module)
    monkeypatch.setitem(METRICS, "own", METRICS["mig"]._replace(module="own", scores=("own",)))
    table = table_of("replicates", "mixed")
    assert rows_of(["own"], table, "fast", 0, "mean") is None
    assert rows_of(["mig", "own"], table, "fast", 0, "mean") is None


def test_rows_are_ascending_and_those_of_several_metrics_together() -> None:
    table = table_of("replicates", "mixed")
    mig, dci = (rows_of([name], table, "fast", 0, "mean") for name in ("mig", "dci"))
    assert mig.dtype == np.int64 and (np.diff(mig) > 0).all() and mig.max() < table.num_rows
    both = rows_of(["mig", "dci"], table, "fast", 0, "mean")
    np.testing.assert_array_equal(both, np.union1d(mig, dci))


@pytest.mark.parametrize(("name", "size", "seed"), [("dci", "fast", 0), ("mig", "full", 0)])
def test_rows_that_are_not_there_are_an_error_in_one_line(name: str, size: str, seed: int) -> None:
    table = table_of("replicates", "mixed")
    part = part_of(table, rows_of(["mig"], table, "fast", 0, "mean"), sampled=False)
    with pytest.raises(MissingRows, match=r"^row \d+ is not among the 1,\d+ of 90,720 that were"):
        metrics.score(name, part, size=size, seed=seed)
