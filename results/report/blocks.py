"""What a report is made of: sections of tables, drawings, texts, and of what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """A frame, in the page and as `tables/<name>.csv`."""

    name: str
    title: str
    frame: pd.DataFrame
    note: str = ""


@dataclass(frozen=True)
class Drawing:
    """A figure, in the page and as `figures/<name>.png` and `.svg`.

    The numbers that it draws are `tables/<name>.csv`, where it has a `frame`.
    """

    name: str
    title: str
    figure: Figure
    frame: pd.DataFrame | None = None
    note: str = ""


@dataclass(frozen=True)
class Text:
    """Lines to be read as they stand, folded away until they are wanted."""

    title: str
    text: str


@dataclass(frozen=True)
class Missing:
    """What a paper shows and these studies have no numbers for (yet), and what it takes."""

    title: str
    why: str


Block = Table | Drawing | Text | Missing


@dataclass(frozen=True)
class Section:
    title: str
    blocks: list[Block]
    note: str = ""
