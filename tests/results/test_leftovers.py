from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from results import lease, leftovers
from results.lease import LeaseHeld, acquire
from results.store import StudyFolder

TOKEN = "999999-0123abcd"


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_what_killed_writers_left_goes_and_all_else_stays(folder: StudyFolder, finish: Any) -> None:
    held = acquire(folder).folder
    attempt_id = finish(held, "done")
    finish(held, "failed", status="failed")
    goes = [
        touch(held.weights("a").with_name(f".a.pt.{TOKEN}")),
        touch(held.artifacts("a") / f".pictures.npz.{TOKEN}"),
        touch(held.root / f".trials.parquet.{TOKEN}"),
        touch(held.lease_dir / f".000001.json.{TOKEN}"),
        touch(held.checkpoint_dir("done") / "000001-ab.000000000004.pt"),
        touch(held.attempt(attempt_id, "open")),
        touch(held.attempt(attempt_id, "beat")),
    ]
    stays = [
        touch(held.checkpoint_dir("failed") / "000001-ab.000000000004.pt"),
        touch(held.checkpoint_dir("unknown") / "000001-ab.000000000004.pt"),
        touch(held.attempt("000001-abcdef", "open")),
        touch(held.lease_dir / f".000002.json.{TOKEN}"),  # of a run that asks for the lease
        touch(held.lease_dir / f".000001.json.{os.getpid()}-0123abcd"),  # of our own beat
        touch(held.root / ".nfs0000000000000001"),
        touch(held.root / "models" / "notes.txt"),
    ]
    before = {path for path in held.root.rglob("*") if path.is_file()}
    leftovers.clear(held)
    after = {path for path in held.root.rglob("*") if path.is_file()}
    assert before - after == set(goes)
    assert set(stays) <= after


def test_who_lost_the_lease_clears_nothing(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = acquire(folder).folder
    monkeypatch.setattr(lease, "known_dead", lambda holder: True)
    acquire(folder)
    left = touch(held.root / f".trials.parquet.{TOKEN}")
    with pytest.raises(lease.Fenced):
        leftovers.clear(held)
    assert left.exists()


def test_a_claim_that_the_winner_has_cleared_away_is_refused_in_a_line(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was written, then its process slept while another took the lease and cleared up."""
    link = os.link

    def late(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        leftovers.clear(acquire(folder).folder)
        Path(source).unlink()  # our own pid: cleared by hand
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(LeaseHeld, match="is being run by"):
        acquire(folder)
