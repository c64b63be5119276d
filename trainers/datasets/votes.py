"""The evaluation set of a dataset without a factor grid: images in votes, each with a label."""

from __future__ import annotations

import json
from typing import NamedTuple

import torch
from torch import Tensor

from grids.data_folder import DataError, DataFolder
from grids.datasets import Song
from trainers.datasets.prepared import read_prepared


class Votes(NamedTuple):
    """images: uint8 [V, I, C, H, W]; factors: int64 [V], the one that the images of a vote share.

    It is an index of the dataset's `continuous_factors`.
    """

    images: Tensor
    factors: Tensor


def read_votes(dataset: Song, data: DataFolder, device: torch.device | str = "cpu") -> Votes:
    """The prepared votes of one of Song's sets; DataError where they are missing.

    80 votes a factor, of 400 images each unless the dataset says otherwise (Song 2018, section
    3.3.2, as his code has it).
    """
    name = dataset.stored[1]
    prepared = read_prepared(data, name)
    try:
        labels = [int(label) for label in json.loads(data.info(name).read_text())["labels"]]
        images_NHWC = prepared.tensor(torch.device(device))
        images_VIHWC = images_NHWC.view(len(labels), -1, *images_NHWC.shape[1:])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{data.info(name)}: damaged ({error}); delete and prepare again") from None
    return Votes(images_VIHWC.permute(0, 1, 4, 2, 3), torch.tensor(labels, device=device))
