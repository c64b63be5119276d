"""What the README shows is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from grids import parts
from grids.load import load_grid
from grids.metrics import METRICS
from results.schema import SCHEMAS
from results.store import StudyFolder

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
HEADING = re.compile(r"^#+ (.*)$", flags=re.MULTILINE)


def test_the_example_grid_is_read_and_has_the_trials_that_its_comments_say(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "my-study.yaml"
    path.write_text(text)
    grid = load_grid(path)
    # Two values of beta for beta-VAE and one for Ada-GVAE, 3 spacings, 5 seeds, 5 excluded.
    assert len(grid.trials) == (2 + 1) * 3 * 5 - 5
    assert {resources.cpus for resources in grid.resources} == {1.0, 2.0}
    assert grid.budget.cpu_hours == 500


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("dataset", parts.DATASETS),
        ("framework", parts.FRAMEWORKS),
        ("model", parts.MODELS),
        ("reconstruction", parts.RECONSTRUCTIONS),
        ("optimizer", parts.OPTIMIZERS),
        ("metric", METRICS),
    ],
)
def test_the_table_of_names_has_every_choice(kind: str, names: list[str]) -> None:
    [row] = re.findall(rf"^\| {kind} \| (.*) \|$", README, flags=re.MULTILINE)
    for name in names:
        assert f"`{name}`" in row


@pytest.mark.parametrize("table", list(SCHEMAS))
def test_the_columns_that_the_readme_names_exist(table: str) -> None:
    [row] = re.findall(rf"^\| `{table}` \| (.*) \|$", README, flags=re.MULTILINE)
    named = re.findall(r"`([a-z_.]+)`", row)
    stages = {f"{stage}_seconds" for stage in ("prepare", "train", "encode", "score", "measure")}
    known = set(SCHEMAS[table].names) | {name.removesuffix("_seconds") for name in stages}
    assert len(named) > 5
    assert set(named) <= known


@pytest.mark.parametrize("page", ["README.md", "docs/catalogue.md"])
def test_links_and_pictures_of_a_page_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", (ROOT / page).read_text())
    assert links
    for link, place in links:
        target = (ROOT / page).parent / link if link else ROOT / page
        assert link.startswith("https://") or target.exists(), link
        assert not place or place in places_of(target), place


def places_of(page: Path) -> list[str]:
    without_code = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return [heading.lower().replace(" ", "-") for heading in HEADING.findall(without_code)]


def test_the_files_of_a_study_are_named_as_in_the_readme(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "s")
    paths = [folder.table(t) for t in SCHEMAS]
    paths += [folder.manifest, folder.study_yaml, folder.weights("<trial_id>")]
    paths += [folder.log("<trial_id>"), folder.artifacts("<trial_id>") / "pictures.npz"]
    for path in paths:
        assert str(path.relative_to(folder.root)) in README
