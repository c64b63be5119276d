"""What any study's report has: how it stands, scores, curves, hours, failures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from grids.columns import COLUMN_TYPES
from grids.measurement import Measurement
from results.analysis.intervals import by_group
from results.analysis.selection import final_scores
from results.analysis.swept import swept_besides_seed
from results.hours import account, by_stage
from results.report.blocks import Block, Drawing, Missing, Section, Table, Text
from results.report.figures import colour, sheet, with_intervals
from results.report.studies import Studies

MOST_SWEPT = 4
MOST_LINES = 7
"""Lines in one panel; of more, the mean over the further parameters is drawn."""
MOST_TRACEBACKS = 20


def sections(studies: Studies) -> list[Section]:
    swept = swept_besides_seed(studies.trials[list(COLUMN_TYPES)], most=MOST_SWEPT)
    found = [Section("How it stands", _standing(studies))]
    if len(studies.trials):
        found += [
            Section("Scores by swept parameter", _scores(studies, swept)),
            Section("Curves", _curves(studies, swept)),
            Section("Compute hours", _hours(studies)),
        ]
    failed = studies.trials[studies.trials["status"] == "failed"]
    if len(failed):
        found.append(Section("Failures", _failures(failed, swept)))
    return found


def _standing(studies: Studies) -> list[Block]:
    trials = studies.trials
    rows = []
    for grid in studies.grids:
        of = trials[trials["study"] == grid.study]
        row: dict[str, object] = {"study": grid.study, "trials": len(grid.trials)}
        for state in ("completed", "diverged", "failed", "waiting"):
            row[state] = int((of["status"] == state).sum())
        if isinstance(grid.trials[0], Measurement):
            ids = {trial.trial_id for trial in grid.trials}
            measured = len(ids.intersection(studies.distances["trial_id"]))
            row |= {"completed": measured, "waiting": len(ids) - measured}
        done = of[of["status"].isin(["completed", "diverged"])]
        row |= {
            "seeds": of["seed"].nunique(),
            "steps done": int(of["steps_done"].fillna(0).sum()),
            "steps": int(of["steps"].sum()),
            "GPU hours": float(done["gpu_hours"].sum()),
            "CPU hours": float(done["cpu_hours"].sum()),
            "devices": ", ".join(sorted(done["device"].dropna().unique())) or "–",
            "code": ", ".join(sorted({c[:10] for c in done["code_version"].dropna()})) or "–",
        }
        rows.append(row)
    return [Table("standing", "Trials, or measurements", pd.DataFrame(rows))]


def _scores(studies: Studies, swept: list[str]) -> list[Block]:
    final = final_scores(studies.scores, studies.trials)
    final = studies.scored(final[final["score"].isin(studies.own_scores)])
    if final.empty:
        return [Missing("Scores", "No trial has been scored yet.")]
    keys = [*swept, "representation", "score"]
    table = by_group(final, keys)
    blocks: list[Block] = [
        Table(
            "final_scores",
            "Final scores: mean over seeds, with its 95 % bootstrap interval",
            table,
        )
    ]
    if swept:
        blocks.insert(0, Drawing("final_scores_by_parameter", *_score_panels(final, swept)))
    return blocks


def _axis_of(final: pd.DataFrame, swept: list[str]) -> str:
    """The swept parameter on the x axis: the number with most values, else the first."""
    numbers = [name for name in swept if pd.api.types.is_numeric_dtype(final[name])]
    return max(numbers or swept[:1], key=lambda name: final[name].nunique())


def _score_panels(final: pd.DataFrame, swept: list[str]) -> tuple[str, Figure]:
    along = _axis_of(final, swept)
    others = [name for name in swept if name != along]
    while others and len(final.drop_duplicates(others)) > MOST_LINES:
        others.pop()
    values = sorted(final[along].dropna().unique())
    place_of = {value: place for place, value in enumerate(values)}
    panels = final[["representation", "score"]].drop_duplicates().to_records(index=False).tolist()
    figure, axes = sheet(len(panels))
    several = final["representation"].nunique() > 1
    for panel, (representation, score) in zip(axes, panels, strict=True):
        of = final[(final["representation"] == representation) & (final["score"] == score)]
        groups = list(of.groupby(others, dropna=False, sort=False)) if others else [((), of)]
        for number, (key, rows) in enumerate(groups):
            line = by_group(rows.dropna(subset=[along]), [along])
            label = ", ".join(str(part) for part in key) or "all"
            with_intervals(panel, [place_of[v] for v in line[along]], line, number, label)
        panel.set_title(f"{score}, {representation}" if several else score, fontsize="medium")
        panel.set_xticks(range(len(values)), [_short(v) for v in values], fontsize="small")
        panel.set_xlabel(along, fontsize="small")
    if others:
        axes[0].legend(fontsize="x-small", frameon=False, title=", ".join(others))
    return "Mean over seeds with 95 % bootstrap intervals", figure


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _curves(studies: Studies, swept: list[str]) -> list[Block]:
    curves = studies.curves
    if curves.empty:
        return [Missing("Curves", "No trial has reported yet.")]
    keys = list(swept)
    trials = studies.trials[
        ["trial_id", *keys, *(["framework"] if "framework" not in keys else [])]
    ]
    while keys and len(trials.drop_duplicates(keys)) > MOST_LINES:
        keys.pop()
    keys = keys or ["framework"]
    terms = ["loss", "reconstruction_per_image", "kl_nats"]
    joined = curves[["trial_id", "step", *terms]].merge(trials, on="trial_id")
    groups = list(joined.groupby(keys, dropna=False, sort=False))
    figure, axes = sheet(len(terms))
    rows = []
    for number, (key, of) in enumerate(groups):
        label = ", ".join(_short(part) for part in key)
        by_step = of.groupby("step")[terms].agg(["mean", "min", "max"])
        for panel, term in zip(axes, terms, strict=True):
            line = by_step[term]
            panel.plot(line.index, line["mean"], color=colour(number), label=label, linewidth=1.2)
            panel.fill_between(
                line.index, line["min"], line["max"], color=colour(number), alpha=0.15, linewidth=0
            )
            rows.append(line.reset_index().assign(term=term, trials=label))
    for panel, term in zip(axes, terms, strict=True):
        panel.set_title(term, fontsize="medium")
        panel.set_xlabel("step", fontsize="small")
    if len(groups) <= 2 * MOST_LINES:
        axes[0].legend(fontsize="x-small", frameon=False, title=", ".join(keys))
    note = "Lines are means over trials, bands reach from the least to the largest."
    drawn = pd.concat(rows, ignore_index=True)
    return [Drawing("curves", "Loss terms by step", figure, drawn, note)]


def _hours(studies: Studies) -> list[Block]:
    trials = studies.trials
    stages = by_stage(account(studies.attempts, trials, studies.scores)).reset_index()
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
