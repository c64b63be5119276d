"""Moments of Inception features of real and of generated images: what the FID is computed from.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6. All images pass
through bytes, as those of a file would.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from grids.trial import Trial
from trainers import gaussian
from trainers.datasets.dataset import Dataset
from trainers.evaluation import BATCH_SIZE, evaluation_images
from trainers.inception import FEATURES, Inception
from trainers.models.vae import VAE
from trainers.pixels import Pixels
from trainers.precision import kernels
from trainers.reconstruction import reconstruction_of
from trainers.sampling import images_of
from trainers.streams import Stream, normals


class Moments(NamedTuple):
    """Of n feature vectors: their mean [2048] and covariance [2048, 2048] (divisor n - 1)."""

    n: int
    mean: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]


def moments(network: Inception, batches: Iterable[Tensor]) -> Moments:
    """Of the features of batches of images, uint8 [B, C, H, W]; at least two images."""
    device = next(network.parameters()).device
    n = 0
    sums = torch.zeros(FEATURES, dtype=torch.float64, device=device)
    products = torch.zeros(FEATURES, FEATURES, dtype=torch.float64, device=device)
    with torch.inference_mode(), kernels("fp32"):
        for images_BCHW in batches:
            features = network(images_BCHW).to(torch.float64)
            n += len(features)
            sums += features.sum(dim=0)
            products += features.T @ features
    mean = sums / n
    covariance = (products - n * torch.outer(mean, mean)) / (n - 1)
    return Moments(n, mean.cpu().numpy(), covariance.cpu().numpy())


def real_images(dataset: Dataset, images: int, device: torch.device) -> Iterator[Tensor]:
    """Batches as the dataset gives them: each image once where there are no more than `images`,
    else so many that follow from the dataset alone."""
    count = math.prod(dataset.factor_sizes) * dataset.nuisances
    if count > images:
        yield from evaluation_images(dataset, images, device)
        return
    positions = [torch.arange(size, device=device) for size in dataset.factor_sizes]
    for numbers_B in torch.split(torch.arange(count, device=device), BATCH_SIZE):
        yield dataset.images(*images_of(numbers_B, positions, dataset.nuisances))


def real_bytes(dataset: Dataset, images: int, device: torch.device) -> Iterator[Tensor]:
    """The same as uint8."""
    for images_BCHW in real_images(dataset, images, device):
        yield images_BCHW.round().to(torch.uint8)


def reconstructions(
    model: VAE, dataset: Dataset, trial: Trial, images: int, device: torch.device
) -> Iterator[Tensor]:
    """Of samples of the posteriors of the real images (Fil et al. 2021), uint8."""
    pixels = Pixels(dataset, device)
    mean_image = reconstruction_of(trial.reconstruction, model.log_sigma).mean_image
    for step, images_BCHW in enumerate(real_images(dataset, images, device)):
        target_BCHW = pixels.to_float(images_BCHW)
        if trial.framework.posterior:
            noise_BZ = _noise(step, len(target_BCHW), trial, device)
            code_BZ = gaussian.sample(*model.encode(target_BCHW), noise_BZ)
        else:
            code_BZ = model.code(target_BCHW)
        yield pixels.to_bytes(mean_image(model.decode(code_BZ)))


def prior_samples(
    model: VAE, dataset: Dataset, trial: Trial, images: int, device: torch.device
) -> Iterator[Tensor]:
    """Decoded draws of the prior, uint8: as many as there are real images."""
    pixels = Pixels(dataset, device)
    mean_image = reconstruction_of(trial.reconstruction, model.log_sigma).mean_image
    count = min(images, math.prod(dataset.factor_sizes) * dataset.nuisances)
    for step, rows in enumerate(torch.split(torch.arange(count), BATCH_SIZE)):
        # Other noise than that of the reconstructions.
        code_BZ = _noise(step + count, len(rows), trial, device)
        yield pixels.to_bytes(mean_image(model.decode(code_BZ)))


def _noise(step: int, rows: int, trial: Trial, device: torch.device) -> Tensor:
    step_there = torch.tensor(step, device=device)
    return normals(0, Stream.EVALUATION_NOISE, step_there, rows, trial.latents, dtype=torch.float32)
