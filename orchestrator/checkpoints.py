"""A trial's rolling checkpoints: exact training states that a later attempt goes on from.

A file ends with the digest of what is before it: torch reads a file with wrong bits in it.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from results.files import Location, is_regular, names
from results.store import StudyFolder

_NAME = re.compile(r"[^.]+\.[0-9]{12}\.pt")
KEPT = 2  # the newest, and the one before in case a disk tore the newest
DIGEST_BYTES = 32


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
    content = buffer.getvalue()
    folder.write(_path(folder, trial_id, attempt_id, step), content + _digest(content))
    for old in _newest_first(folder, trial_id)[KEPT:]:
        old.unlink(missing_ok=True)


def newest(
    folder: StudyFolder, trial_id: str, say: Callable[[str], None] = lambda line: None
) -> Checkpoint:
    """The furthest checkpoint that can be read; a damaged one falls back to the one before, which
    `say` is told in a line.

    One whose digest is wrong is deleted, or it would be one of the two that are kept.
    """
    for path in _newest_first(folder, trial_id):
        attempt_id, step, _ = path.name.split(".")
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        content, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
        if digest != _digest(content):
            say(f"the checkpoint of step {int(step)} is damaged, and deleted")
            path.unlink(missing_ok=True)
            continue
        try:
            state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        except Exception:  # whatever a file that another program wrote makes torch raise
            say(f"the checkpoint of step {int(step)} cannot be read, and is left")
            continue
        return Checkpoint(attempt_id, int(step), state)
    return NOTHING


def discard(folder: StudyFolder, trial_id: str, checkpoint: Checkpoint) -> None:
    """Deletes a checkpoint that can be read and yet not be used."""
    _path(folder, trial_id, checkpoint.attempt_id or "", checkpoint.step).unlink(missing_ok=True)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()


def _path(folder: StudyFolder, trial_id: str, attempt_id: str, step: int) -> Location:
    return folder.checkpoint_dir(trial_id) / f"{attempt_id}.{step:012d}.pt"


def _newest_first(folder: StudyFolder, trial_id: str) -> list[Location]:
    """Files of the name that `save` gives; whatever else lies there is left alone."""
    directory = folder.checkpoint_dir(trial_id)
    found = [name for name in names(directory) if _NAME.fullmatch(name)]
    newest_first = sorted(found, key=lambda name: name.split(".")[1], reverse=True)
    return [path for name in newest_first if is_regular(path := directory / name)]
