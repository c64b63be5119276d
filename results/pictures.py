"""PNG files, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from results.files import temporary_beside

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_png(path: Path) -> None:
    """ValueError, in one line, where a picture cannot be written: before the work, not after."""
    if path.suffix != ".png":
        raise ValueError(f"{path}: is not a picture's name; valid: one that ends in .png")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; valid: a file")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}; valid: one that exists")


def save_png(figure: Figure, path: Path) -> None:
    """Puts the figure at `path` in one step."""
    with temporary_beside(path) as temporary:
        figure.savefig(temporary, format="png")
        temporary.replace(path)
