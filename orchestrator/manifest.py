"""`study.yaml` and `manifest.json`: the grid as it was run, and what ran it."""

from __future__ import annotations

import json
import platform
import re
from typing import Any

from grids.document import one_line
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
    made the rows, and all that was installed then. An attempt has its epoch, a row its attempt.
    """
    made_by = {"code_version": code_version, "versions": machine.versions()}
    runs = _runs(folder)
    if not runs or {key: runs[-1].get(key) for key in made_by} != made_by:
        environment = {"platform": platform.platform(), "distributions": machine.distributions()}
        began = {"from_epoch": folder.epoch, "at": utc_now().isoformat()}
        runs.append({**began, **made_by, "environment": environment})
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


def constraints(folder: StudyFolder) -> str:
    """A constraints file for pip with all that was installed when the study last ran.

    SchemaError where the manifest is damaged, or does not say.
    """
    runs = _runs(folder)
    try:
        last = runs[-1]
        lines = [_constraint(name, version) for name, version in _installed(last)]
        code, python = last["code_version"], last["versions"]["python"]
        where = last["environment"]["platform"]
    except (LookupError, TypeError, AttributeError):
        raise SchemaError(f"{folder.manifest}: does not say what was installed") from None
    head = f"# study {folder.name}: latentgrid {code}, Python {python}, {where}"
    return "\n".join([one_line(head), *lines, ""])


def _constraint(name: str, version: str) -> str:
    """The public version: a local build, such as 2.13.0+cpu, is not on every index."""
    public, _, local = version.partition("+")
    return f"{name}=={public}" + (f"  # it was {version}" if local else "")


def _installed(run: dict[str, Any]) -> list[tuple[str, str]]:
    """All but latentgrid itself, which is the code. LookupError, AttributeError."""
    found = run["environment"]["distributions"].items()
    for item in found:  # pip would take a line that begins with -r for an option
        if not all(isinstance(word, str) and re.fullmatch(r"\w[\w.+!-]*", word) for word in item):
            raise LookupError(item)
    return [(name, version) for name, version in found if name != "latentgrid"]
