"""How much the metrics agree (figure 2)."""

from __future__ import annotations

from results.report.blocks import Block, Drawing, Missing, Section
from results.report.locatello2019.analyses import Analyses
from results.report.locatello2019.matrices import frames, heat_maps, table
from results.report.locatello2019.runs import GRID_FILE, METRICS, Runs


def section(runs: Runs, found: Analyses) -> Section:
    return Section("Agreement of metrics", _blocks(runs, found))


def _blocks(runs: Runs, found: Analyses) -> list[Block]:
    if not found.agreement:
        why = (
            f"It takes a dataset with three runs that two of {', '.join(METRICS)} have scored; "
            f"{GRID_FILE} asks for all six."
        )
        return [Missing("Rank correlation of metrics", why)]
    return [
        Drawing(
            "metric_agreement",
            "Rank correlation of metrics over the runs of a dataset, times 100",
            heat_maps(frames(found.agreement)),
            table(found.agreement, "score", "with", runs),
            "Figure 2 (Noisy-dSprites; its numbers are not in the text). The table has 95 % "
            "bootstrap intervals over seeds.",
        )
    ]
