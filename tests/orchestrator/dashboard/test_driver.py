from __future__ import annotations

import dataclasses
import json

from orchestrator.dashboard.driver import SILENT_SECONDS, DriverWatch
from results import lease
from results.store import StudyFolder


def test_a_driver_on_another_machine_is_silent_once_its_counter_stood_still(tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = StudyFolder(tmp_path / "study")
    held = lease.acquire(folder)
    path = folder.lease_dir / "000001.json"
    elsewhere = json.loads(path.read_text()) | {"host": "elsewhere"}
    path.write_text(json.dumps(elsewhere))
    now = 0.0
    watch = DriverWatch(folder, clock=lambda: now)
    assert watch.look() == "running"
    now += SILENT_SECONDS - 1
    assert watch.look() == "running"
    now += 1
    assert watch.look() == "silent"
    path.write_text(json.dumps(elsewhere | {"beat": 5}))
    assert watch.look() == "running"
    path.write_text(json.dumps(elsewhere | {"released": True}))
    assert watch.look() == "stopped"
    assert dataclasses.is_dataclass(lease.read_holder(folder, held.epoch))


def test_nobody_runs_a_study_that_was_never_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert DriverWatch(StudyFolder(tmp_path)).look() == "stopped"
