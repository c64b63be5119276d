"""The code table of a trained model: the evaluation grid, encoded once, in float32."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from trainers.datasets.dataset import Dataset
from trainers.models.vae import VAE
from trainers.pixels import Pixels
from trainers.precision import kernels
from trainers.sampling import factors_of


class Codes(NamedTuple):
    """[R, N, Z] each: R draws of the nuisance, N cells in row-major order, Z latents."""

    mean: npt.NDArray[np.float32]
    logvar: npt.NDArray[np.float32] | None
    """None where the framework has no posterior."""


def encode(
    model: VAE,
    dataset: Dataset,
    *,
    device: torch.device | str,
    posterior: bool = True,
    batch_size: int = 256,
) -> Codes:
    """Encodes the evaluation grid, last factor fastest, with each of the evaluation draws.

    Without a `posterior` the codes have no variances.
    """
    device = torch.device(device)
    pixels = Pixels(dataset, device)
    positions = [torch.tensor(grid, device=device) for grid in dataset.evaluation_grid]
    num_cells = math.prod(len(grid) for grid in positions)
    rows = torch.arange(dataset.evaluation_draws * num_cells, device=device)
    means, logvars = [], []
    with torch.inference_mode(), kernels("fp32"):
        for rows_B in torch.split(rows, batch_size):
            factors_BF = factors_of(rows_B % num_cells, positions)
            images_BCHW = dataset.images(factors_BF, rows_B // num_cells)
            if posterior:
                mean_BZ, logvar_BZ = model.encode(pixels.to_float(images_BCHW))
                logvars.append(logvar_BZ)
            else:
                mean_BZ = model.code(pixels.to_float(images_BCHW))
            means.append(mean_BZ)
        shape = (dataset.evaluation_draws, num_cells, model.latents)
        return Codes(
            torch.cat(means).view(shape).cpu().numpy(),
            torch.cat(logvars).view(shape).cpu().numpy() if posterior else None,
        )
