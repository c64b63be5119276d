from __future__ import annotations

import itertools
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.hours import ALL_STAGES, Span, account, by_stage, by_trial, fractions
from results.schema import ATTEMPTS, SCORES, STAGES, TRIALS


def frame(schema: pa.Schema, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [[row.get(name) for name in schema.names] for row in rows], columns=schema.names
    )


def attempt(attempt_id: str, **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "attempt_id": attempt_id,
        "trial_id": "t",
        "kind": "trial",
        "start_step": 0,
        "steps_done": 100,
        "gpu_share": 1.0,
        "cpus": 1.0,
        **{f"{stage}_seconds": 0.0 for stage in STAGES},
        "wall_seconds": 0.0,
        "outcome": "completed",
        **more,
    }
    row["wall_seconds"] += sum(row[f"{stage}_seconds"] for stage in STAGES)
    return row


def made(attempt_id: str, trial_id: str = "t", status: str = "completed") -> dict[str, Any]:
    return {"trial_id": trial_id, "status": status, "attempt_id": attempt_id}


def accounted(
    attempts: list[dict[str, Any]],
    trials: list[dict[str, Any]],
    scores: list[dict[str, Any]] | None = None,
) -> pd.DataFrame:
    return account(frame(ATTEMPTS, attempts), frame(TRIALS, trials), frame(SCORES, scores or []))


def test_an_uninterrupted_attempt_is_useful_as_a_whole() -> None:
    found = accounted([attempt("1", train_seconds=3600.0)], [made("1")])
    assert found["useful_fraction"].tolist() == [1.0]
    assert list(by_trial(found).loc["t"]) == [3600.0, 1.0, 1.0]


def test_of_a_lost_attempt_what_was_resumed_is_useful() -> None:
    """500 steps, then another attempt from the checkpoint at 400: four fifths were kept."""
    found = accounted(
        [
            attempt("1", steps_done=500, outcome="lost", train_seconds=500.0),
            attempt("2", resumed_from="1", start_step=400, steps_done=1000, train_seconds=600.0),
        ],
        [made("2")],
    )
    assert found["useful_fraction"].tolist() == [0.8, 1.0]
    assert by_trial(found)["train_seconds"]["t"] == 1000.0


def test_a_fall_back_to_an_older_checkpoint_wastes_what_came_after_it() -> None:
    spans = {
        ("1", "t"): Span(None, 0, 300),
        ("2", "t"): Span("1", 300, 500),
        ("3", "t"): Span("2", 250, 1000),
    }
    found = fractions(spans, [("3", "t")])
    assert found == {("3", "t"): 1.0, ("2", "t"): 0.0, ("1", "t"): 250 / 300}


def test_a_beat_older_than_the_checkpoint_does_not_make_more_than_all_useful() -> None:
    spans = {("1", "t"): Span(None, 0, 380), ("2", "t"): Span("1", 400, 1000)}
    assert fractions(spans, [("2", "t")])[("1", "t")] == 1.0


def test_an_attempt_that_did_not_step_and_a_broken_chain_are_no_error() -> None:
    spans = {("1", "t"): Span("gone", 0, 0), ("2", "t"): Span("1", 0, 10)}
    assert fractions(spans, [("2", "t"), ("nowhere", "t")]) == {("2", "t"): 1.0, ("1", "t"): 0.0}


def test_an_attempt_that_two_others_continue_counts_once_and_a_circle_ends() -> None:
    spans = {
        ("1", "t"): Span(None, 0, 100),
        ("2", "t"): Span("1", 80, 100),
        ("3", "t"): Span("1", 60, 100),
    }
    assert fractions(spans, [("2", "t"), ("3", "t")])[("1", "t")] == 0.8
    circle = {("1", "t"): Span("2", 10, 20), ("2", "t"): Span("1", 10, 20)}
    assert fractions(circle, [("1", "t")]) == {("1", "t"): 1.0, ("2", "t"): 0.0}


