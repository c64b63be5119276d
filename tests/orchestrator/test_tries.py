from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grids.data_folder import DataFolder
from orchestrator.tries import MAX_TRIES, Tries, last_line
from orchestrator.work import Unit, missing_units
from results.store import StudyFolder


@pytest.fixture
def units(tiny_grid: Any, tmp_path: Path) -> list[Unit]:
    return missing_units(
        tiny_grid(seeds="[0, 1, 2, 3]"),
        StudyFolder(tmp_path, 1),
        data=DataFolder(tmp_path),
        outcomes={},
        scored=set(),
        code_files=set(),
        code_version="test",
    )


def make(succeeded: bool = False) -> tuple[Tries, list[Any], list[str]]:
    given_up: list[Any] = []
    stops: list[str] = []
    tries = Tries(
        succeeded=succeeded,
        give_up=lambda unit, error: given_up.append((unit.trial.seed, error)),
        stop=stops.append,
    )
    return tries, given_up, stops


def test_a_unit_is_given_up_once_after_its_last_try(units: list[Unit]) -> None:
    tries, given_up, _ = make()
    for number in range(MAX_TRIES):
        assert tries.left(units[0]) and not given_up
        assert tries.most(units) == number
        tries.failed(units[0], f"try {number}", raised=True)
    assert not tries.left(units[0]) and tries.left(units[1])
    assert given_up == [(0, "try 2")]


def test_the_first_three_trials_failing_alike_stop_the_sweep(units: list[Unit]) -> None:
    tries, _, stops = make()
    for unit in units[:2]:
        tries.failed(unit, "Traceback\n  line 1\nOSError: gone", raised=True)
    assert not stops
    tries.failed(units[2], "Traceback\n  line 2\nOSError: gone", raised=True)
    assert stops == ["the first 3 trials failed alike: OSError: gone"]


@pytest.mark.parametrize("reason", ["one trial thrice", "different", "vanished", "success"])
def test_nothing_else_stops_it(units: list[Unit], reason: str) -> None:
    tries, _, stops = make(succeeded=reason == "success")
    for number, unit in enumerate(units[:3]):
        error = f"error {number}" if reason == "different" else "the same"
        failing = units[0] if reason == "one trial thrice" else unit
        tries.failed(failing, error, raised=reason != "vanished")
    assert not stops


def test_the_last_line_of_nothing_is_said_to_be_nothing() -> None:
    assert last_line("a\nb\n") == "b" and last_line(" ") == "no message"
