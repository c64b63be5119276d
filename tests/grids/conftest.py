from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grids.load import Grid, load_grid


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Grid]:
    """load_grid of a text, through a file."""

    def load_text(text: str) -> Grid:
        path = tmp_path / "grid.yaml"
        path.write_text(text, encoding="utf-8")
        return load_grid(path)

    return load_text
