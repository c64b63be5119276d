"""The report of Locatello et al. 2019 on made-up studies: whole, partial, small, empty."""

from __future__ import annotations

import dataclasses
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from grids.load import load_grid
from grids.trial import Trial
from results.analysis import resampling
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.claims import HELD, NOT_ENOUGH, NOT_HELD
from results.report.locatello2019 import claims, sections, selection, theorem, variance
from results.report.locatello2019.analyses import analyse
from results.report.locatello2019.runs import SCORES, runs_of
from results.report.page import PAGE
from results.report.studies import Studies, read_studies
from results.report.write import PAPERS, write_report
from results.schema import SCHEMAS

WHOLE = """
study: {study}
report: locatello2019
trial:
  model: conv_locatello
  latents: 10
  reconstruction: bernoulli
  optimizer: {{name: adam, lr: 1e-4}}
  steps: 300000
cases:
  - {{framework: beta_vae, beta_convention: sum, grid: {{beta: [1, 2, 4, 6, 8, 16]}}}}
  - {{framework: factor_vae, grid: {{framework.gamma: [10, 20, 30, 40, 50, 100]}}}}
  - {{framework: dip_vae_i, grid: {{framework.lambda_od: [1, 2, 5, 10, 20, 50]}}}}
  - {{framework: dip_vae_ii, grid: {{framework.lambda_od: [1, 2, 5, 10, 20, 50]}}}}
  - {{framework: beta_tc_vae, beta_convention: sum, grid: {{beta: [1, 2, 4, 6, 8, 10]}}}}
  - {{framework: annealed_vae, grid: {{framework.capacity_nats: [5, 10, 25, 50, 75, 100]}}}}
grid: {{dataset: [{datasets}], seed: [0, 1, 2]}}
evaluate: {{metrics: [mig, factor_vae]}}
"""
SMALL = """
study: small
report: locatello2019
trial: {model: conv64, latents: 4, steps: 100, beta: 1, beta_convention: sum}
cases:
  - {framework: beta_vae, grid: {beta: [1, 4]}}
  - {framework: autoencoder, beta: null, beta_convention: mean}
grid: {dataset: [{name: xysquares, grid_size: 4}], seed: [0, 1]}
evaluate: {metrics: [mig]}
"""
SPRITES = WHOLE.format(study="whole", datasets="dsprites, color_dsprites")

Value = Callable[[dict[str, Any], str, np.random.Generator], float | None]


def effects(row: dict[str, Any], name: str, rng: np.random.Generator) -> float:
    """What the paper found: scores share an effect of the setting, and one of the run.

    Pairs of metrics share more, Modularity nothing. Total correlations fall (sampled) or rise
    (mean) with the regularisation.
    """
    strength = row.get("framework.lambda_od") or row.get("framework.gamma") or row.get("beta") or 0
    if row["framework"] == "annealed_vae":
        strength = -row["framework.capacity_nats"]
    if name.startswith("TC"):
        return (-1 if "sampled" in name else 1) * 0.1 * strength + (20 if "mean" in name else 10)
    if name == "Modularity":
        return float(rng.normal())
    of_setting = zlib.crc32(f"{row['framework']} {strength}".encode()) % 1_000 / 1_000
    pair = {"BetaVAE": "first", "FactorVAE": "first", "MIG": "second", "DCI": "second"}
    run, of_pair = (
        np.random.default_rng(zlib.crc32(f"{row['trial_id']} {of}".encode())).normal()
        for of in ("run", pair.get(name, name))
    )
    return float(of_setting + 0.2 * run + 0.3 * of_pair + 0.05 * rng.normal())


