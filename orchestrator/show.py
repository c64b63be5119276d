"""What the terminal shows: the plan, the progress line, a study's status, its scores and hours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from grids.configuration import PARTS, as_values
from grids.fields import declared_fields
from grids.load import Grid
from grids.measurement import Measurement
from grids.trial import Trial
from orchestrator import machine
from orchestrator.data_sets import as_named
from orchestrator.plan import Plan
from orchestrator.status import MOST_COLUMNS, Status, score_summary
from results.distances import read_distances
from results.files import Location
from results.hours import by_stage
from results.published.michlo2023 import FACTOR_IMPORTANCE
from results.store import StudyFolder
from results.tables import Frames

SHOWN_RUNNING = 8
SHOWN_SCORES = 200  # lines
SHOWN_FAILED = 5
SHOWN_MEASUREMENTS = 20


def plan_view(plan: Plan) -> RenderableType:
    device = "GPU" if plan.device == machine.UNKNOWN_GPU else plan.device
    if plan.hours is None:
        hours = f"unknown: no earlier run on a {device} has trained such trials"
    else:
        hours = f"{duration(plan.hours)} on one {device}, training alone"
    adoptable = f", {plan.adoptable:,} to adopt from other studies" if plan.adoptable else ""
    datasets = str(len(plan.missing_datasets) or "none")
    lines = {
        "study": plan.study,
        "trials": f"{plan.trials:,} ({plan.done:,} done{adoptable})",
        "steps": f"{plan.steps:,} ({plan.steps_left:,} to go)",
        "final scores": f"{plan.scores:,} ({plan.scores_left:,} to go)",
        "time": hours,
        "disk": f"about {plan.disk_gb:.2g} GB",
        "missing datasets": datasets,
    }
    return facts(lines)


def facts(lines: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in lines.items():
        table.add_row(Text(name, style="bold"), value)
    return table


def progress_line(status: Status) -> str:
    """One line of at most 80 columns in common cases, for logs and the live view."""
    diverged = f", {status.diverged} diverged" if status.diverged else ""
    unscored = status.scores < status.scores_wanted
    ended = status.done + status.failed == status.trials and not status.at_work
    if ended and (status.failed or not unscored):  # else codes wait to be scored
        scores = f", {status.scores:,} of {status.scores_wanted:,} final scores" if unscored else ""
        return (
            f"finished: {status.completed} of {status.trials} trials completed, "
            f"{status.failed} failed{diverged}{scores}; {hours_used(status)}"
        )
    if status.steps_done == status.steps:
        return (
            f"trained {status.done}/{status.trials}, {status.failed} failed{diverged} | "
            f"final scores {status.scores:,} of {status.scores_wanted:,} | {hours_used(status)}"
        )
    eta = "?" if status.eta_hours is None else duration(status.eta_hours)
    return (
        f"{status.done}/{status.trials} done, {len(status.running)} running, "
        f"{status.failed} failed{diverged} | {status.steps_per_second:.1f} steps/s | ETA {eta} | "
        f"{hours_used(status)}"
    )


def hours_used(status: Status) -> str:
    """GPU hours where any were allocated, else CPU hours."""
    if status.gpu_hours:
        return f"{status.gpu_hours:.2f} GPU h"
    return f"{status.cpu_hours:.2f} CPU h"


def status_view(status: Status, frames: Frames) -> RenderableType:
    parts: list[RenderableType] = [
        Text(status.study, style="bold"),
        progress_line(status),
        f"steps {status.steps_done:,} of {status.steps:,}; "
        f"final scores {status.scores:,} of {status.scores_wanted:,}",
    ]
    for trial in status.running[:SHOWN_RUNNING]:
        parts.append(
            f"  {trial.trial_id}  step {trial.steps_done:,} of {trial.steps:,}  {trial.device}"
        )
    if len(status.running) > SHOWN_RUNNING:
        parts.append(f"  and {len(status.running) - SHOWN_RUNNING} more running")
    failed = frames.trials[frames.trials["status"] == "failed"]
    for row in failed.head(SHOWN_FAILED).itertuples():
        last_line = str(row.error).strip().rsplit("\n", 1)[-1]
        parts.append(Text(f"  {row.trial_id}  failed: {last_line}", style="red"))
    return Group(*parts)


def results_view(grid: Grid, frames: Frames, root: Location) -> RenderableType:
    """Scores by swept parameter with error bars over seeds, or distances; and hours by stage.

    The frames are status.with_fractions.
    """
    if isinstance(grid.trials[0], Measurement):
        measured = [
            distances_table(trial, read_distances(root, trial.trial_id))
            for trial in grid.trials[:SHOWN_MEASUREMENTS]
            if StudyFolder(root).distances(trial.trial_id).exists()
        ]
        return Group(*measured, "", hours_table(frames.attempts))
    return Group(scores_table(score_summary(grid, frames)), "", hours_table(frames.attempts))


def distances_table(measurement: Trial | Measurement, distances: pd.DataFrame) -> RenderableType:
    """The factors of a dataset by importance, beside what Michlo et al. published, if they did."""
    loss, dataset = measurement.reconstruction.name, measurement.dataset
    published = FACTOR_IMPORTANCE.get(as_named(dataset), {}) if loss == "mse" else {}
    table = Table("factor")
    paper = "dSprites, published" if dataset.name == "dsprites_rendered" else "published"
    for name in ["pairs", "mean ± sd", *([paper] if published else [])]:
        table.add_column(name, justify="right")
    by_importance = distances.sort_values("distance_mean", ascending=False, kind="stable")
    for row in by_importance.to_dict("records"):
        cells = [f"{row['pairs']:,}", f"{row['distance_mean']:.4f} ± {row['distance_sd']:.4f}"]
        if published:
            mean, sd = published[row["factor"]]
            cells.append(f"{mean:.4f} ± {sd:.4f}")
        table.add_row(row["factor"], *cells)
    title = Text(title_of(measurement), style="italic")
    return Group(title, table)  # a title of the table would wrap at its width


def title_of(measurement: Trial | Measurement) -> str:
    """What was measured: the dataset and the loss, with what differs from their defaults."""
    loss = as_values(measurement.reconstruction)
    differing = [
        f"{name} {loss[name]}"
        for name, field in declared_fields(type(measurement.reconstruction)).items()
        if loss[name] != field.default
    ]
    by = " ".join([str(loss["name"]), *differing])
    return f"{as_named(measurement.dataset)}: distances by {by}, seed {measurement.seed}"


def scores_table(summary: pd.DataFrame) -> RenderableType:
    if summary.empty:
        return Text("no final scores yet")
    table = Table(title="final scores over seeds", title_justify="left")
    parameters = [c for c in summary.columns if c not in ("score", "mean", "sd", "n")]
    columns = parameters if len(parameters) <= MOST_COLUMNS else ["trials"]
    for name in [*columns, "score"]:
        table.add_column(name, overflow="fold")
    table.add_column("mean ± sd", justify="right", no_wrap=True)
    table.add_column("seeds", justify="right", no_wrap=True)
    before = None
    for row in summary.head(SHOWN_SCORES).to_dict("records"):
        spread = "" if pd.isna(row["sd"]) else f" ± {row['sd']:.3f}"
        if columns is parameters:
            cells = ["–" if pd.isna(row[name]) else f"{row[name]}" for name in parameters]
        else:
            trials = in_words({name: row[name] for name in parameters})
            cells = ["" if trials == before else trials]
            before = trials
        table.add_row(*cells, row["score"], f"{row['mean']:.3f}{spread}", str(row["n"]))
    left = len(summary) - SHOWN_SCORES
    more = f"and {left:,} more lines; `latentgrid report` has all of them"
    return Group(table, more) if left > 0 else table


def in_words(parameters: Mapping[str, Any]) -> str:
    """`beta_vae, beta 0.001, spacing 3`: parts by their names; defaults and blanks left out."""
    words = []
    for name, value in parameters.items():
        kind, dot, parameter = name.partition(".")
        if pd.isna(value) or name.endswith("_schedule") and value == "constant":
            continue
        if dot and kind in parameters:
            default = declared_fields(PARTS[kind][parameters[kind]])[parameter].default
            if value == default:
                continue
        shown = name in PARTS and not name.endswith("_schedule")
        words.append(f"{value}" if shown else f"{parameter or name} {value}")
    return ", ".join(words)


def hours_table(accounted: pd.DataFrame) -> Table:
    """Allocated hours by stage: GPU hours where any were allocated."""
    hours = by_stage(accounted)
    kinds = ["gpu", "cpu"] if hours["total_gpu_hours"].sum() > 0 else ["cpu"]
    parts = ["useful", "wasted", "total"]
    if hours["in_progress_cpu_hours"].sum() > 0:
        parts.insert(1, "in_progress")
    table = Table(title="hours by stage", title_justify="left")
    table.add_column("stage")
    for kind in kinds:
        for part in parts:
            table.add_column(f"{part.replace('_', ' ')} {kind.upper()} h", justify="right")
    for stage, row in hours.iterrows():
        cells = (f"{row[f'{part}_{kind}_hours']:.3f}" for kind in kinds for part in parts)
        table.add_row(str(stage), *cells)
    return table


def duration(hours: float) -> str:
    """`40 s`, `12 min`, `3.4 h`, `12 days`."""
    seconds = hours * 3600
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.0f} days"
