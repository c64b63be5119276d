"""`study.yaml` and `manifest.json`: the grid as it was run, and what ran it."""

from __future__ import annotations

import json
from typing import Any

from grids.load import Grid
from metrics import METRICS
from orchestrator import machine
from results import records
from results.ledger import utc_now
from results.schema import SCHEMA_VERSION, SchemaError
from results.store import StudyFolder


def write(folder: StudyFolder, grid: Grid, fingerprints: dict[str, str], code_version: str) -> None:
    """Written at the start of every run; the manifest last, since its presence means a study.

    `runs` has an entry wherever the code or a library changed: from which epoch on which versions
    made the rows. An attempt has its epoch, and a row its attempt.
    """
    made_by = {"code_version": code_version, "versions": machine.versions()}
    runs = _runs(folder)
    if not runs or {key: runs[-1].get(key) for key in made_by} != made_by:
        runs.append({"from_epoch": folder.epoch, "at": utc_now().isoformat(), **made_by})
    content = {
        "schema_version": SCHEMA_VERSION,
        "study": grid.study,
        "source": grid.source,
        "trials": len(grid.trials),
        "epoch": folder.epoch,
        **made_by,
        "runs": runs,
        "metrics": {
            metric: {"version": METRICS[metric].version, "sizes": METRICS[metric].sizes}
            for metric in grid.evaluate.metrics
        },
        "dataset_fingerprints": fingerprints,
        "started_at": utc_now().isoformat(),
    }
    folder.write(folder.study_yaml, grid.text.encode())
    folder.write(folder.manifest, (json.dumps(content, indent=2) + "\n").encode())


def _runs(folder: StudyFolder) -> list[dict[str, Any]]:
    """Those of the runs before; SchemaError where the manifest is damaged."""
    path = folder.manifest
    try:
        found = records.parse(path, records.content_of(path)).get("runs", [])
    except FileNotFoundError:
        return []
    if not isinstance(found, list) or not all(isinstance(run, dict) for run in found):
        raise SchemaError(f"{path}: runs are damaged; move it away and run again")
    return found
