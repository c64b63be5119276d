"""Where the data lies: original files as they were published, and images in standard form.

<data>/<folder>/<file>          original files, fetched or placed by hand
<data>/prepared/<name>/         images.npy, info.json (written last: its presence means complete)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

DATA_VARIABLE = "LATENTGRID_DATA"


def default_data_dir() -> Path:
    """What LATENTGRID_DATA says, else a cache folder in the user's home; absolute."""
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).absolute() / "latentgrid"


class DataError(Exception):
    """Prepared images are missing, damaged, or of another version; one line with what to do."""


@dataclass(frozen=True)
class DataFolder:
    """The paths below a data directory. Plain data: picklable."""

    root: Path

    @property
    def prepared(self) -> Path:
        return self.root / "prepared"

    def images(self, name: str) -> Path:
        """uint8 [N, H, W, C] in the standard order, as numpy.save writes it."""
        return self.prepared / name / "images.npy"

    def info(self, name: str) -> Path:
        return self.prepared / name / "info.json"

    def is_prepared(self, name: str) -> bool:
        return self.info(name).exists()
