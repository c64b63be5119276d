"""What writers that were killed leave in a study's folder; the holder of its lease clears it away.

A process that dies in the middle of a write leaves a temporary file; between a trial's row and the
removal of its checkpoints, the checkpoints; between the two ends of an account, its beginning.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from results.files import TEMPORARY, names, remove, remove_folder
from results.store import FINAL, StudyFolder

_CLAIM = re.compile(r"\.([0-9]{6,})\.json\.")


def clear(folder: StudyFolder) -> None:
    """Removes it. For the holder of the lease, while none of its own processes works on trials.

    A process of an older epoch may still write: it is fenced before it can miss what is removed.
    Raises lease.Fenced where a newer epoch holds the study.
    """
    folder.check_fence()
    # An object store has no temporary files.
    for directory, _, found in os.walk(folder.root) if isinstance(folder.root, Path) else ():
        for name in found:
            if TEMPORARY.fullmatch(name) and not _claim_of_another(folder, directory, name):
                Path(directory, name).unlink(missing_ok=True)
    _clear_checkpoints(folder)
    accounts = set(names(folder.attempts_dir))
    ended = {name.removesuffix(".close.json") for name in accounts if name.endswith(".close.json")}
    begun = (f"{attempt_id}.{part}.json" for attempt_id in ended for part in ("open", "beat"))
    remove(folder.attempts_dir / name for name in begun if name in accounts)


def _claim_of_another(folder: StudyFolder, directory: str, name: str) -> bool:
    """Of a run that is about to ask for the lease, or of the thread that beats ours."""
    claim = _CLAIM.match(name) if Path(directory) == folder.lease_dir else None
    if claim is None:
        return False
    return int(claim[1]) > (folder.epoch or 0) or f".{os.getpid()}-" in name


def _clear_checkpoints(folder: StudyFolder) -> None:
    if trial_ids := names(folder.checkpoint_dir("x").parent):
        outcomes = folder.outcomes()
        for trial_id in trial_ids:
            if outcomes.get(trial_id) in FINAL:
                remove_folder(folder.checkpoint_dir(trial_id))
