"""PCA and ICA: linear codes fitted to one batch of images (Fil et al. 2021, appendix B).

Both give the weights of the `linear` network, so that they encode, decode and are kept as any
trained model is: code = (x - mean) E^T, x^ = code D^T + mean, x the N values of an image on the
model's scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from grids import parts
from grids.trial import Trial
from trainers.streams import Stream, normals

Floats = npt.NDArray[np.float32]


class LinearFit(NamedTuple):
    """E, D and the mean, and the framework's own terms."""

    encoder_ZN: Floats
    decoder_NZ: Floats
    mean_N: Floats
    own: dict[str, float]

    def state_dict(self) -> dict[str, Tensor]:
        """The weights of the `linear` network, by its names."""
        weights = {
            "encoder.1.weight": self.encoder_ZN,
            "encoder.1.bias": -self.encoder_ZN @ self.mean_N,
            "decoder.0.weight": self.decoder_NZ,
            "decoder.0.bias": self.mean_N,
        }
        return {name: torch.from_numpy(np.ascontiguousarray(w)) for name, w in weights.items()}


def pca(images_BN: Floats, trial: Trial) -> LinearFit:
    """Principal components (Pearson 1901) by ARPACK's singular vectors, to machine precision."""
    from sklearn.decomposition import PCA

    assert isinstance(trial.framework, parts.PCA)
    full = trial.latents >= min(images_BN.shape)
    fitted = PCA(
        n_components=trial.latents,
        whiten=trial.framework.whiten,
        svd_solver="full" if full else "arpack",
        random_state=0,  # where ARPACK starts; the signs are fixed afterwards
    ).fit(images_BN)
    scale_Z1 = np.ones((trial.latents, 1), np.float32)
    if trial.framework.whiten:
        tiny = np.finfo(np.float32).eps
        scale_Z1 = np.sqrt(np.maximum(fitted.explained_variance_, tiny))[:, None]
    return LinearFit(
        (fitted.components_ / scale_Z1).astype(np.float32),
        (fitted.components_ * scale_Z1).T.astype(np.float32),
        fitted.mean_.astype(np.float32),
        {"explained_variance_ratio": float(fitted.explained_variance_ratio_.sum())},
    )


def ica(images_BN: Floats, trial: Trial) -> LinearFit:
    """FastICA (Hyvarinen and Oja 2000), from an unmixing matrix of the trial's own stream.

    A fit that stops at its largest number of iterations is a result: `fit_iterations` says so.
    Raises ValueError where the images vary in fewer directions than there are latents: it would
    divide by nothing, and give numbers.
    """
    from sklearn.decomposition import FastICA
    from sklearn.exceptions import ConvergenceWarning

    framework, latents = trial.framework, trial.latents
    assert isinstance(framework, parts.ICA)
    start_ZZ = normals(trial.seed, Stream.INITIALISATION, 0, latents, latents, dtype=torch.float64)
    # scikit-learn gives each direction the sign of its first pixel, and so loses the directions of
    # images whose first pixel is always black: the fit begins at the first pixel that varies.
    first = int(np.argmax(np.ptp(images_BN, axis=0) > 0))
    # Of few images there are directions without variance, which it divides by and does not use.
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = FastICA(
            n_components=latents,
            algorithm=framework.algorithm,
            whiten=framework.whitening.replace("_", "-"),
            fun=framework.contrast,
            max_iter=framework.largest_iterations,
            tol=framework.tolerance,
            w_init=start_ZZ.numpy(),
        ).fit(np.roll(images_BN, -first, axis=1).astype(np.float64))
    # A row of the whitening has the length 1 / (singular value of the images).
    singular_Z = 1 / np.linalg.norm(fitted.whitening_, axis=1)
    tiny = np.finfo(np.float32).eps * max(images_BN.shape) * singular_Z.max()
    if (rank := int((singular_Z > tiny).sum())) < latents:
        raise ValueError(
            f"ica: {len(images_BN)} images that vary in {rank} directions have no {latents} "
            f"independent components; valid: latents of at most {rank}"
        )
    return LinearFit(
        np.roll(fitted.components_, first, axis=1).astype(np.float32),
        np.roll(fitted.mixing_, first, axis=0).astype(np.float32),
        np.roll(fitted.mean_, first).astype(np.float32),
        {"fit_iterations": float(fitted.n_iter_)},
    )


def fit_images(images_BCHW: Tensor) -> Floats:
    """The batch as the fits take it, on the host."""
    flat: npt.NDArray[Any] = images_BCHW.flatten(1).cpu().numpy()
    return np.ascontiguousarray(flat, dtype=np.float32)


BASELINES: dict[str, Callable[[Floats, Trial], LinearFit]] = {"pca": pca, "ica": ica}
