"""`study.yaml` and `manifest.json`: the grid as it was run, and what ran it."""

from __future__ import annotations

import json

from grids.configuration import canonical_json
from grids.data_folder import DataFolder
from grids.load import Grid
from orchestrator import machine
from results.ledger import utc_now
from results.schema import SCHEMA_VERSION
from results.store import StudyFolder


def _fingerprints(grid: Grid, data: DataFolder) -> dict[str, str]:
    """By the dataset's parameters, as JSON."""
    from trainers import make_dataset

    datasets = {canonical_json(trial.to_dict()["dataset"]): trial.dataset for trial in grid.trials}
    return {key: make_dataset(dataset, data).fingerprint for key, dataset in datasets.items()}


def write(folder: StudyFolder, grid: Grid, data: DataFolder, code_version: str) -> None:
    """Written at the start of every run; the manifest last, since its presence means a study."""
    content = {
        "schema_version": SCHEMA_VERSION,
        "study": grid.study,
        "source": grid.source,
        "trials": len(grid.trials),
        "epoch": folder.epoch,
        "code_version": code_version,
        "versions": machine.versions(),
        "dataset_fingerprints": _fingerprints(grid, data),
        "started_at": utc_now().isoformat(),
    }
    folder.write(folder.study_yaml, grid.text.encode())
    folder.write(folder.manifest, (json.dumps(content, indent=2) + "\n").encode())
