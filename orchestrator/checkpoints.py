"""A trial's rolling checkpoints: exact training states that a later attempt goes on from."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch

from results.files import is_regular
from results.store import StudyFolder

_NAME = re.compile(r"[^.]+\.[0-9]{12}\.pt")
KEPT = 2  # the newest, and the one before in case a disk tore the newest


class Checkpoint(NamedTuple):
    """`state` is None where there is nothing to resume from."""

    attempt_id: str | None
    step: int
    state: dict[str, Any] | None


NOTHING = Checkpoint(None, 0, None)


def save(
    folder: StudyFolder, trial_id: str, attempt_id: str, step: int, state: dict[str, Any]
) -> None:
    """Writes one checkpoint whole and drops all but the newest `KEPT`."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    folder.write(_path(folder, trial_id, attempt_id, step), buffer.getvalue())
    for old in _newest_first(folder.checkpoint_dir(trial_id))[KEPT:]:
        old.unlink(missing_ok=True)


def newest(folder: StudyFolder, trial_id: str) -> Checkpoint:
    """The furthest checkpoint that can be read; a damaged one falls back to the one before."""
    for path in _newest_first(folder.checkpoint_dir(trial_id)):
        attempt_id, step, _ = path.name.split(".")
        try:
            state = torch.load(path, weights_only=True, map_location="cpu")
        except Exception:  # whatever a damaged file makes torch raise
            continue
        return Checkpoint(attempt_id, int(step), state)
    return NOTHING


def discard(folder: StudyFolder, trial_id: str, checkpoint: Checkpoint) -> None:
    """Deletes a checkpoint that can be read and yet not be used."""
    _path(folder, trial_id, checkpoint.attempt_id or "", checkpoint.step).unlink(missing_ok=True)


def _path(folder: StudyFolder, trial_id: str, attempt_id: str, step: int) -> Path:
    return folder.checkpoint_dir(trial_id) / f"{attempt_id}.{step:012d}.pt"


def _newest_first(directory: Path) -> list[Path]:
    """Files of the name that `save` gives; whatever else lies there is left alone."""
    found = [p for p in directory.glob("*.pt") if _NAME.fullmatch(p.name) and is_regular(p)]
    return sorted(found, key=lambda path: path.name.split(".")[1], reverse=True)