def test_a_failed_trial_is_waste_and_a_diverged_one_a_result() -> None:
    attempts = [
        attempt("1", trial_id="f", outcome="failed", train_seconds=3600.0),
        attempt("2", trial_id="d", outcome="diverged", train_seconds=7200.0),
    ]
    found = accounted(attempts, [made("1", "f", "failed"), made("2", "d", "diverged")])
    assert list(by_stage(found).loc["train", ["useful_gpu_hours", "wasted_gpu_hours"]]) == [2, 1]
    assert by_trial(found)["gpu_hours"].to_dict() == {"f": 0.0, "d": 2.0}


def test_the_second_of_two_that_finished_the_same_trial_is_waste() -> None:
    found = accounted([attempt("1"), attempt("2")], [made("1")])
    assert found["useful_fraction"].tolist() == [1.0, 0.0]


def test_a_running_attempt_and_what_it_continues_are_in_progress() -> None:
    found = accounted(
        [
            attempt("1", outcome="lost"),
            attempt("2", outcome="running", resumed_from="1", start_step=50, steps_done=60),
        ],
        [],
    )
    assert found["useful_fraction"].tolist() == [0.0, 0.0]
    assert found["in_progress_fraction"].tolist() == [0.5, 1.0]


def test_a_score_attempt_is_useful_for_the_trials_that_it_gave_scores() -> None:
    attempts = [
        attempt("1", kind="score", trial_id=trial, score_seconds=1800.0, gpu_share=0.0)
        for trial in ("a", "b")
    ]
    found = accounted(attempts, [], [{"attempt_id": "1", "trial_id": "a"}])
    assert found["useful_fraction"].tolist() == [1.0, 0.0]
    assert by_stage(found).loc["score", "total_cpu_hours"] == 1.0
    assert by_trial(found).empty


def test_only_preparing_training_and_encoding_are_a_trials_own_hours() -> None:
    row = attempt(
        "1",
        prepare_seconds=1.0,
        train_seconds=2.0,
        encode_seconds=4.0,
        score_seconds=8.0,
        wall_seconds=16.0,
        gpu_share=0.5,
        cpus=3.0,
    )
    found = by_trial(accounted([row], [made("1")])).loc["t"]
    assert list(found) == pytest.approx([2.0, 0.5 * 7 / 3600, 3 * 7 / 3600])


def test_no_attempts_are_no_hours() -> None:
    found = by_stage(accounted([], []))
    assert found.index.tolist() == list(ALL_STAGES)
    assert (found == 0).all(axis=None)


STEPS = 24


@st.composite
def histories(
    draw: st.DrawFn,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, float]]:
    """Random lives of trials that share process runs, told step by step.

    Gives attempts, rows, and the train seconds that are in each row: those of the (attempt, step)
    pairs in the state that finished it.
    """
    rows, trials, in_row = [], [], {}
    ids = (f"{number:04d}" for number in itertools.count())
    for trial in range(draw(st.integers(1, 3))):
        trial_id = f"t{trial}"
        checkpoints: list[tuple[str, list[tuple[str, float]]]] = []  # writer, lineage of steps
        share = draw(st.sampled_from([1.0, 0.5, 0.25]))
        for _ in range(draw(st.integers(0, 5))):
            attempt_id = next(ids)
            resumed_from, lineage = draw(st.sampled_from([*checkpoints[-2:], (None, [])]))
            start_step, lineage = len(lineage), list(lineage)
            step_seconds = share * draw(st.sampled_from([0.5, 1.0, 2.0]))
            for _ in range(draw(st.integers(0, STEPS - start_step))):
                lineage.append((attempt_id, step_seconds))
                if draw(st.integers(0, 5)) == 0:
                    checkpoints.append((attempt_id, list(lineage)))
            done = len(lineage) == STEPS
            outcome = (
                draw(st.sampled_from(["completed", "diverged"]))
                if done
                else draw(st.sampled_from(["lost", "failed", "interrupted", "running"]))
            )
            stage = {
                f"{name}_seconds": share * draw(st.integers(0, 9)) for name in ("prepare", "encode")
            }
            rows.append(
                attempt(
                    attempt_id,
                    trial_id=trial_id,
                    share=share,
                    gpu_share=draw(st.sampled_from([0.0, 0.5, 1.0])),
                    cpus=draw(st.sampled_from([1.0, 4.0])),
                    resumed_from=resumed_from,
                    start_step=start_step,
                    steps_done=len(lineage),
                    train_seconds=step_seconds * (len(lineage) - start_step),
                    wall_seconds=share * draw(st.integers(0, 3)),
                    outcome=outcome,
                    **stage,
                )
            )
            if done and trial_id not in in_row:
                trials.append(made(attempt_id, trial_id, outcome))
                in_row[trial_id] = sum(seconds for _, seconds in lineage)
        if trial_id not in in_row and draw(st.booleans()):
            trials.append(made("", trial_id, "failed"))
    return rows, trials, in_row


