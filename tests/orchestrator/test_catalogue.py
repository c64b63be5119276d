"""The lists of what a grid may name: complete, within 80 columns, and as the page has them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import MISSING
from pathlib import Path

import pytest

from grids.fields import Field, declared_fields
from grids.terms import TERMS
from metrics import METRICS
from orchestrator.catalogue import LISTS, listed, markdown, spelled, with_tables

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "catalogue.md").read_text(encoding="utf-8")
MEANINGS_FROM = 35  # the column where the meanings of parameters stand

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(params=list(LISTS))
def what(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def unwrapped(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


def default(field: Field) -> str:
    return "no default" if field.required else spelled(plain(field.default))


def plain(default: object) -> object:
    """As JSON has it."""
    return list(default) if isinstance(default, tuple) else default


def written(field: Field) -> tuple[str, str]:
    """The name and what is valid, as a grid file has them: memory is given with its unit."""
    if field.name == "memory_bytes":
        return "memory", "a number and a unit, as in 2GiB, or null"
    return field.name, field.what


def name_of(what: str, part: type) -> str:
    return next(name for name, listed_part in LISTS[what].items() if listed_part is part)


def entries(shown: str, names: list[str]) -> list[list[str]]:
    """The lines of each entry, which starts with its name alone."""
    lines = shown.splitlines()
    starts = [lines.index(name) for name in names]
    assert starts[0] == 0 and starts == sorted(starts)
    return [lines[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]


def test_every_name_parameter_and_source_is_shown_within_80_columns(
    latentgrid: Command, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = latentgrid(what)
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    shown = entries(done.stdout, list(LISTS[what]))
    for lines, part in zip(shown, LISTS[what].values(), strict=True):
        assert (part.__doc__ or "").partition("\n")[0] in unwrapped(lines)
        source = getattr(part, "source", "")
        assert (f"Source: {source}." in unwrapped(lines)) == bool(source)
        for term in getattr(part, "terms", ()) if what == "frameworks" else ():
            assert f"Reports {term}: {TERMS[term]}." in unwrapped(lines)
        table = [line for line in lines if line.startswith("    ")]
        names = [line[:MEANINGS_FROM].strip() for line in table]
        meanings = unwrapped([line[MEANINGS_FROM:] for line in table])
        declared = declared_fields(part).values()
        assert [name for name in names if name] == [
            f"{written(field)[0]}: {default(field)}" for field in declared
        ]
        for field in declared:
            assert field.description, "what is it?"
            assert f"{field.description}; valid: {written(field)[1]}" in meanings


def test_json_is_the_same_list_for_programs(latentgrid: Command, what: str) -> None:
    printed = json.loads(latentgrid(what, "--json").stdout)
    assert list(printed) == [what] and printed[what] == listed(what)
    for row, (name, part) in zip(printed[what], LISTS[what].items(), strict=True):
        assert (row["name"], row["source"]) == (name, getattr(part, "source", ""))
        parameters = {
            p["name"]: (MISSING if p["required"] else p["default"], p["valid"])
            for p in row["parameters"]
        }
        declared = declared_fields(part).values()
        valid = dict(map(written, declared))
        assert parameters == {
            name: (plain(f.default), valid[name]) for name, f in zip(valid, declared, strict=True)
        }


def test_what_each_has_or_takes_is_said(latentgrid: Command) -> None:
    named = (what for what in LISTS if what != "parameters")  # a schedule is called linear, too
    rows = {row["name"]: row for what in named for row in listed(what)}
    assert rows["beta_tc_vae"]["beta_conventions"] == ["sum"]
    assert rows["ada_ml_vae"]["pairs"] and not rows["vae"]["pairs"]
    assert [name for name, row in rows.items() if row.get("fitted_once")] == ["pca", "ica"]
    assert rows["conv_burgess"]["image_sizes"] == [32, 64]
    assert rows["linear"]["image_sizes"] is None and rows["linear"]["most_latents"] is None
    assert rows["shapes3d"]["images"] == 480_000 and rows["color_dsprites"]["images"] is None
    assert rows["cars3d"]["factors"] == {"elevation": 4, "azimuth": 24, "object": 183}
    shown = unwrapped([line for what in LISTS for line in latentgrid(what).stdout.splitlines()])
    for said in (
        "Has 48,600 images of 64x64x1; category 5, elevation 9, azimuth 18 cyclic, lighting 6.",
        "Has 737,280 x random images of 64x64x3; shape 3,",
        "Has 50,000 images of 32x32x3; without factors.",
        "Has 1,000,000 images of 64x64x1; pos_x, pos_y (continuous).",
        "Takes no beta.",
        "Takes beta (mean or sum) and pairs of images.",
        "Takes steps: 1 and model: linear.",
        "Takes images of 32x32 or 64x64; at most 256 latents.",
        "Takes images of any size; at most as many latents as an image has values.",
    ):
        assert said in shown


def test_the_tables_of_the_page_are_what_is_declared_now(what: str) -> None:
    assert with_tables(PAGE) == PAGE, "stale: python -m orchestrator.catalogue"
    rows = markdown(what).splitlines()[2:]
    for row, part in zip(rows, LISTS[what].values(), strict=True):
        assert row in PAGE.splitlines()
        name, source = name_of(what, part), getattr(part, "source", "")
        assert row.startswith(f"| `{name}` | ") and row.endswith(f" | {source} |")
        assert row.count("|") == 5
        for field in declared_fields(part).values():
            assert f" `{written(field)[0]}` {default(field)}" in row
            assert field.many or all(choice in row for choice in field.choices or ())


def test_a_stale_table_is_renewed_and_a_missing_one_named() -> None:
    name = next(iter(LISTS["models"]))
    assert with_tables(PAGE.replace(f"| `{name}` | ", "| `old` | ")) == PAGE
    with pytest.raises(ValueError, match="has no <!-- models --> and <!-- /models -->"):
        with_tables(PAGE.replace("<!-- /models -->", ""))


def test_help_has_an_example_and_the_readme_the_command(latentgrid: Command, what: str) -> None:
    shown = latentgrid(what, "--help")
    assert shown.returncode == 0
    assert f"Example: latentgrid {what} " in " ".join(shown.stdout.split())
    assert f"`latentgrid {what} " in README


def test_the_lists_need_neither_torch_nor_ray(what: str) -> None:
    code = (
        "import sys; from orchestrator.cli import app; "
        f"app([{what!r}], standalone_mode=False); "
        "sys.exit(', '.join({'torch', 'ray'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_metric_is_listed_with_what_it_takes_and_where_it_is_from(
    latentgrid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = latentgrid("metrics").stdout
    assert max(map(len, shown.splitlines())) <= 80
    for (name, metric), lines in zip(METRICS.items(), entries(shown, list(METRICS)), strict=True):
        text = unwrapped(lines)
        assert metric.summary in text and f"Source: {metric.citation}." in text
        assert f"Scores: {', '.join(metric.scores)}." in text
        assert f"| `{name}` | {metric.summary} | " in PAGE
    assert "Takes a code table or votes; 0 to 1, higher is better; below 1 s." in unwrapped(
        shown.splitlines()
    )
    rows = json.loads(latentgrid("metrics", "--json").stdout)["metrics"]
    assert [row["name"] for row in rows] == list(METRICS)
    assert {row["name"]: row["value_range"] for row in rows}["elbo"] == [None, None]
    assert "`latentgrid metrics " in README


def test_a_metric_by_its_name_is_shown_with_its_definition(
    latentgrid: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = latentgrid("metrics", "dci")
    assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= 80
    text = unwrapped(done.stdout.splitlines())
    assert text.startswith("dci Takes a code table; 0 to 1, higher is better; about 5 s.")
    assert "fast: train_samples 1,000, test_samples 500; full: train_samples 10,000" in text
    assert all(name in text for name in ("dci_disentanglement", "dci_completeness"))
    assert "of trees grown by `metrics.boosting`" in text  # its function
    assert "Eastwood and Williams 2018" in text  # its file
    for name, command in (("nope", ("nope",)), ("dcj", ("dcj",)), ("--json", ("dci", "--json"))):
        refused = latentgrid("metrics", *command)
        assert refused.returncode == 2 and refused.stdout == ""
        [line] = refused.stderr.splitlines()
        assert name in line and "valid: " in line
    assert "did you mean dci?" in latentgrid("metrics", "dcj").stderr
