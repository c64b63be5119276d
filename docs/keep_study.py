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

from orchestrator.report import make_report, read

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
    trials = read(roots).trials
    done = trials[trials["status"].isin(["completed", "diverged"])]
    manifest = json.loads((roots[0] / "manifest.json").read_text())
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    lines = [
        f"# {', '.join(root.name for root in roots)}",
        "",
        f"{manifest['source']}. {len(done)} of {len(trials)} trials done, last on "
        f"{done['finished_at'].max():%Y-%m-%d}; {done['cpu_hours'].sum():.2f} CPU hours and "
        f"{done['gpu_hours'].sum():.2f} GPU hours, allocated, of training and encoding, on "
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
