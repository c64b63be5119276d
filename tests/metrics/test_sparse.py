from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from metrics.sparse import MissingRows, SparseTable
from metrics.table import codes_at, looked_up

CODES = np.arange(8, dtype=np.float32).reshape(4, 2)
ROWS = np.array([1, 4, 5, 11])


def test_codes_are_found_by_the_rows_of_the_whole_table() -> None:
    table = SparseTable(CODES, ROWS, (2, 3), replicates=2)
    assert (table.num_rows, table.replicates, table.latents) == (12, 2, 2)
    rng = np.random.default_rng(0)
    found = codes_at(table, np.array([[5, 1], [11, 11]]), rng)
    np.testing.assert_array_equal(found, [[[4, 5], [0, 1]], [[6, 7], [6, 7]]])
    codes, places = looked_up(table, np.array([4, 1]), rng)
    assert np.shares_memory(codes, CODES)
    np.testing.assert_array_equal(places, [1, 0])


@pytest.mark.parametrize("row", [0, 3, 6, 10])
def test_other_rows_are_missing(row: int) -> None:
    table = SparseTable(CODES, ROWS, (2, 3), replicates=2)
    with pytest.raises(MissingRows, match=f"^row {row} is not among the 4 of 12 that were encoded"):
        codes_at(table, np.array([1, row]), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": CODES * np.float32(np.nan)}, "codes holds NaN"),
        ({"codes": CODES[None]}, r"codes has shape \[1, 4, 2\]; valid: \[M, Z\]"),
        ({"codes": CODES[:0]}, r"codes has shape \[0, 2\]; valid"),
        ({"codes": CODES.astype(np.float64)}, "codes is float64"),
        ({"encoded_rows": ROWS[:3]}, r"encoded_rows has shape \[3\]; valid: \[4\]"),
        (
            {"encoded_rows": ROWS + 1},
            r"encoded_rows holds 2 to 12; factor_sizes \[2, 3\] and 2 rep",
        ),
        ({"encoded_rows": ROWS - 2}, "encoded_rows holds -1 to 9"),
        ({"encoded_rows": np.array([1, 4, 4, 11])}, "encoded_rows is not ascending"),
        ({"factor_sizes": (1, 1)}, r"factor_sizes is \[1, 1\]"),
        ({"replicates": 1}, "encoded_rows holds 1 to 11"),
        ({"replicates": 0}, "encoded_rows holds 1 to 11"),
        ({"logvar": CODES[:2]}, r"logvar has shape \[2, 2\]; valid: \[4, 2\]"),
        ({"sampled": True}, "there is no logvar to draw codes with"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(changes: Any, message: str) -> None:
    right = {"codes": CODES, "encoded_rows": ROWS, "factor_sizes": (2, 3), "replicates": 2}
    with pytest.raises(ValueError, match=message) as caught:
        SparseTable(**{**right, **changes})
    assert "\n" not in str(caught.value)
