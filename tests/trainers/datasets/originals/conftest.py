from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from trainers.datasets.source import Source, SourceError

Images = npt.NDArray[np.uint8]
Read = Callable[[Source], Images]
Refused = Callable[[Source, Path, str], None]


def read_whole(source: Source) -> Images:
    source = pickle.loads(pickle.dumps(source))
    by_index: dict[int, Images] = {}
    # Parts stand alone: the last one first.
    for part in reversed(range(source.parts)):
        for batch in source.read(part):
            assert batch.indices.dtype == np.int64
            assert batch.images.dtype == np.uint8
            assert batch.images.ndim == 4
            assert batch.images.nbytes <= 2**26
            assert batch.images.flags.c_contiguous
            for index, image in zip(batch.indices.tolist(), batch.images, strict=True):
                assert index not in by_index
                by_index[index] = image
    assert sorted(by_index) == list(range(len(by_index)))
    return np.stack([by_index[index] for index in range(len(by_index))])


@pytest.fixture
def whole() -> Read:
    """uint8 [N, H, W, C], a source's images in the standard order, each seen exactly once."""
    return read_whole


@pytest.fixture
def refused() -> Refused:
    """Checks that a source is refused in one line that names a file and says this."""

    def check(source: Source, path: Path, message: str) -> None:
        with pytest.raises(SourceError) as refusal:
            read_whole(source)
        text = str(refusal.value)
        assert text.startswith(str(path)), text
        assert "\n" not in text
        assert re.search(message, text), text

    return check
