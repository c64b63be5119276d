"""Sections as one HTML page that opens from disk without a network, and files beside it.

`<out>/report.html` has the pictures inside; `<out>/figures/` and `<out>/tables/` have the same as
PNG, SVG and CSV. Each file is written whole or not at all.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure
from PIL import Image

from results.files import atomic_write
from results.report.blocks import Block, Drawing, Missing, Section, Table
from results.report.claims import HELD, NOT_ENOUGH, NOT_HELD

PAGE = "report.html"
MOST_ROWS = 200
"""Of a table in the page; its CSV has all."""
TEMPLATE = Path(__file__).with_name("page.html")
STYLES = {HELD: "held", NOT_HELD: "not-held", NOT_ENOUGH: "not-enough"}


class Cell(NamedTuple):
    text: str
    style: str


def write_page(sections: Sequence[Section], out: Path, *, title: str, lines: Sequence[str]) -> Path:
    """Writes all files and gives the page's path; `lines` stand below the title.

    ValueError where two blocks have one name.
    """
    names = [b.name for s in sections for b in s.blocks if isinstance(b, Table | Drawing)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"several blocks of this report are called {', '.join(sorted(twice))}")
    for folder in ("figures", "tables"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    shown = [
        {
            "title": section.title,
            "note": section.note,
            "blocks": [_written(block, out) for block in section.blocks],
        }
        for section in sections
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(TEMPLATE.read_text())
    page = template.render(title=title, lines=list(lines), sections=shown)
    _write(out / PAGE, page.encode())
    return out / PAGE


def _written(block: Block, out: Path) -> dict[str, Any]:
    """Writes a block's files; what the template needs of it."""
    if isinstance(block, Table):
        return _table(block, out)
    if isinstance(block, Drawing):
        return _drawing(block, out)
    if isinstance(block, Missing):
        return {"kind": "missing", "title": block.title, "why": block.why}
    return {"kind": "text", "title": block.title, "text": block.text}


def _table(block: Table, out: Path) -> dict[str, Any]:
    csv = _csv(block.name, block.frame, out)
    head = block.frame.head(MOST_ROWS)
    columns = [[_cell(value) for value in head[name]] for name in head.columns]
    return {
        "kind": "table",
        "title": block.title,
        "note": block.note,
        "columns": [str(name) for name in head.columns],
        "rows": [list(row) for row in zip(*columns, strict=True)],
        "left_out": len(block.frame) - len(head),
        "csv": csv,
    }


def _drawing(block: Drawing, out: Path) -> dict[str, Any]:
    png = _png(block.figure)
    block.figure.set_layout_engine("none")  # it is laid out, and need not be again
    files = []
    for kind, content in (("png", png), ("svg", _svg(block.figure))):
        _write(out / "figures" / f"{block.name}.{kind}", content)
        files.append(f"figures/{block.name}.{kind}")
    if block.frame is not None:
        files.append(_csv(block.name, block.frame, out))
    return {
        "kind": "drawing",
        "title": block.title,
        "note": block.note,
        "png": base64.b64encode(png).decode(),
        "files": files,
    }


def _png(figure: Figure) -> bytes:
    """In one channel where all is grey: half the bytes of a sheet of pictures."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    image = Image.open(buffer).convert("RGB")
    red, green, blue = image.split()
    if red == green == blue:
        buffer = io.BytesIO()
        red.save(buffer, format="png")
    return buffer.getvalue()


def _svg(figure: Figure) -> bytes:
    """Without a date, so that a report that is made again has the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _csv(name: str, frame: pd.DataFrame, out: Path) -> str:
    _write(out / "tables" / f"{name}.csv", frame.to_csv(index=False).encode())
    return f"tables/{name}.csv"


def _cell(value: Any) -> Cell:
    if value is None or value is pd.NA or value is pd.NaT:
        return Cell("–", "")
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", "")
    if isinstance(value, int | np.integer):
        return Cell(f"{value:,}", "number")
    if isinstance(value, float | np.floating):
        return Cell("–" if math.isnan(value) else _digits(float(value)), "number")
    return Cell(str(value), STYLES.get(str(value), ""))


def _digits(value: float) -> str:
    """Four digits after the point where that says something, else four that count."""
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.4f}".rstrip("0").rstrip(".") or "0"
    return f"{value:.4g}"


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; not synced, as a report is made again in no time."""
    atomic_write(path, content, durable=False)
