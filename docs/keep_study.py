"""Keeps the figures and tables of a study's report in docs/studies/<study>/, and what made them.

python docs/keep_study.py runs/STUDY [runs/STUDY ...]

The README of that folder is headed by the comment of the grid file: what was run, what it shows and
what more it would take. The page itself and the SVG files are left out: the pictures would be there
three times.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

from grids.load import load_grid
from orchestrator.report import make_report
from results import load
from results.report.write import purpose

STUDIES = Path(__file__).with_name("studies")


def main(roots: list[Path]) -> None:
    kept = STUDIES / roots[0].name
    with tempfile.TemporaryDirectory() as folder:
        made = make_report(roots, Path(folder)).parent
        shutil.rmtree(kept, ignore_errors=True)
        for name in ("figures/*.png", "tables/*.csv"):
            for file in sorted(made.glob(name)):
                target = kept / file.relative_to(made)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
    (kept / "README.md").write_text(about(roots, kept), encoding="utf-8")


def about(roots: list[Path], kept: Path) -> str:
    """What was run where, with what, for how long; what was claimed; figures, links to tables."""
    lines = [f"# {', '.join(root.name for root in roots)}", ""]
    for root in roots:
        lines += [purpose(load_grid(root / "study.yaml")), "", ran(root), ""]
    tables = sorted(kept.glob("tables/*"))
    lines += claims([pd.read_csv(file) for file in tables])
    lines += [f"![{file.stem}](figures/{file.name})" for file in sorted(kept.glob("figures/*"))]
    lines += ["", "Tables:", ""]
    lines += [f"- [{file.stem}](tables/{file.name})" for file in tables]
    return "\n".join(lines) + "\n"


def ran(root: Path) -> str:
    """How many trials, in which hours, on what, by which versions."""
    grid = load_grid(root / "study.yaml")
    wanted = [trial.trial_id for trial in grid.trials]  # a grid that was changed leaves others
    frames = load(root, with_curves=False)
    trials, attempts = (t[t["trial_id"].isin(wanted)] for t in (frames.trials, frames.attempts))
    done = trials[trials["status"].isin(["completed", "diverged"])]
    hours = attempts[["cpus", "gpu_share"]].mul(attempts["wall_seconds"], axis=0)
    cpu_hours, gpu_hours = hours.sum() / 3600
    manifest = json.loads((root / "manifest.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    return (
        f"{manifest['source']}. {len(done)} of {len(wanted)} trials done, last on "
        f"{done['finished_at'].max():%Y-%m-%d}; {cpu_hours:.2f} CPU hours and {gpu_hours:.2f} GPU "
        f"hours, allocated, on {', '.join(sorted(done['device'].unique()))}. Made by commit "
        f"{manifest['code_version'][:10]} with {versions}."
    )


def claims(tables: list[pd.DataFrame]) -> list[str]:
    """A Markdown table of the claims that these runs have a statistic of."""
    judged = [table.dropna(subset="value") for table in tables if "verdict" in table]
    if not sum(map(len, judged)):
        return []
    lines = ["| claim | statistic | value [95 % interval] | n | verdict |", "|---|---|---|---|---|"]
    rows = pd.concat(judged)
    stated = rows["statement"] + " (" + rows["source"] + ")"
    rows["statement"] = stated.where(stated != stated.shift(), "")
    for row in rows.itertuples():
        interval = f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]"
        cells = (row.statement, row.statistic, interval, row.n, row.verdict)
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return [*lines, ""]


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
