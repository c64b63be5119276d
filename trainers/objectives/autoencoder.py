"""Autoencoder: Hinton and Salakhutdinov 2006; the baseline of Michlo et al. 2023.

    L = <r>_N,    z = encoder(x) without noise

The mean over the N elements of an image, as disent's Ae has it; its encoder's head has Z outputs.
"""

from __future__ import annotations

from grids.trial import Trial
from trainers.models.vae import VAE
from trainers.objectives.evidence import decoded_error
from trainers.objectives.step import Step, Terms


def autoencoder(model: VAE, step: Step, trial: Trial) -> Terms:
    """Terms of one batch; no KL."""
    images_BCHW = step.images_BCHW
    reconstruction, own = decoded_error(model, model.code(images_BCHW), images_BCHW, trial)
    return Terms(reconstruction / images_BCHW[0].numel(), reconstruction, None, own)
