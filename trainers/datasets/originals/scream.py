"""The Scream (Munch 1893), whose crops are the backgrounds of Scream-dSprites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainers.datasets.originals.streams import damaged
from trainers.datasets.source import Batch, SourceError

FIT = (350, 274)  # width, height
CROP = 64


def read_scream(path: Path) -> npt.NDArray[np.uint8]:
    """uint8 [H, W, 3], the photograph shrunk to fit 350 x 274, in its own proportions.

    disentanglement_lib 86a644d, data/ground_truth/dsprites.py, leaves filter and gap to Pillow;
    here they stand, as Pillow has them since 7.0, so that pixels do not change with it.

    Raises SourceError unless the file is a whole JPEG in colour that leaves room for crops.
    """
    from PIL import Image

    kinds = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
    with open(path, "rb") as file, damaged(path, "a JPEG image", *kinds):
        with Image.open(file, formats=("JPEG",)) as image:
            if image.mode != "RGB":
                raise SourceError(f"{path}: expected an RGB image, found {image.mode}")
            image.thumbnail(FIT, resample=Image.Resampling.BICUBIC, reducing_gap=2.0)
            painting = np.array(image)
    if min(painting.shape[:2]) <= CROP:
        raise SourceError(
            f"{path}: expected more than {CROP} pixels each way when shrunk to fit "
            f"{FIT[0]} x {FIT[1]}, found {painting.shape[1]} x {painting.shape[0]}"
        )
    return painting


@dataclass(frozen=True)
class Scream:
    """The shrunk painting as a source of one image."""

    path: Path
    parts: int = 1

    def read(self, part: int) -> Iterator[Batch]:
        yield Batch(np.zeros(1, dtype=np.int64), read_scream(self.path)[None])
