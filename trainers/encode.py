"""The code table of a trained model: the evaluation grid, encoded once, in float32."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from trainers.datasets.dataset import Dataset
from trainers.evaluation import evaluation_images
from trainers.models.vae import VAE
from trainers.pixels import Pixels
from trainers.precision import kernels
from trainers.sampling import factors_of

BATCH_SIZES = {"cpu": 256, "cuda": 2048}
"""A core's cache holds the small one; a GPU is filled by the large one."""


class Codes(NamedTuple):
    """[R, N, Z] each: R draws of the nuisance, N cells in row-major order, Z latents.

    Of some rows of these: [M, Z]. Of votes: [V, I, Z], I images each.
    """

    mean: npt.NDArray[np.float32]
    logvar: npt.NDArray[np.float32] | None
    """None where the framework has no posterior."""


def encode(
    model: VAE,
    dataset: Dataset,
    *,
    device: torch.device | str,
    posterior: bool = True,
    rows: npt.NDArray[np.int64] | None = None,
) -> Codes:
    """Encodes the evaluation grid, last factor fastest, with each of the evaluation draws.

    Without a `posterior` the codes have no variances. Of `rows`, int64 [M], only these: row r*N + i
    is cell i with draw r. They are encoded in full batches, as those of the whole grid are: of a
    single image the last bits would be others.
    """
    device = torch.device(device)
    positions = [torch.tensor(grid, device=device) for grid in dataset.evaluation_grid]
    num_cells = math.prod(len(grid) for grid in positions)
    draws = dataset.evaluation_draws
    batch_size = BATCH_SIZES[device.type]
    if rows is None:
        every = torch.arange(draws * num_cells)
    else:
        every = torch.from_numpy(np.pad(rows, (0, -len(rows) % batch_size), mode="edge"))
    batches = (
        dataset.images(factors_of(rows_B % num_cells, positions), rows_B // num_cells)
        for rows_B in torch.split(every.to(device), batch_size)
    )
    shape = (draws, num_cells) if rows is None else (len(rows),)
    return _encode(model, dataset, batches, (*shape, model.latents), device, posterior)


def encode_votes(
    model: VAE,
    dataset: Dataset,
    images_VICHW: Tensor,
    *,
    device: torch.device | str,
    posterior: bool = True,
) -> Codes:
    """Encodes votes of images, as the dataset's are: [V, I, Z], a vote at a time."""
    device = torch.device(device)
    shape = (*images_VICHW.shape[:2], model.latents)
    batches = (images_ICHW.to(device) for images_ICHW in images_VICHW)
    return _encode(model, dataset, batches, shape, device, posterior)


def encode_sample(
    model: VAE,
    dataset: Dataset,
    *,
    images: int,
    device: torch.device | str,
    posterior: bool = True,
) -> Codes:
    """Encodes images that follow from the dataset alone, [1, images, Z]; a multiple of 100."""
    device = torch.device(device)
    batches = evaluation_images(dataset, images, device)
    return _encode(model, dataset, batches, (1, images, model.latents), device, posterior)


def _encode(
    model: VAE,
    dataset: Dataset,
    batches: Iterable[Tensor],
    shape: tuple[int, ...],
    device: torch.device,
    posterior: bool,
) -> Codes:
    pixels = Pixels(dataset, device)
    means, logvars = [], []
    images = math.prod(shape[:-1])
    with torch.inference_mode(), kernels("fp32"):
        for images_BCHW in batches:
            if posterior:
                mean_BZ, logvar_BZ = model.encode(pixels.to_float(images_BCHW))
                logvars.append(logvar_BZ)
            else:
                mean_BZ = model.code(pixels.to_float(images_BCHW))
            means.append(mean_BZ)
        return Codes(
            torch.cat(means)[:images].view(shape).cpu().numpy(),
            torch.cat(logvars)[:images].view(shape).cpu().numpy() if posterior else None,
        )
