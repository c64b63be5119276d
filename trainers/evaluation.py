"""The terms of the evidence of a trained model, on images that follow from the dataset alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from grids.trial import Trial
from trainers import gaussian
from trainers.datasets.dataset import Dataset
from trainers.models.vae import VAE
from trainers.objectives.evidence import reconstruction_per_image
from trainers.pixels import Pixels
from trainers.precision import kernels
from trainers.streams import Stream, below, normals, words

BATCH_SIZE = 100


class Evaluation(NamedTuple):
    """Means over so many images: the trial's loss summed over an image, and the KL in nats."""

    images: int
    reconstruction_per_image: float
    kl_nats_by_latent: tuple[float, ...] | None
    """None where the framework has no posterior."""


def evaluate(
    model: VAE, dataset: Dataset, trial: Trial, *, images: int, device: torch.device | str
) -> Evaluation:
    """Reconstructions of samples of the posterior, as in training, and their KL; in float32.

    The images are the same for all models of a dataset, so that their terms are compared in pairs.
    `images` is a multiple of 100.
    """
    device = torch.device(device)
    pixels = Pixels(dataset, device)
    reconstruction = torch.zeros((), dtype=torch.float64, device=device)
    kl_Z = torch.zeros(trial.latents, dtype=torch.float64, device=device)
    with torch.inference_mode(), kernels("fp32"):
        for step, images_BCHW in enumerate(evaluation_images(dataset, images, device)):
            target_BCHW = pixels.to_float(images_BCHW)
            if trial.framework.posterior:
                mean_BZ, logvar_BZ = model.encode(target_BCHW)
                noise_BZ = normals(
                    0,
                    Stream.EVALUATION_NOISE,
                    torch.tensor(step, device=device),
                    BATCH_SIZE,
                    trial.latents,
                    dtype=torch.float32,
                )
                code_BZ = gaussian.sample(mean_BZ, logvar_BZ, noise_BZ)
                kl_Z += gaussian.kl_from_standard_normal(mean_BZ, logvar_BZ).sum(dim=0)
            else:
                code_BZ = model.code(target_BCHW)
            output_BCHW = model.decode(code_BZ)
            mean, _ = reconstruction_per_image(model, output_BCHW, target_BCHW, trial)
            reconstruction += BATCH_SIZE * mean
    kl = tuple((kl_Z / images).tolist()) if trial.framework.posterior else None
    return Evaluation(images, float(reconstruction.item()) / images, kl)


def evaluation_images(dataset: Dataset, images: int, device: torch.device) -> Iterator[Tensor]:
    """Batches of 100 images [B, C, H, W] as the dataset gives them, drawn with replacement."""
    assert images % BATCH_SIZE == 0
    sizes_F = torch.tensor(dataset.factor_sizes, dtype=torch.int64, device=device)
    for batch in range(images // BATCH_SIZE):
        step = torch.tensor(batch, device=device)
        words_BW = words(0, Stream.EVALUATION, step, BATCH_SIZE, len(sizes_F) + 1)
        nuisance_B = below(words_BW[:, -1], dataset.nuisances)
        yield dataset.images(below(words_BW[:, :-1], sizes_F), nuisance_B)
