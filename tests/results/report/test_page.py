from __future__ import annotations

import math
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from results.report.blocks import Drawing, Missing, Section, Table, Text
from results.report.page import MOST_ROWS, write_page


def drawing(name: str) -> Drawing:
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([1, 2])
    return Drawing(name, "A line", figure, pd.DataFrame({"x": [1, 2]}), "drawn")


SECTIONS = [
    Section(
        "First",
        [
            Table("numbers", "Numbers", pd.DataFrame({"name": ["<b>"], "value": [0.12345]})),
            drawing("line"),
            Missing("Figure 9", "needs trials of grids/x.yaml"),
            Text("Traceback", "a < b & c"),
        ],
    )
]


class Sources(HTMLParser):
    """Every address that a browser would fetch to show the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fetched = {"img": "src", "script": "src", "link": "href", "iframe": "src"}
        self.found += [value or "" for name, value in attrs if fetched.get(tag) == name]


def test_a_page_holds_its_pictures_and_needs_no_other_file(tmp_path: Path) -> None:
    page = write_page(SECTIONS, tmp_path, title="s & t", lines=["a line"]).read_text()
    sources = Sources()
    sources.feed(page)
    assert sources.found and all(s.startswith("data:image/png;base64,") for s in sources.found)
    assert "@import" not in page and "url(" not in page
    for said in ("s &amp; t", "&lt;b&gt;", "0.1235", "a &lt; b &amp; c", "Figure 9: not shown."):
        assert said in page


def test_what_is_shown_lies_beside_the_page_as_files(tmp_path: Path) -> None:
    write_page(SECTIONS, tmp_path, title="t", lines=[])
    assert pd.read_csv(tmp_path / "tables" / "numbers.csv")["value"].tolist() == [0.12345]
    assert pd.read_csv(tmp_path / "tables" / "line.csv")["x"].tolist() == [1, 2]
    assert (tmp_path / "figures" / "line.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "figures" / "line.svg").read_bytes()


@pytest.mark.parametrize(("colour", "mode"), [("0.3", "L"), ("tab:blue", "RGBA")])
def test_a_grey_figure_is_stored_in_one_channel_with_the_same_pixels(
    tmp_path: Path, colour: str, mode: str
) -> None:
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([1, 2], color=colour)
    figure.savefig(tmp_path / "plain.png")
    write_page([Section("S", [Drawing("line", "A line", figure)])], tmp_path, title="t", lines=[])
    plain = Image.open(tmp_path / "plain.png").convert("RGB")
    written = Image.open(tmp_path / "figures" / "line.png")
    assert written.mode == mode
    np.testing.assert_array_equal(np.asarray(written.convert("RGB")), np.asarray(plain))


def test_a_page_made_again_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for title in ("one", "two"):
        write_page(SECTIONS, tmp_path, title=title, lines=[])
    assert "<h1>two</h1>" in (tmp_path / "report.html").read_text()
    assert not list(tmp_path.rglob(".*"))  # nothing half-written is left


def test_a_long_table_is_cut_in_the_page_and_whole_in_its_file(tmp_path: Path) -> None:
    rows = MOST_ROWS + 5
    table = Table("long", "Long", pd.DataFrame({"row": range(rows)}))
    page = write_page([Section("s", [table])], tmp_path, title="t", lines=[]).read_text()
    assert f"The first {MOST_ROWS} of {rows} rows." in page
    assert len(pd.read_csv(tmp_path / "tables" / "long.csv")) == rows


def test_two_blocks_of_one_name_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="several blocks of this report are called line"):
        write_page(
            [Section("s", [drawing("line"), drawing("line")])], tmp_path, title="t", lines=[]
        )


def test_numbers_have_the_digits_that_say_something(tmp_path: Path) -> None:
    values = [0.5, 12345.678, 1e-5, math.nan, 0.0]
    table = Table("n", "N", pd.DataFrame({"value": values}))
    page = write_page([Section("s", [table])], tmp_path, title="t", lines=[]).read_text()
    for shown in ("0.5", "1.235e+04", "1e-05", "–", "0"):
        assert f">{shown}</td>" in page
