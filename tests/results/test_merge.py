from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.merge import best, merged
from results.schema import SCHEMAS


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMAS[name])


def trial(attempt_id: str, status: str, minute: int = 0, trial_id: str = "a") -> dict[str, Any]:
    return {
        "trial_id": trial_id,
        "status": status,
        "attempt_id": attempt_id,
        "finished_at": dt.datetime(2026, 1, 1, 0, minute, tzinfo=dt.UTC),
    }


def winner(*rows: dict[str, Any]) -> str:
    [row] = best("trials", table("trials", list(rows))).to_pylist()
    return str(row["attempt_id"])


def test_completed_and_diverged_beat_failed_whenever_they_come() -> None:
    assert winner(trial("1", "failed", 1), trial("2", "completed", 2)) == "2"
    assert winner(trial("1", "diverged", 1), trial("2", "failed", 2)) == "1"


def test_the_first_completed_row_wins() -> None:
    assert winner(trial("2", "completed", 1), trial("1", "completed", 2)) == "1"


def test_the_failed_row_of_the_newest_epoch_wins_whatever_its_clock_said() -> None:
    rows = trial("000002-failed", "failed", 1), trial("000001-failed", "failed", 2)
    assert winner(*rows) == winner(*reversed(rows)) == "000002-failed"


def test_scores_of_one_key_are_one_score() -> None:
    score = {
        "trial_id": "a",
        "step": 1,
        "representation": "mean",
        "metric": "mig",
        "metric_version": 1,
        "score": "mig",
        "size": "full",
        "seed": 0,
        "value": 0.5,
    }
    rows = [
        score | {"attempt_id": "2"},
        score | {"attempt_id": "1"},
        score | {"attempt_id": "3", "size": "fast"},
        score | {"attempt_id": "3", "metric_version": 2},
    ]
    found = best("scores", table("scores", rows)).to_pylist()
    assert [row["attempt_id"] for row in found] == ["1", "3", "3"]


def test_a_closed_account_beats_beats_and_a_later_beat_an_earlier_one() -> None:
    def account(wall_seconds: float, lower_bound: bool, outcome: str) -> dict[str, Any]:
        return {
            "attempt_id": "1",
            "trial_id": "a",
            "wall_seconds": wall_seconds,
            "lower_bound": lower_bound,
            "outcome": outcome,
        }

    rows = [account(9, True, "lost"), account(8, False, "completed"), account(7, True, "lost")]
    [found] = best("attempts", table("attempts", rows)).to_pylist()
    assert found["outcome"] == "completed"
    rows = [account(9, True, "running"), account(9, True, "lost"), account(7, True, "running")]
    [found] = best("attempts", table("attempts", rows)).to_pylist()
    assert found["outcome"] == "lost"


@pytest.mark.parametrize("name", ["trials", "scores", "attempts"])
def test_nothing_merged_with_nothing_is_the_empty_table(name: str) -> None:
    empty = table(name, [])
    assert merged(name, empty, empty).equals(empty)


ROWS = st.lists(
    st.builds(
        trial,
        attempt_id=st.sampled_from("123456"),
        status=st.sampled_from(["completed", "diverged", "failed"]),
        minute=st.integers(0, 5),
        trial_id=st.sampled_from("abc"),
    ),
    unique_by=lambda row: (row["trial_id"], row["attempt_id"]),
)


@given(ROWS, st.data())
def test_rows_in_any_order_any_batches_and_any_number_of_times_give_the_same_table(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    def by_trial(found: pa.Table) -> list[dict[str, Any]]:
        return sorted(found.to_pylist(), key=lambda row: row["trial_id"])

    expected = by_trial(best("trials", table("trials", rows)))
    shuffled = data.draw(st.permutations(rows + rows[::2]))
    known = table("trials", [])
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        known = merged("trials", known, table("trials", shuffled[:size]))
        shuffled = shuffled[size:]
    assert by_trial(known) == expected
