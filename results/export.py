"""A study's tables for other programs: CSV files, and TensorBoard's event files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from results.files import atomic_write
from results.schema import NUMBERS, SCHEMAS
from results.store import file_name
from results.tables import Frames

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


def export_csv(frames: Frames, out: Path) -> list[Path]:
    """Writes trials.csv, scores.csv, curves.csv and attempts.csv, and gives their paths.

    A list is JSON in one cell, exact, with NaN and Infinity as Python spells them.
    """
    paths = []
    for name, frame in frames._asdict().items():
        text = io.StringIO()
        lists = [f.name for f in SCHEMAS[name] if f.type == NUMBERS and f.name in frame]
        frame = frame.assign(**{column: frame[column].map(_as_json) for column in lists})
        frame.to_csv(text, index=False)
        atomic_write(out / f"{name}.csv", text.getvalue().encode(), durable=False)
        paths.append(out / f"{name}.csv")
    return paths


def _as_json(values: npt.NDArray[np.float64] | None) -> str | None:
    """CSV has no lists; NumPy's own words for one have eight digits and line breaks."""
    return None if values is None else json.dumps(values.tolist())


def export_tensorboard(frames: Frames, out: Path) -> int:
    """Writes a run a trial, `<out>/<trial_id>/`, and gives how many.

    Its scalars: the loss terms of its curve, `kl_nats/z3` of a latent, `score/<representation>/
    <size>/<score>`. Its parameters are a text. A folder that is there already is written anew.
    SchemaError, before anything is written, where an id is none of ours.
    """
    from tensorboardX import SummaryWriter

    curves = dict(iter(frames.curves.groupby("trial_id")))
    scores = dict(iter(frames.scores.groupby("trial_id")))
    trials = frames.trials.set_index("trial_id")
    known = dict.fromkeys([*trials.index, *curves, *scores])
    for trial_id in known:
        file_name(trial_id)
    for trial_id in known:
        folder = out / trial_id
        for old in folder.glob("events.out.tfevents.*"):
            old.unlink()
        with SummaryWriter(str(folder)) as writer:
            if trial_id in trials.index:
                writer.add_text("trial", _parameters(trials.loc[trial_id]))
            for row in curves.get(trial_id, frames.curves.head(0)).to_dict("records"):
                _add_terms(writer, row)
            for row in scores.get(trial_id, frames.scores.head(0)).to_dict("records"):
                name = f"score/{row['representation']}/{row['size']}/{row['score']}"
                writer.add_scalar(name, row["value"], row["step"])
    return len(known)


def _add_terms(writer: SummaryWriter, row: dict[Any, Any]) -> None:
    step = row["step"]
    for name, value in row.items():
        if name in ("trial_id", "step"):
            continue
        if name == "kl_nats_by_latent":
            values = [] if value is None or np.isscalar(value) else list(value)
            for latent, nats in enumerate(values):
                writer.add_scalar(f"kl_nats/z{latent}", nats, step)
        elif not pd.isna(value):
            writer.add_scalar(f"curve/{name}", value, step)


def _parameters(trial: pd.Series) -> str:
    """A line a column of the trial's row that has a value, as Markdown."""
    return "\n".join(
        f"- {name}: {value}"
        for name, value in trial.items()
        if value is not None and not np.any(pd.isna(value))
    )
