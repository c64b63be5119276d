"""Reports and pictures of studies: what results cannot know of metrics is handed over here."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from metrics import METRICS
from orchestrator import theorem
from orchestrator.errors import InputError
from results.files import Location
from results.pictures import save_png
from results.report.pictures import pictures_of, traversal_sheet
from results.report.studies import Studies, read_studies
from results.report.write import write_report


def read(study_dirs: Sequence[Location]) -> Studies:
    """GridError or SchemaError where one of them is no study that this version can read."""
    return read_studies(study_dirs, {name: metric.scores[0] for name, metric in METRICS.items()})


def make_report(study_dirs: Sequence[Location], out: Path) -> Path:
    """Writes the report and gives its page's path; InputError where `out` is a study."""
    if (out / "manifest.json").exists():
        raise InputError(f"--out {out}: is a study's folder; valid: another folder")
    studies = read(study_dirs)
    if any(grid.report == "locatello2019" for grid in studies.grids):
        studies = dataclasses.replace(studies, theorem_1=theorem.scores())
    return write_report(studies, out)


def draw_traversals(study_dir: Location, given: str, path: Path) -> None:
    """`given` is a trial's id, or a beginning of it that no other trial has."""
    studies = read([study_dir])
    trials = studies.trials
    if trials.empty:
        raise InputError(
            f"{study_dir}: has no trained trials, being a study of measurements; "
            "valid: a study of trials"
        )
    found = trials[trials["trial_id"].str.startswith(given)]
    if len(found) != 1:
        known = ", ".join(trials["trial_id"].head(3))
        problem = "is no trial of this study" if found.empty else f"begins {len(found)} ids"
        more = ", ..." if len(trials) > 3 else ""
        raise InputError(f"{study_dir}: {given} {problem}; valid: one of {known}{more}")
    trial = found.iloc[0]
    pictures = pictures_of(studies, trial["trial_id"])
    if pictures is None:
        raise InputError(
            f"{study_dir}: {trial['trial_id']} has left no pictures (it is {trial['status']}); "
            "valid: a trial that completed"
        )
    save_png(traversal_sheet(pictures, trial), path)
