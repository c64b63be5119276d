"""What a trial's latents do, as a picture for its page."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from results.report.pictures import traversal_sheet
from results.schema import SchemaError
from results.store import PICTURES, StudyFolder

MOST_LATENTS = 20


def sheet_png(folder: StudyFolder, trial_id: str, row: dict[str, Any]) -> bytes | None:
    """A PNG of traversals and reconstructions; None where the trial has left no pictures (yet).

    `row` is the trial's. Raises SchemaError where they cannot be read.
    """
    path = folder.artifacts(trial_id) / PICTURES
    if not path.exists():
        return None
    try:
        figure = traversal_sheet(path, pd.Series(row), most_latents=MOST_LATENTS)
    except (OSError, ValueError, IndexError):
        raise SchemaError(f"{path}: pictures that cannot be read") from None
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
