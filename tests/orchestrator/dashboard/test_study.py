from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.dashboard.live import curve_of, state_json, whole_curve
from orchestrator.dashboard.overview import counts_of, facts_of, hours_of
from orchestrator.dashboard.study import Snapshot, WatchedStudy
from orchestrator.dashboard.trial import LOG_BYTES, log_tail, score_curves, trial_view
from results.store import StudyFolder
from results.tables import Tables


def read(five: Any) -> tuple[WatchedStudy, Snapshot]:
    watched = WatchedStudy(StudyFolder(five.folder.root))
    watched.refresh()
    assert watched.problem is None and watched.snapshot is not None
    return watched, watched.snapshot


def test_a_snapshot_has_every_trial_in_its_state(five: Any) -> None:
    _, snapshot = read(five)
    assert snapshot.states == "cdfrw" and snapshot.driver == "running"
    assert counts_of(snapshot) == dict.fromkeys(five.ids, 1)
    state = state_json(snapshot)
    assert state["running"] == {
        "trials": [3],
        "steps_done": [30],
        "steps": [60],
        "devices": ["cpu: made up"],
    }
    assert state["failed"] == {"trials": [2], "errors": [0]}
    assert state["errors"] == ["ValueError: <b>no</b>"]  # the page's scripts write text, no markup
    assert state["scores"] == [["mig", "mig", "mean", "full"], ["mig", "mig", "mean", "fast"]]


def test_only_what_changed_makes_a_new_snapshot(five: Any) -> None:
    watched, first = read(five)
    watched.refresh()
    assert watched.snapshot is first
    five.end(five.ids["waiting"], "completed")
    watched.refresh()
    assert watched.snapshot is not None and watched.snapshot.number == first.number + 1
    assert watched.snapshot.states == "cdfrc"
    assert watched.snapshot.cells is first.cells  # the grid is not read again


def test_a_grown_grid_is_read_again(five: Any, tiny_grid: Any) -> None:
    watched, _ = read(five)
    grown = tiny_grid("five", steps=60, seeds=[0, 1, 2, 3, 4, 5], every=20)
    five.folder.write(five.folder.study_yaml, grown.text.encode())
    watched.refresh()
    assert watched.snapshot is not None and watched.snapshot.states == "cdfrww"


@pytest.mark.parametrize("name", ["study.yaml", "trials.parquet"])
def test_a_damaged_file_is_said_beside_what_was_read_before(five: Any, name: str) -> None:
    watched, first = read(five)
    path = five.folder.root / name
    before = path.read_bytes() if path.exists() else None
    path.write_bytes(b"study: [")
    watched.refresh()
    assert watched.problem is not None and name in watched.problem
    assert watched.snapshot is not None and watched.snapshot.problem == watched.problem
    assert watched.snapshot.states == first.states
    path.write_bytes(before) if before else path.unlink()
    watched.refresh()
    assert watched.problem is None and watched.snapshot.problem is None
    assert watched.snapshot.number > first.number + 1


def test_hours_add_up_and_those_left_follow_from_the_cost_so_far(five: Any) -> None:
    """Ten seconds a step on one CPU: 60 + 60 steps led to rows, 30 are under way, 60 failed."""
    _, snapshot = read(five)
    hours = hours_of(snapshot)
    assert hours.device == "CPU"
    assert hours.used == pytest.approx(2100 / 3600) and hours.wasted == pytest.approx(600 / 3600)
    # Of 300 steps 150 are done; the failed trial's count as left.
    assert hours.left == pytest.approx(1500 / 3600)
    assert hours.by_stage.loc["train"].tolist() == pytest.approx(
        [1200 / 3600, 300 / 3600, 600 / 3600, 2100 / 3600]
    )
    facts = {name: value for name, value, _ in facts_of(snapshot)}
    assert facts["done"] == "2 of 5" and facts["steps"] == "50.0%"
    assert facts["final scores"] == "1 of 8" and facts["wasted"] == "0.17 (29%)"
    assert facts["time left"] == "25 min"


