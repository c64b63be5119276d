"""A trial's rolling checkpoints: exact training states that a later attempt goes on from."""

from __future__ import annotations

import io
import re
from typing import Any, NamedTuple

import torch

from results.files import Location, is_regular, names, reading
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
    for old in _newest_first(folder, trial_id)[KEPT:]:
        old.unlink(missing_ok=True)


def newest(folder: StudyFolder, trial_id: str) -> Checkpoint:
    """The furthest checkpoint that can be read; a damaged one falls back to the one before."""
    for path in _newest_first(folder, trial_id):
        attempt_id, step, _ = path.name.split(".")
        try:
            with reading(path) as file:
                state = torch.load(file, weights_only=True, map_location="cpu")
        except Exception:  # whatever a damaged file makes torch raise
            continue
        return Checkpoint(attempt_id, int(step), state)
    return NOTHING


def discard(folder: StudyFolder, trial_id: str, checkpoint: Checkpoint) -> None:
    """Deletes a checkpoint that can be read and yet not be used."""
    _path(folder, trial_id, checkpoint.attempt_id or "", checkpoint.step).unlink(missing_ok=True)


def _path(folder: StudyFolder, trial_id: str, attempt_id: str, step: int) -> Location:
    return folder.checkpoint_dir(trial_id) / f"{attempt_id}.{step:012d}.pt"


def _newest_first(folder: StudyFolder, trial_id: str) -> list[Location]:
    """Files of the name that `save` gives; whatever else lies there is left alone."""
    directory = folder.checkpoint_dir(trial_id)
    found = [name for name in names(directory) if _NAME.fullmatch(name)]
    newest_first = sorted(found, key=lambda name: name.split(".")[1], reverse=True)
    return [path for name in newest_first if is_regular(path := directory / name)]