def study(
    folder: Path,
    text: str,
    value: Value | None = effects,
    *,
    finished: Callable[[dict[str, Any]], bool] = lambda row: True,
    names: tuple[str, ...] = tuple(SCORES),
) -> Path:
    """A study of this grid whose finished trials have the named scores."""
    folder.mkdir()
    (folder / "study.yaml").write_text(text)
    rng = np.random.default_rng(0)
    trials, scores = [], []
    for trial in load_grid(folder / "study.yaml").trials:
        assert isinstance(trial, Trial)
        row = {"study": folder.name, "trial_id": trial.trial_id, **trial.columns()}
        if not finished(row):
            continue
        hours = {"gpu_hours": 0.0, "cpu_hours": 0.1}
        trials.append(row | hours | {"status": "completed", "attempt_id": "a"})
        for name in names if value is not None else ():
            score, representation = SCORES[name]
            scored = {
                "trial_id": trial.trial_id,
                "step": trial.steps,
                "representation": representation,
                "metric": score,
                "metric_version": 1,
                "score": score,
                "value": value(row, name, rng),
                "size": "full",
                "seed": 0,
                "attempt_id": "a",
            }
            if scored["value"] is not None:
                scores.append(scored)
    for table, rows in (("trials", trials), ("scores", scores), ("curves", []), ("attempts", [])):
        pq.write_table(pa.Table.from_pylist(rows, SCHEMAS[table]), folder / f"{table}.parquet")
    return folder


def read(*folders: Path) -> Studies:
    own = {"mig": "mig", "factor_vae": "factor_vae_score"}
    studies = read_studies(folders, own)
    handed_over = pd.DataFrame(
        {
            "score": ["mig", "sap", "dci", *"abc"],
            "supervised": [True] * 3 + [False] * 3,
            "z": [1.0, 0.5, 1.0, 0.1, 0.2, 0.3],
            "f(z)": [0.1, 0.01, 0.0, 0.1, 0.2, 0.3],
        }
    )
    return dataclasses.replace(studies, theorem_1=handed_over)


def blocks_of(found: list[Section]) -> dict[str, Block]:
    return {
        block.name if isinstance(block, Table | Drawing) else block.title: block
        for section in found
        for block in section.blocks
    }


def frame(found: list[Section], name: str) -> pd.DataFrame:
    block = blocks_of(found)[name]
    assert isinstance(block, Table | Drawing) and block.frame is not None
    return block.frame


