"""The code table of a trained model: the evaluation grid, encoded once, in float32."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.datasets.dataset import Dataset
from trainers.models import VAE
from trainers.pixels import Pixels
from trainers.precision import kernels


class Codes(NamedTuple):
    """Posteriors [R, N, Z]: R draws of the nuisance, N cells in row-major order, Z latents."""

    mean: npt.NDArray[np.float32]
    logvar: npt.NDArray[np.float32]


def encode(
    model: VAE, dataset: Dataset, *, device: torch.device | str, batch_size: int = 256
) -> Codes:
    """Encodes the evaluation grid, last factor fastest; R = 1, as no dataset has a nuisance yet."""
    device = torch.device(device)
    pixels = Pixels(dataset, device)
    positions = [torch.tensor(grid, device=device) for grid in dataset.evaluation_grid]
    cells = torch.arange(int(np.prod([len(grid) for grid in positions])), device=device)
    means, logvars = [], []
    with torch.inference_mode(), kernels("fp32"):
        for cells_B in torch.split(cells, batch_size):
            images_BCHW = dataset.images(factors_of(cells_B, positions))
            mean_BZ, logvar_BZ = model.encode(pixels.to_float(images_BCHW))
            means.append(mean_BZ)
            logvars.append(logvar_BZ)
        return Codes(
            torch.cat(means)[None].cpu().numpy(),
            torch.cat(logvars)[None].cpu().numpy(),
        )


def factors_of(cells_B: Tensor, positions: list[Tensor]) -> Tensor:
    """Positions of the factors at row-major cells of a grid of those positions, int64 [B, F]."""
    columns = []
    for positions_P in reversed(positions):
        columns.append(positions_P[cells_B % len(positions_P)])
        cells_B = cells_B // len(positions_P)
    return torch.stack(columns[::-1], dim=1)
