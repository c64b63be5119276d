"""What any study's report has: how it stands, scores, curves, hours, failures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grids.columns import COLUMN_TYPES
from grids.measurement import Measurement
from results.analysis.intervals import by_group
from results.analysis.selection import final_scores
from results.analysis.swept import swept_besides_seed
from results.hours import account, by_stage
from results.report.blocks import Block, Drawing, Missing, Section, Table, Text
from results.report.figures import colour, legend_above, sheet, with_intervals
from results.report.lines import (
    SPREAD_IN_WORDS,
    axis_of,
    is_loss,
    labels,
    medians,
    over,
    short,
    told_apart,
    within,
)
from results.report.studies import Studies

MOST_SWEPT = 4
MOST_LETTERS = 32
"""Of all values along an axis, side by side; of more they are turned."""
BARS_WIDTH = 0.4
"""Of the bars at a place, which stand side by side; places are 1 apart."""
TERMS = ("loss", "reconstruction_per_image", "kl_nats")
MOST_TRACEBACKS = 20


def sections(studies: Studies) -> list[Section]:
    found = [Section("How it stands", _standing(studies))]
    if len(studies.trials):
        found += [
            Section("Scores by swept parameter", _scores(studies)),
            Section("Curves", _curves(studies)),
            Section("Compute hours", _hours(studies)),
        ]
    failed = studies.trials[studies.trials["status"] == "failed"]
    if len(failed):
        found.append(Section("Failures", _failures(failed, _swept(studies.trials))))
    return found


def _standing(studies: Studies) -> list[Block]:
    rows = []
    for grid in studies.grids:
        ids = {trial.trial_id for trial in grid.trials}
        of = studies.trials[studies.trials["trial_id"].isin(ids)]
        attempts = studies.attempts[studies.attempts["trial_id"].isin(ids)]
        row: dict[str, object] = {"study": grid.study, "trials": len(grid.trials)}
        for state in ("completed", "diverged", "failed", "waiting"):
            row[state] = int((of["status"] == state).sum())
        if isinstance(grid.trials[0], Measurement):
            measured = len(ids.intersection(studies.distances["trial_id"]))
            row |= {"completed": measured, "waiting": len(ids) - measured}
        done = of[of["status"].isin(["completed", "diverged"])]
        row |= {
            "seeds": of["seed"].nunique(),
            "steps done": int(of["steps_done"].fillna(0).sum()),
            "steps": int(of["steps"].sum()),
            "gpu_hours": float((attempts["wall_seconds"] * attempts["gpu_share"]).sum()) / 3600,
            "cpu_hours": float((attempts["wall_seconds"] * attempts["cpus"]).sum()) / 3600,
            "devices": ", ".join(sorted(attempts["device"].dropna().unique())) or "–",
            "code": ", ".join(sorted({c[:10] for c in done["code_version"].dropna()})) or "–",
        }
        rows.append(row)
    note = "Hours are all that was allocated, scoring, failures and interruptions included."
    frame = _without_gpus(pd.DataFrame(rows))
    return [Table("standing", "Trials, or measurements", frame, note)]


def _without_gpus(hours: pd.DataFrame) -> pd.DataFrame:
    """Columns of GPU hours only where any were allocated."""
    of_gpus = [name for name in hours.columns if "gpu_hours" in name]
    return hours.drop(columns=of_gpus) if not hours[of_gpus].to_numpy().any() else hours


def _each_study(studies: Studies) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The trials of each, and what the names and titles of its figures have more.

    Studies are experiments of their own: no line is of two.
    """
    several = len(studies.grids) > 1
    for grid in studies.grids:
        of = studies.trials["trial_id"].isin([trial.trial_id for trial in grid.trials])
        if of.any():
            more = (f"_{grid.study}", f"{grid.study}: ") if several else ("", "")
            yield *more, studies.trials[of]


def _swept(trials: pd.DataFrame) -> list[str]:
    return swept_besides_seed(trials[list(COLUMN_TYPES)], most=MOST_SWEPT)


def _scores(studies: Studies) -> list[Block]:
    final = final_scores(studies.scores, studies.trials)
    final = studies.scored(final[final["score"].isin(studies.own_scores)])
    if final.empty:
        return [Missing("Scores", "No trial has been scored yet.")]
    blocks: list[Block] = []
    for suffix, prefix, trials in _each_study(studies):
        swept, of = _swept(trials), final[final["trial_id"].isin(trials["trial_id"])]
        if len(of) and swept:
            runs = trials[trials["trial_id"].isin(of["trial_id"])]
            title, figure, drawn = _score_panels(of, runs, swept)
            name = f"final_scores_by_parameter{suffix}"
            blocks.append(Drawing(name, f"{prefix}{title}", figure, drawn))
    title = "Final scores: mean over seeds, with its 95 % bootstrap interval"
    swept = swept_besides_seed(studies.trials[list(COLUMN_TYPES)], most=len(COLUMN_TYPES))
    table = by_group(final, [*swept, "representation", "score"])
    return [*blocks, Table("final_scores", title, table)]


