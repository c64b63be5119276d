from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

import metrics
from metrics.table import (
    CodeTable,
    codes_at,
    draw_rows,
    draw_rows_with_factors_fixed,
    draw_rows_with_one_factor_fixed,
    factors_at,
    generator,
    looked_up,
)

DSPRITES = (3, 6, 40, 32, 32)
SHAPES3D = (10, 10, 10, 8, 4, 15)
XYSQUARES = (8,) * 6
CARS3D = (4, 24, 183)
CODES = np.zeros((6, 2), np.float32)


def table_of(sizes: tuple[int, ...], replicates: int = 1) -> CodeTable:
    """One latent, the row's own number."""
    rows = np.arange(replicates * math.prod(sizes), dtype=np.float32)
    return CodeTable(rows.reshape(replicates, -1, 1), sizes)


def five_sigma(expected: float) -> float:
    """Five standard deviations of a count with the given mean (Poisson)."""
    return 5 * math.sqrt(expected)


@pytest.mark.parametrize("sizes", [DSPRITES, SHAPES3D, XYSQUARES, CARS3D, (5,), (1, 2, 1)])
@pytest.mark.parametrize("replicates", [1, 3])
def test_factors_are_those_of_the_row_major_grid(sizes: tuple[int, ...], replicates: int) -> None:
    table = table_of(sizes, replicates)
    rows = np.random.default_rng(0).integers(len(table.rows), size=1_000)
    _, *expected = np.unravel_index(rows, (replicates, *sizes))
    np.testing.assert_array_equal(factors_at(table, rows), expected)


def test_codes_are_those_of_the_rows_in_double_precision() -> None:
    table = table_of((3, 2), replicates=2)
    codes = codes_at(table, np.array([[0, 11], [6, 0]]), np.random.default_rng(0))
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, [[[0], [11]], [[6], [0]]])


def test_a_sampled_table_gives_a_new_draw_of_the_posterior_at_each_look_up() -> None:
    rng = np.random.default_rng(0)
    mean, logvar = rng.normal(size=(2, 1, 10, 3)).astype(np.float32)
    table = CodeTable(mean, (2, 5), logvar, sampled=True)
    rows = np.repeat(np.arange(10), 2_000)
    drawn = codes_at(table, rows, rng)
    noise = (drawn - mean[0, rows]) / np.exp(logvar[0, rows] / 2)
    assert len(np.unique(noise)) == noise.size
    assert abs(noise.mean()) < 4.5 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(1, abs=4.5 / np.sqrt(2 * noise.size))
    traversal = np.array([[3, 3], [9, 3]])
    codes, places = looked_up(table, traversal, rng)
    assert codes.dtype == np.float32 and places.shape == (2, 2) and len(np.unique(codes)) == 12
    assert np.abs(codes[places] - mean[0, traversal]).max() < 6 * np.exp(logvar.max() / 2)


def test_a_table_of_means_draws_nothing() -> None:
    means = np.arange(12, dtype=np.float32).reshape(6, 2)
    table = CodeTable(means[None], (2, 3), logvar=means[None])
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    rows = np.array([4, 0, 4])
    np.testing.assert_array_equal(codes_at(table, rows, rng), means[rows])
    codes, places = looked_up(table, rows, rng)
    assert np.shares_memory(codes, table.codes) and places is rows
    assert rng.bit_generator.state == before


@pytest.mark.parametrize(
    ("logvar", "message"),
    [(None, "there is no logvar to draw codes with"), (150 + 0 * CODES, "logvar holds 150; valid")],
)
def test_a_table_that_cannot_be_drawn_from_is_refused(logvar: Any, message: str) -> None:
    table = CodeTable.checked(CODES, [2, 3], logvar)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(table, sampled=True)


def test_every_cell_and_every_replicate_is_drawn_equally_often() -> None:
    table = table_of((3, 4), replicates=3)
    counts = np.bincount(draw_rows(table, generator(0, "test"), 36_000), minlength=36)
    assert len(counts) == 36
    assert np.all(np.abs(counts - 1_000) < five_sigma(1_000))


@pytest.mark.parametrize("sizes", [DSPRITES, SHAPES3D, XYSQUARES, CARS3D])
@pytest.mark.parametrize("replicates", [1, 3])
def test_a_batch_shares_exactly_its_fixed_factor(sizes: tuple[int, ...], replicates: int) -> None:
    table = table_of(sizes, replicates)
    factors, rows = draw_rows_with_one_factor_fixed(table, generator(0, "test"), 300, 64)
    assert factors.shape == (300,) and rows.shape == (300, 64)
    assert rows.min() >= 0 and rows.max() < len(table.rows)
    replicate, *positions = np.unravel_index(rows, (replicates, *sizes))
    for k, position in enumerate(positions):
        shared = np.all(position == position[:, :1], axis=1)
        np.testing.assert_array_equal(shared, factors == k)
    assert all(len(set(batch)) == replicates for batch in replicate.tolist())


def test_the_fixed_factor_its_position_and_the_other_positions_are_uniform() -> None:
    table = table_of((2, 3, 4), replicates=2)
    factors, rows = draw_rows_with_one_factor_fixed(table, generator(0, "test"), 12_000, 3)
    assert np.all(np.abs(np.bincount(factors) - 4_000) < five_sigma(4_000))
    counts = np.bincount(rows[factors == 1, 2], minlength=48)
    assert np.all(np.abs(counts - np.sum(factors == 1) / 48) < five_sigma(4_000 / 48))