def test_nothing_is_known_to_be_left_before_the_first_step(tiny_grid: Any, tmp_path: Path) -> None:
    grid = tiny_grid("fresh")
    folder = StudyFolder(tmp_path / "out" / "fresh")
    folder.write(folder.study_yaml, grid.text.encode())
    watched = WatchedStudy(folder)
    watched.refresh()
    assert watched.snapshot is not None and watched.snapshot.states == "ww"
    hours = hours_of(watched.snapshot)
    assert (hours.used, hours.left, len(hours.by_stage)) == (0.0, None, 0)
    assert ("left", "–", "CPU hours, at the cost so far") in facts_of(watched.snapshot)


def test_the_curve_of_a_running_trial_is_its_record_and_later_comes_from_the_table(
    five: Any,
) -> None:
    running, completed = five.ids["running"], five.ids["completed"]
    curve = whole_curve(five.folder, running)
    assert curve["step"] == [10, 20, 30] and curve["loss"] == [100.0, 50.0, 100 / 3]
    assert curve["kl_nats_by_latent"] == [[1.5, 1.5, 1.5], [0.5, 1.5, 2.5]]
    assert set(curve) == {
        "step",
        "loss",
        "reconstruction_per_image",
        "kl_nats",
        "kl_nats_by_latent",
    }
    before = curve_of(five.folder, completed).to_pylist()
    Tables(five.folder).compact()
    assert not five.folder.record("curves", completed).exists()
    assert curve_of(five.folder, completed).to_pylist() == before
    assert whole_curve(five.folder, five.ids["waiting"]) == {"step": [], "kl_nats_by_latent": []}


def test_a_trials_page_has_what_became_of_it(five: Any) -> None:
    _, snapshot = read(five)
    failed = trial_view(snapshot, five.folder, 2)
    assert failed["state"] == "failed" and "<script>" in failed["error"]
    assert failed["swept"] == {"seed": 2} and failed["configuration"]["beta"] == 1e-3
    [attempt] = failed["attempts"]
    assert attempt["took"] == "10 min" and attempt["error"] == "ValueError: <b>no</b>"
    running = trial_view(snapshot, five.folder, 3)
    assert running["progress"] == (30, 60) and running["outcome"] == {}
    assert "<script>alert(1)</script>" in running["log"]
    completed = trial_view(snapshot, five.folder, 0)
    assert completed["scores"] == {
        "steps": [20, 60],
        "rows": [(("mig", "mig", "mean", "full"), [None, 0.5])]
        + [(("mig", "mig", "mean", "fast"), [0.125, None])],
    }
    assert score_curves(snapshot, five.ids["completed"]) == {
        "mig": {"step": [20, 60], "value": [0.125, 0.5]}
    }
    assert completed["log"] is None and completed["distances"] is None
    assert trial_view(snapshot, five.folder, 4)["attempts"] == []


def test_of_a_long_log_the_last_whole_lines_are_read(five: Any) -> None:
    lines = [f"line {number} {'é' * 50}\n" for number in range(2000)]
    five.folder.log("x").write_text("".join(lines))
    tail = log_tail(five.folder, "x")
    assert tail is not None and len(tail.encode()) <= LOG_BYTES + 4
    assert tail.splitlines()[0] == "…"
    assert tail.removeprefix("…\n") == "".join(lines[-tail.count("line") :])


def test_watching_writes_nothing(five: Any) -> None:
    def everything() -> dict[str, tuple[int, str]]:
        found = {}
        for path in sorted(five.folder.root.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = path.stat().st_mtime_ns, hashlib.sha256(content).hexdigest()
        return found

    before = everything()
    watched, snapshot = read(five)
    watched.refresh()
    facts_of(snapshot), state_json(snapshot)
    for index in range(5):
        trial_view(snapshot, five.folder, index)
        whole_curve(five.folder, snapshot.cells.trial_ids[index])
    assert everything() == before
