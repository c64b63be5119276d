"""What writers that were killed leave in a study's folder; the holder of its lease clears it away.

A process that dies in the middle of a write leaves a temporary file; between a trial's row and the
removal of its checkpoints, the checkpoints; between the two ends of an account, its beginning.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import Path

from results.attempts import list_attempts
from results.files import TEMPORARY
from results.store import FINAL, StudyFolder

_CLAIM = re.compile(r"\.([0-9]{6,})\.json\.")


def clear(folder: StudyFolder) -> None:
    """Removes it. For the holder of the lease, while none of its own processes works on trials.

    A process of an older epoch may still write: it is fenced before it can miss what is removed.
    Raises lease.Fenced where a newer epoch holds the study.
    """
    folder.check_fence()
    for directory, _, names in os.walk(folder.root):
        for name in names:
            if TEMPORARY.fullmatch(name) and not _claim_of_another(folder, directory, name):
                Path(directory, name).unlink(missing_ok=True)
    _clear_checkpoints(folder)
    closed, _ = list_attempts(folder)
    for attempt_id in closed:
        for part in ("open", "beat"):
            folder.attempt(attempt_id, part).unlink(missing_ok=True)


def _claim_of_another(folder: StudyFolder, directory: str, name: str) -> bool:
    """Of a run that is about to ask for the lease, or of the thread that beats ours."""
    claim = _CLAIM.match(name) if Path(directory) == folder.lease_dir else None
    if claim is None:
        return False
    return int(claim[1]) > (folder.epoch or 0) or f".{os.getpid()}-" in name


def _clear_checkpoints(folder: StudyFolder) -> None:
    with contextlib.suppress(FileNotFoundError):
        outcomes = folder.outcomes()
        for trial_id in os.listdir(folder.checkpoint_dir("x").parent):
            if outcomes.get(trial_id) in FINAL:
                shutil.rmtree(folder.checkpoint_dir(trial_id), ignore_errors=True)