def _score_panels(
    final: pd.DataFrame, runs: pd.DataFrame, swept: list[str]
) -> tuple[str, Figure, pd.DataFrame]:
    along = axis_of(runs, swept)
    others = [name for name in swept if name != along]
    lines = told_apart(runs, sorted(others, key=is_loss, reverse=True))
    pooled = within(runs, swept, [along, *lines])
    final = final.assign(line=labels(final, lines))
    keys = ["representation", "score", "line", along]
    drawn = medians(final, keys) if pooled else by_group(final, keys)

    values = runs[along].drop_duplicates()
    if pd.api.types.is_numeric_dtype(values):
        values = values.sort_values()
    ticks = [short(value) for value in values]
    look: dict[str, Any] = {"fontsize": "small"}
    if len(" ".join(ticks)) > MOST_LETTERS:
        look = {"fontsize": "x-small", "rotation": 45, "ha": "right"}
    place_of = {tick: place for place, tick in enumerate(ticks)}
    panels = final[["representation", "score"]].drop_duplicates().to_records(index=False).tolist()
    several = final["representation"].nunique() > 1
    figure, axes = sheet(len(panels))
    names = list(dict.fromkeys(labels(runs, lines)))
    for panel, (representation, score) in zip(axes, panels, strict=True):
        of = drawn[(drawn["representation"] == representation) & (drawn["score"] == score)]
        for number, name in enumerate(names):
            line = of[of["line"] == name]
            line = line.assign(place=line[along].map(short).map(place_of)).sort_values("place")
            aside = BARS_WIDTH * ((number + 0.5) / len(names) - 0.5)
            with_intervals(panel, (line["place"] + aside).tolist(), line, number, name)
        panel.set_title(f"{score},\n{representation}" if several else score, fontsize="medium")
        panel.set_xticks(range(len(ticks)), ticks, **look)
        panel.set_xlabel(along, fontsize="small")
    if lines:
        legend_above(figure, axes)
    if pooled:
        title = f"medians over {over(runs, pooled)}, with bars {SPREAD_IN_WORDS}"
    else:
        title = f"means over {over(runs, [])}, with 95 % bootstrap intervals"
        title = title if over(runs, []) else "a run each"
    return f"Final scores: {title}", figure, drawn


def _curves(studies: Studies) -> list[Block]:
    if studies.curves.empty:
        return [Missing("Curves", "No trial has reported yet.")]
    blocks: list[Block] = []
    reported = studies.curves["trial_id"].unique()
    for suffix, prefix, trials in _each_study(studies):
        runs = trials[trials["trial_id"].isin(reported)]
        if len(runs):
            note, figure, drawn = _curve_panels(studies.curves, runs, _swept(trials))
            title = f"{prefix}Loss terms by step"
            blocks.append(Drawing(f"curves{suffix}", title, figure, drawn, note))
    return blocks


def _curve_panels(
    curves: pd.DataFrame, runs: pd.DataFrame, swept: list[str]
) -> tuple[str, Figure, pd.DataFrame]:
    """A row of panels for each loss that was minimised: no other has its scale."""
    losses = [name for name in swept if is_loss(name)]
    lines = told_apart(runs, [name for name in swept if name not in losses])
    of = runs[["trial_id"]].assign(minimised=labels(runs, losses), line=labels(runs, lines))
    joined = curves[["trial_id", "step", *TERMS]].merge(of, on="trial_id")
    keys = ["minimised", "line", "step"]
    drawn = pd.concat(
        [medians(joined, keys, term).assign(term=term) for term in TERMS], ignore_index=True
    )
    rows = list(dict.fromkeys(of["minimised"]))
    figure, axes = sheet(len(TERMS) * len(rows), columns=len(TERMS))
    names = list(dict.fromkeys(of["line"]))
    for panel, (minimised, term) in zip(axes, product(rows, TERMS), strict=True):
        here = drawn[(drawn["minimised"] == minimised) & (drawn["term"] == term)]
        for number, name in enumerate(names):
            line = here[here["line"] == name]
            panel.plot(line["step"], line["value"], color=colour(number), label=name, lw=1.2)
            panel.fill_between(
                line["step"], line["low"], line["high"], color=colour(number), alpha=0.15, lw=0
            )
        panel.set_title(f"{term}, {minimised}" if minimised else term, fontsize="medium")
        panel.set_xlabel("step", fontsize="small")
    if lines:
        legend_above(figure, axes)
    pooled = over(runs, within(runs, swept, [*losses, *lines]))
    note = f"Medians over {pooled}, with bands {SPREAD_IN_WORDS}." if pooled else "A run each."
    return note, figure, drawn


def _hours(studies: Studies) -> list[Block]:
    trials = studies.trials
    stages = by_stage(account(studies.attempts, trials, studies.scores))
    stages.loc["total"] = stages.sum()
    stages = _without_gpus(stages).reset_index()
    blocks: list[Block] = [
        Table(
            "hours_by_stage",
            "By stage, as allocated: those that led to rows, in progress, and wasted",
            stages,
        )
    ]
    done = trials[trials["status"].isin(["completed", "diverged"])].dropna(
        subset=["gpu_hours", "cpu_hours"]
    )
    kind = "gpu_hours" if done["gpu_hours"].sum() > 0 else "cpu_hours"
    if len(done):
        figure, [axes] = sheet(1, panel_inches=(7, 2.7))
        axes.hist(done[kind].astype(float), bins=min(40, max(5, len(done) // 4)), color=colour(0))
        axes.set_xlabel(f"{kind[:3].upper()} hours of a trial", fontsize="small")
        axes.set_ylabel("trials", fontsize="small")
        columns = ["trial_id", "framework", "steps", "train_seconds", "gpu_hours", "cpu_hours"]
        blocks.append(Drawing("hours_by_trial", "By trial", figure, done[[*columns, "device"]]))
    return blocks


def _failures(failed: pd.DataFrame, swept: list[str]) -> list[Block]:
    shown = failed[["trial_id", *swept, "seed", "error"]].copy()
    shown["error"] = [str(error).strip().rsplit("\n", 1)[-1] for error in failed["error"]]
    blocks: list[Block] = [Table("failures", "Trials that failed", shown)]
    for row in failed.head(MOST_TRACEBACKS).itertuples():
        blocks.append(Text(f"Traceback of {row.trial_id}", str(row.error)))
    return blocks
