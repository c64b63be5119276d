"""What is prepared under each name: where the images come from, how many, and of what size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from grids.data_folder import DataFolder
from grids.datasets import Images
from orchestrator.errors import InputError
from trainers.datasets.source import Source


@dataclass(frozen=True)
class ImageSet:
    """Images that are prepared under one name.

    shape is [N, H, W, C]; `resize` is the filter that makes the source's images as small, if they
    are larger; `labels` are kept with the images; `originals` are the files that they come from.
    """

    name: str
    source: Source
    shape: tuple[int, int, int, int]
    resize: str | None = None
    labels: tuple[int, ...] = ()
    originals: tuple[Path, ...] = ()


def image_sets(dataset: Images, data: DataFolder) -> list[ImageSet]:
    """What has to be prepared for a dataset, in order; nothing for one that is drawn."""
    if dataset.stored:
        raise InputError(f"{dataset.name}: preparing it is not built yet")
    return []


def of_dataset(dataset: Images, source: Source, originals: tuple[Path, ...] = ()) -> ImageSet:
    """All images of a dataset, under the first of its names."""
    channels, height, width = dataset.image_shape
    return ImageSet(
        name=dataset.stored[0],
        source=source,
        shape=(math.prod(dataset.factor_sizes) * dataset.nuisances, height, width, channels),
        resize=getattr(dataset, "resize", None),
        originals=originals,
    )
