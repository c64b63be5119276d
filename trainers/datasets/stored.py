"""A dataset whose images are all kept: an image is a row of the prepared array."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grids.data_folder import DataError
from grids.datasets import Images
from trainers.datasets.dataset import cell_index, evaluation_grid
from trainers.datasets.prepared import Prepared

EVALUATION_DRAWS = 10_000
"""Most nuisance draws of a cell that are encoded: the points that unsupervised scores take."""


class Stored:
    """The prepared images of a dataset; on the CPU shared with all other processes.

    Raises DataError where they are not as many, or not of the size, as the parameters say.
    """

    def __init__(self, parameters: Images, prepared: Prepared, device: torch.device) -> None:
        channels, height, width = parameters.image_shape
        count = math.prod(parameters.factor_sizes) * parameters.nuisances
        if prepared.shape != (count, height, width, channels):
            raise DataError(
                f"{prepared.path}: holds {list(prepared.shape)}, {parameters.name} has "
                f"{[count, height, width, channels]}; delete the folder and prepare again"
            )
        self.factor_names = parameters.factor_names
        self.factor_sizes = parameters.factor_sizes
        self.nuisances = parameters.nuisances
        self.image_shape = parameters.image_shape
        self.standardise = parameters.standardise
        self.evaluation_grid = evaluation_grid(self.factor_sizes)
        self.evaluation_draws = min(self.nuisances, EVALUATION_DRAWS)
        self.mean, self.std = prepared.mean, prepared.std
        self.fingerprint = prepared.fingerprint
        self._images_NP = prepared.tensor(device).flatten(1)

    def images(self, factors_BF: Tensor, nuisance_B: Tensor) -> Tensor:
        """uint8 [B, C, H, W] in channels_last order."""
        index_B = cell_index(factors_BF, self.factor_sizes) * self.nuisances + nuisance_B
        channels, height, width = self.image_shape
        images_BHWC = self._images_NP[index_B].view(len(index_B), height, width, channels)
        return images_BHWC.permute(0, 3, 1, 2)