@given(histories())
def test_hours_that_led_to_rows_and_hours_wasted_are_the_hours_of_attempts(
    history: tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, float]],
) -> None:
    rows, trials, in_row = history
    found = accounted(rows, trials)
    parts = found[["useful_fraction", "in_progress_fraction"]]
    assert ((parts >= 0) & (parts <= 1)).all(axis=None)
    assert (parts.sum(axis=1) <= 1).all()  # no hour is counted twice
    stages = by_stage(found)
    for device, allocated in (("gpu", "gpu_share"), ("cpu", "cpus")):
        parts_of = [f"{part}_{device}_hours" for part in ("useful", "in_progress", "wasted")]
        total = stages[f"total_{device}_hours"]
        assert list(stages[parts_of].sum(axis=1)) == pytest.approx(list(total), abs=1e-12)
        assert (stages[parts_of] > -1e-12).all(axis=None)
        expected = sum(row[allocated] * row["wall_seconds"] for row in rows) / 3600
        assert total.sum() == pytest.approx(expected)


@given(histories())
def test_the_train_seconds_of_a_row_are_those_of_the_steps_that_are_in_it(
    history: tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, float]],
) -> None:
    rows, trials, in_row = history
    found = by_trial(accounted(rows, trials))["train_seconds"]
    for trial_id, seconds in found.items():
        assert seconds == pytest.approx(in_row.get(str(trial_id), 0.0))


def test_an_interrupted_attempt_of_an_unfinished_trial_is_in_progress_not_wasted() -> None:
    chain = [
        attempt("000001-a", outcome="interrupted", steps_done=50, train_seconds=10.0),
        attempt(
            "000002-b",
            outcome="interrupted",
            resumed_from="000001-a",
            start_step=50,
            steps_done=80,
            train_seconds=6.0,
        ),
    ]
    found = accounted(chain, [])
    assert found["in_progress_fraction"].tolist() == [1.0, 1.0]
    assert found["useful_fraction"].tolist() == [0.0, 0.0]
    finished = attempt("000003-c", resumed_from="000002-b", start_step=80, train_seconds=4.0)
    found = accounted([*chain, finished], [made("000003-c")])
    assert found["useful_fraction"].tolist() == [1.0, 1.0, 1.0]
    assert found["in_progress_fraction"].tolist() == [0.0, 0.0, 0.0]


def test_encoding_a_finished_trial_again_is_useful() -> None:
    again = attempt("000002-b", start_step=100, encode_seconds=5.0)
    found = accounted([attempt("000001-a", train_seconds=9.0), again], [made("000001-a")])
    assert found["useful_fraction"].tolist() == [1.0, 1.0]


def test_an_attempt_that_resumed_a_finished_trial_made_no_row() -> None:
    """Killed at its last step, and completed once more: the row is the first one's."""
    found = accounted(
        [
            attempt("1", train_seconds=12.0),
            attempt("2", steps_done=60, outcome="lost", train_seconds=10.0),
            attempt("3", resumed_from="2", start_step=60, train_seconds=2.0),
            attempt("4", resumed_from="3", start_step=100),
        ],
        [made("1")],
    )
    assert found["useful_fraction"].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert by_trial(found)["train_seconds"]["t"] == 12.0
