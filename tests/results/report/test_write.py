from __future__ import annotations

from pathlib import Path

import pytest

from grids.reports import GENERIC, REPORTS
from results.report.write import write_report
from tests.results.report.made_up import made_up_study, read

TINY = """
study: {name}
report: {name}
trial: {{dataset: xysquares, framework: vae, model: conv64, latents: 4, steps: 9, batch_size: 4}}
grid: {{seed: [0, 1]}}
evaluate: {{metrics: [mig]}}
"""


@pytest.mark.parametrize("done", [False, True])
def test_studies_of_all_papers_have_one_report(tmp_path: Path, done: bool) -> None:
    papers = [name for name in REPORTS if name != GENERIC]
    roots = [
        made_up_study(
            tmp_path / name,
            TINY.format(name=name).replace("latents: 4", f"latents: {number}"),
            lambda trial, step: {"mig": 0.5},
            finished=lambda trial: done,
        )
        for number, name in enumerate(papers, start=2)
    ]
    page = write_report(read(*roots), tmp_path / "out").read_text()
    assert len(papers) == 4 and all(f"{name}: " in page for name in papers)
