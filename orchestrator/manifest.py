"""`study.yaml` and `manifest.json`: the grid as it was run, and what ran it."""

from __future__ import annotations

import json

from grids.load import Grid
from orchestrator import machine
from results.ledger import utc_now
from results.schema import SCHEMA_VERSION
from results.store import StudyFolder


def write(folder: StudyFolder, grid: Grid, fingerprints: dict[str, str], code_version: str) -> None:
    """Written at the start of every run; the manifest last, since its presence means a study."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "study": grid.study,
        "source": grid.source,
        "trials": len(grid.trials),
        "epoch": folder.epoch,
        "code_version": code_version,
        "versions": machine.versions(),
        "dataset_fingerprints": fingerprints,
        "started_at": utc_now().isoformat(),
    }
    folder.write(folder.study_yaml, grid.text.encode())
    folder.write(folder.manifest, (json.dumps(content, indent=2) + "\n").encode())