def test_a_factor_with_one_position_is_never_the_fixed_one() -> None:
    factors, _ = draw_rows_with_one_factor_fixed(
        table_of((1, 3, 1, 4)), generator(0, "test"), 200, 2
    )
    assert set(factors.tolist()) == {1, 3}


def test_batches_of_given_factors_are_those_of_factors_picked_at_random() -> None:
    table = table_of((2, 3, 4), replicates=2)
    picked = generator(0, "test")
    factors, rows = draw_rows_with_one_factor_fixed(table, picked, 50, 8)
    given = generator(0, "test")
    given.integers(3, size=50)
    np.testing.assert_array_equal(draw_rows_with_factors_fixed(table, given, factors, 8), rows)


def test_random_numbers_follow_from_seed_and_metric() -> None:
    draws = {
        (seed, metric): generator(seed, metric).integers(2**62)
        for seed in (0, 1, 2**63)
        for metric in metrics.METRICS
    }
    assert len(set(draws.values())) == len(draws)
    assert generator(1, "mig").integers(2**62) == draws[1, "mig"]


def test_arrays_from_elsewhere_become_float32_with_a_replicate_axis() -> None:
    codes = np.arange(12, dtype=np.float64).reshape(6, 2)
    table = CodeTable.checked(codes, [2, 3], logvar=-codes.astype(">f2"))
    assert table.codes.dtype == np.float32 and table.codes.shape == (1, 6, 2)
    assert table.logvar is not None and table.logvar.dtype == np.float32
    np.testing.assert_array_equal(table.codes[0], codes)
    np.testing.assert_array_equal(table.logvar[0], -codes)
    assert table.factor_sizes == (2, 3)


def test_checking_float32_codes_does_not_copy_them() -> None:
    codes = np.zeros((2, 6, 2), np.float32)
    table = CodeTable.checked(codes, np.array([2, 3], np.uint8))
    assert np.shares_memory(table.codes, codes) and np.shares_memory(table.rows, codes)


def with_value(value: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    codes = np.zeros((6, 2))
    codes[4, 1] = value
    return codes


@pytest.mark.parametrize(
    ("codes", "sizes", "message"),
    [
        (with_value(np.nan), [2, 3], "codes holds NaN, Inf or a number too large for float32"),
        (with_value(np.inf), [2, 3], "codes holds NaN, Inf"),
        (with_value(-np.inf), [2, 3], "codes holds NaN, Inf"),
        (with_value(1e39), [2, 3], "a number too large for float32"),
        (CODES, [2, 4], r"codes has 6 rows; factor_sizes \[2, 4\] make 8 \(their product\)"),
        (CODES[None, None], [2, 3], "codes has 4 dimensions"),
        (CODES[:, 0], [2, 3], "codes has 1 dimensions"),
        (CODES[:, :0], [2, 3], "codes has 0 latents; valid: 1 to 1,000"),
        (np.zeros((6, 1_001), np.float32), [2, 3], "codes has 1001 latents; valid: 1 to 1,000"),
        (np.zeros((0, 6, 2), np.float32), [2, 3], "codes has 0 replicates"),
        (CODES.astype(int), [2, 3], "codes has dtype int64; valid: floats"),
        (CODES.astype(object), [2, 3], "codes has dtype object; valid: floats"),
        (CODES.astype(complex), [2, 3], "codes has dtype complex128; valid: floats"),
        (CODES, [2.0, 3.0], "factor_sizes has dtype float64; valid: integers"),
        (CODES, [True, True], "factor_sizes has dtype bool; valid: integers"),
        (CODES, [[2, 3]], "factor_sizes has 2 dimensions"),
        (CODES, np.array([], int), r"factor_sizes is \[\]"),
        (CODES, [-2, -3], r"factor_sizes is \[-2, -3\]; valid: sizes of 1 or more"),
        (CODES[:0], [0, 3], r"factor_sizes is \[0, 3\]"),
        (CODES[:1], [1, 1], r"factor_sizes is \[1, 1\]; .* at least one above 1"),
    ],
)
def test_a_table_that_is_wrong_is_refused_in_one_line(
    codes: np.ndarray[Any, Any], sizes: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        CodeTable.checked(codes, sizes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("logvar", "message"),
    [
        (CODES[:, :1], r"logvar has shape \[1, 6, 1\]; valid: \[1, 6, 2\], as codes"),
        (with_value(np.nan), "logvar holds NaN"),
        (CODES.astype(int), "logvar has dtype int64; valid: floats"),
    ],
)
def test_a_logvar_that_is_wrong_is_refused(logvar: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CodeTable.checked(CODES, [2, 3], logvar)


def test_the_class_itself_takes_only_what_it_says() -> None:
    with pytest.raises(ValueError, match="codes is float64 with 3 dimensions; valid: float32"):
        CodeTable(np.zeros((1, 6, 2)), (2, 3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="codes is float32 with 2 dimensions"):
        CodeTable(CODES, (2, 3))
