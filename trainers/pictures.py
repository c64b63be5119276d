"""Arrays for pictures of a trained model, uint8 [..., C, H, W]; drawing is done elsewhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from grids import parts
from trainers.datasets.dataset import Dataset
from trainers.models.vae import VAE
from trainers.pixels import Pixels
from trainers.precision import kernels
from trainers.reconstruction import reconstruction_of
from trainers.streams import Stream, below, words

CELLS = 8
TRAVERSED = torch.linspace(-3, 3, 7)
"""Where a traversal goes, in standard deviations of the prior."""


@torch.inference_mode()
def pictures(
    model: VAE,
    dataset: Dataset,
    *,
    reconstruction: parts.Reconstruction,
    device: torch.device | str,
) -> dict[str, npt.NDArray[np.uint8]]:
    """By name, from a model trained with this reconstruction loss:

    originals, reconstructions [8, C, H, W]: cells that follow from the dataset alone.
    traversals [Z, 7, C, H, W]: each latent of the first cell's code set to -3 ... 3.
    """
    device = torch.device(device)
    pixels = Pixels(dataset, device)
    sizes_F = torch.tensor(dataset.factor_sizes, dtype=torch.int64, device=device)
    words_BW = words(0, Stream.PICTURES, 0, CELLS, len(sizes_F) + 1).to(device)
    nuisance_B = below(words_BW[:, -1], dataset.nuisances)
    originals = dataset.images(below(words_BW[:, :-1], sizes_F), nuisance_B)
    with kernels("fp32"):
        code_BZ = model.code(pixels.to_float(originals))
        traversed_Z7Z = code_BZ[0].repeat(model.latents, len(TRAVERSED), 1)
        latent_Z = torch.arange(model.latents, device=device)
        traversed_Z7Z[latent_Z, :, latent_Z] = TRAVERSED.to(device)
        outputs = model.decode(torch.cat([code_BZ, traversed_Z7Z.flatten(0, 1)]))
    images = pixels.to_bytes(reconstruction_of(reconstruction).mean_image(outputs)).cpu().numpy()
    return {
        "originals": originals.round().to(torch.uint8).cpu().numpy(),
        "reconstructions": images[:CELLS],
        "traversals": images[CELLS:].reshape(model.latents, len(TRAVERSED), *images.shape[1:]),
    }
