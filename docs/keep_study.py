"""Keeps the figures and tables of a study's report in docs/studies/<study>/, and what made them.

python docs/keep_study.py runs/STUDY [runs/STUDY ...]

The page itself and the SVG files are left out: the pictures would be there three times.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

from orchestrator.report import make_report
from results import load

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
    """Where it ran, with what, for how long; then the figures, and links to the tables."""
    frames = [load(root, with_curves=False) for root in roots]
    done = pd.concat([f.trials[f.trials["status"].isin(["completed", "diverged"])] for f in frames])
    attempts = pd.concat([f.attempts for f in frames])
    hours = (attempts[["cpus", "gpu_share"]].mul(attempts["wall_seconds"], axis=0)).sum() / 3600
    manifest = json.loads((roots[0] / "manifest.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    lines = [
        f"# {', '.join(root.name for root in roots)}",
        "",
        f"{manifest['source']}. {len(done)} of {manifest['trials']} done, last on "
        f"{done['finished_at'].max():%Y-%m-%d}; {hours['cpus']:.2f} CPU hours and "
        f"{hours['gpu_share']:.2f} GPU hours, allocated, on "
        f"{', '.join(sorted(done['device'].unique()))}.",
        "",
        f"Made by commit {manifest['code_version'][:10]} with {versions}.",
        "",
    ]
    lines += [f"![{file.stem}](figures/{file.name})" for file in sorted(kept.glob("figures/*"))]
    lines += ["", "Tables:", ""]
    lines += [f"- [{file.stem}](tables/{file.name})" for file in sorted(kept.glob("tables/*"))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