def missing(found: list[Section]) -> list[Missing]:
    return [b for section in found for b in section.blocks if isinstance(b, Missing)]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough for what is planted, in a fifth of the time."""
    monkeypatch.setattr(resampling, "RESAMPLES", 100)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Studies:
    return read(study(tmp_path_factory.mktemp("whole") / "study", SPRITES))


@pytest.fixture(scope="module")
def found(whole: Studies) -> list[Section]:
    return sections(whole)


def test_the_report_of_the_paper_is_this_one() -> None:
    assert PAPERS["locatello2019"] is sections


def test_a_whole_study_has_everything(found: list[Section]) -> None:
    assert not missing(found)
    assert [section.title for section in found] == [
        "Theorem 1",
        "Total correlation",
        "Agreement of metrics",
        "Spread of scores",
        "Variance explained",
        "Selection of models",
        "Downstream tasks",
        "Claims",
    ]
    assert {name for name, block in blocks_of(found).items() if isinstance(block, Drawing)} == {
        "theorem_1",
        "total_correlation",
        "metric_agreement",
        "spread_by_method",
        "spread_by_regularisation",
        "variance_explained_maps",
        "unsupervised_against_metrics",
        "transfer_maps",
        "downstream_maps",
        "efficiency",
    }


def test_variance_stands_beside_the_published_one(whole: Studies, found: list[Section]) -> None:
    table = frame(found, "variance_explained")
    assert len(table) == 2 * 2 * 6
    row = table[
        (table["dataset"] == "color_dsprites")
        & (table["regression"] == "objective x regularisation")
        & (table["score"] == "DCI")
    ].iloc[0]
    assert row["published"] == 80 and row["runs"] == 108 and row["seeds"] == 3
    assert row["difference"] == pytest.approx(row["value"] - 80, abs=0.11)
    # R^2 by hand.
    runs = runs_of(whole).of("color_dsprites")
    cells = runs.groupby(["method", "regularisation"])["DCI"]
    within = ((runs["DCI"] - cells.transform("mean")) ** 2).sum()
    total = ((runs["DCI"] - runs["DCI"].mean()) ** 2).sum()
    assert row["value"] == pytest.approx(100 * (1 - within / total), abs=0.051)
    assert row["by chance"] == pytest.approx(100 * 35 / 107, abs=0.051)
    wide = table.pivot(index=["dataset", "score"], columns="regression", values="value")
    assert (wide["objective x regularisation"] >= wide["objective"]).all()


def test_each_published_number_stands_beside_its_own(found: list[Section]) -> None:
    downstream = frame(found, "downstream").set_index(["score", "task"])
    assert set(downstream["dataset"]) == {"dsprites"} and len(downstream) == 60
    assert downstream.loc[("MIG", "LR10000"), "published"] == -1
    assert downstream.loc[("SAP", "efficiency (LR)"), "published"] == 56
    transfer = frame(found, "transfer")
    assert transfer[["score", "from", "to", "published"]].to_numpy().tolist() == [
        ["DCI", "dsprites", "color_dsprites", 95]
    ]
    # Of Shapes3D, which is not there; all of the paper's datasets would have to be.
    assert "published" not in frame(found, "selection_success")
    unsupervised = frame(found, "unsupervised_against_metrics_pairs")
    assert unsupervised["published"].isna().all() and len(unsupervised) == 2 * 4 * 6


def test_unsupervised_scores_stand_beside_those_of_shapes3d(tmp_path: Path) -> None:
    def value(row: dict[str, Any], name: str, rng: np.random.Generator) -> float:
        if name == "negative ELBO":  # the score is the ELBO: larger is better
            return -row["seed"] * 1.0
        return row["seed"] * 1.0 if name in ("MIG", "reconstruction") else rng.normal()

    text = WHOLE.format(study="s", datasets="shapes3d")
    runs = runs_of(read(study(tmp_path / "s", text, value)))
    block = blocks_of([selection.section(runs, analyse(runs))])
    table = block["unsupervised_against_metrics_pairs"]
    assert isinstance(table, Table)
    rows = table.frame.set_index(["unsupervised", "score"])
    assert rows.loc[("negative ELBO", "MIG"), "value"] == 100
    assert rows.loc[("reconstruction", "MIG"), "value"] == 100
    published = rows["published"]
    assert published["reconstruction", "MIG"] == 59 and published["negative ELBO", "DCI"] == 9
    assert published["KL", "SAP"] == -29 and published["TC (sampled)", "BetaVAE"] == 1


def test_claims_are_judged_by_what_was_planted(found: list[Section]) -> None:
    table = frame(found, "locatello_claims").set_index("statement")
    assert len(table) == 20 and set(table["verdict"]) <= {HELD, NOT_HELD, NOT_ENOUGH}
    assert (table["n"] >= 3).all()

    def verdict(beginning: str) -> str:
        return str(table[table.index.str.startswith(beginning)]["verdict"].item())

    assert verdict("A perfect code can be entangled") == HELD
    assert verdict("Unsupervised scores do not see") == HELD
    assert verdict("The total correlation of the sampled") == HELD
    assert verdict("The total correlation of the mean") == HELD
    assert verdict("A factorised aggregated posterior") == HELD
    assert verdict("All metrics except Modularity") == HELD
    assert verdict("Modularity is less correlated") == HELD
    assert verdict("BetaVAE and FactorVAE are strongly") == HELD
    assert verdict("MIG and DCI are strongly") == HELD
    assert verdict("A setting chosen by the same metric") == HELD
    # The same effects for all metrics and datasets: a choice transfers, one setting dominates.
    assert verdict("A setting chosen by another metric") == NOT_HELD
    assert verdict("Scores, but those of Modularity") == HELD
    assert verdict("Higher scores do not reliably") == NOT_HELD
    trends = frame(found, "total_correlation_trends")
    assert "annealed_vae" not in set(trends["method"]) and len(trends) == 2 * 5
    assert set(trends["sampled"]) == {-100} and set(trends["mean"]) == {100}


def test_opposite_effects_give_the_opposite_verdict(tmp_path: Path) -> None:
    def reverse(row: dict[str, Any], name: str, rng: np.random.Generator) -> float:
        return -effects(row, name, rng) if name.startswith("TC") else effects(row, name, rng)

    text = WHOLE.format(study="s", datasets="dsprites")
    runs = runs_of(read(study(tmp_path / "s", text, reverse)))
    table = frame([claims.section(runs, analyse(runs), None)], "locatello_claims")
    verdicts = table.set_index("statement")["verdict"]
    for beginning in ("The total correlation of the sampled", "The total correlation of the mean"):
        assert verdicts[verdicts.index.str.startswith(beginning)].item() == NOT_HELD


def test_a_study_that_still_runs_shows_what_is_there(tmp_path: Path) -> None:
    def lacking(row: dict[str, Any], name: str, rng: np.random.Generator) -> float | None:
        # Scoring lags behind: the downstream tasks of most are missing.
        if name.startswith(("LR", "GBT", "eff")) and row["seed"] > 0:
            return None
        return effects(row, name, rng)

    text = WHOLE.format(study="s", datasets="dsprites")
    folder = study(
        tmp_path / "s", text, lacking, finished=lambda row: row["seed"] < 2 and row["beta"] != 4
    )
    found = sections(read(folder))
    assert [block.title for block in missing(found)] == ["Transfer of settings between datasets"]
    table = frame(found, "variance_explained")
    assert set(table["runs"]) == {68} and set(table["seeds"]) == {2}
    assert set(frame(found, "downstream")["seeds"]) == {1}
    assert frame(found, "downstream")["low"].isna().all()
    # The settings of the grid are the paper's, though not all have run.
    assert table["published"].notna().all()
    table = frame(found, "locatello_claims")
    of_runs = table[~table["source"].str.startswith("Theorem")]
    assert set(of_runs["verdict"]) == {NOT_ENOUGH}


@pytest.mark.parametrize("scored", [False, True], ids=["none finished", "none scored"])
def test_a_study_without_scores_says_what_each_figure_takes(tmp_path: Path, scored: bool) -> None:
    folder = study(tmp_path / "s", SPRITES, None, finished=lambda row: scored)
    found = sections(read(folder))
    whys = [block.why for block in missing(found)]
    assert len(whys) == 9
    assert all("grids/locatello2019/unsupervised.yaml" in why for why in whys)
    claims = frame(found, "locatello_claims")
    assert (
        set(claims[claims["n"] == 0]["verdict"]) == {NOT_ENOUGH} and (claims["n"] == 0).sum() == 18
    )


def test_a_theorem_that_was_not_computed_is_missing() -> None:
    assert len(missing([theorem.section(None)])) == 1


def test_a_small_grid_of_other_things_has_no_published_number(tmp_path: Path) -> None:
    names = ("MIG", "FactorVAE", "TC (mean)")
    found = sections(read(study(tmp_path / "s", SMALL, names=names)))
    for block in blocks_of(found).values():
        if isinstance(block, Table | Drawing) and block.frame is not None:
            assert "published" not in block.frame, block.name
    assert "No published number" in blocks_of(found)["variance_explained"].note  # type: ignore[union-attr]
    titles = {block.title for block in missing(found)}
    assert "Transfer of settings between datasets" in titles
    assert "Metrics against downstream tasks" in titles
    assert set(frame(found, "spread_by_method")["method"]) == {"beta_vae", "autoencoder"}


@pytest.mark.parametrize(
    "change",
    [
        ("steps: 300000", "steps: 200000"),
        ("beta: [1, 2, 4, 6, 8, 16]", "beta: [1, 2, 4, 6, 8]"),
        ("beta: [1, 2, 4, 6, 8, 16]", "beta: [1, 2, 4, 6, 8, 32]"),
        ("dataset: [dsprites]", "dataset: [dsprites_rendered]"),
        ("dataset: [dsprites]", "dataset: [{name: color_dsprites, sprites: dsprites_rendered}]"),
    ],
)
def test_what_differs_from_the_paper_has_no_published_number(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    text = WHOLE.format(study="s", datasets="dsprites")
    assert change[0] in text
    assert runs_of(read(study(tmp_path / "a", text))).published == {"dsprites"}
    assert not runs_of(read(study(tmp_path / "b", text.replace(*change)))).published


def test_two_studies_are_shown_together(tmp_path: Path) -> None:
    first = study(tmp_path / "a", WHOLE.format(study="a", datasets="dsprites"))
    as_run = WHOLE.format(study="b", datasets="dsprites").replace(
        "framework: factor_vae,", "framework: factor_vae, steps: 150000,"
    )
    second = study(tmp_path / "b", as_run)
    studies = read(first, second)
    runs = runs_of(studies)
    assert len(runs.rows) == 108 + 18
    assert {"factor_vae, steps 150000", "factor_vae, steps 300000"} <= set(runs.methods)
    assert [block.title for block in missing(sections(studies))] == [
        "Transfer of settings between datasets"
    ]


def test_beside_a_dataset_of_another_grid_stands_nothing(tmp_path: Path) -> None:
    first = study(tmp_path / "a", WHOLE.format(study="a", datasets="dsprites"))
    other = WHOLE.format(study="b", datasets="color_dsprites").replace("8, 16]", "8, 32]")
    runs = runs_of(read(first, study(tmp_path / "b", other)))
    found = [selection.section(runs, analyse(runs)), variance.section(runs, analyse(runs))]
    table = frame(found, "variance_explained").set_index("dataset")["published"]
    assert table["dsprites"].notna().all() and table["color_dsprites"].isna().all()
    assert frame(found, "transfer")["published"].isna().all()


def test_one_metric_and_one_seed_do_not_break_it(tmp_path: Path) -> None:
    folder = study(tmp_path / "s", SPRITES, names=("SAP",), finished=lambda row: row["seed"] == 0)
    found = sections(read(folder))
    assert {block.title for block in missing(found)} == {
        "Total correlation against regularisation",
        "Rank correlation of metrics",
        "Unsupervised scores against metrics",
        "Success of choosing by another seed, metric or dataset",
        "Metrics against downstream tasks",
        "Sample efficiency against the FactorVAE score",
    }
    assert frame(found, "variance_explained")["low"].isna().all()


def test_scores_that_are_all_equal_do_not_break_it(tmp_path: Path) -> None:
    text = WHOLE.format(study="s", datasets="dsprites")
    found = sections(read(study(tmp_path / "s", text, lambda row, name, rng: 1.0)))
    assert frame(found, "variance_explained")["value"].isna().all()
    assert frame(found, "metric_agreement")["value"].isna().all()
    assert frame(found, "locatello_claims")["verdict"].notna().all()


def test_the_page_is_written_with_all_its_files(tmp_path: Path) -> None:
    page = write_report(read(study(tmp_path / "s", SMALL)), tmp_path / "report")
    assert page == tmp_path / "report" / PAGE
    text = page.read_text()
    linked = set(re.findall(r'href="((?:figures|tables)/[^"]+)"', text))
    assert {f"figures/theorem_1.{kind}" for kind in ("png", "svg")} <= linked
    for name in linked:
        assert (page.parent / name).stat().st_size > 0
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    assert "Key experimental results 3" in text


def test_trials_of_another_papers_study_are_none_of_the_sweep(tmp_path: Path) -> None:
    own = study(tmp_path / "small", SMALL, names=("MIG", "FactorVAE"))
    text = SMALL.replace("study: small", "study: other").replace("locatello2019", "michlo2023")
    text = text.replace("grid_size: 4", "grid_size: 2")
    other = study(tmp_path / "other", text, names=("MIG",))
    together = runs_of(read(own, other))
    pd.testing.assert_frame_equal(together.rows, runs_of(read(own)).rows)
    assert len(together.planned) == 6


def test_a_dataset_that_one_score_is_still_missing_of_is_drawn(tmp_path: Path) -> None:
    def value(row: dict[str, Any], name: str, rng: np.random.Generator) -> float | None:
        late = row["dataset"] == "color_dsprites" and name == "FactorVAE"
        return None if late else effects(row, name, rng)

    root = study(tmp_path / "whole", SPRITES, value, names=("MIG", "FactorVAE"))
    assert "spread_by_regularisation" in blocks_of(sections(read(root)))
