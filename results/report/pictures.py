"""What a trial's latents do, drawn from the arrays in its `pictures.npz`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from results.arrays import read_arrays
from results.files import Location
from results.report.studies import Studies
from results.schema import SchemaError
from results.store import PICTURES

FRAME = 2
GREY = 90

Image = npt.NDArray[np.uint8]


def pictures_of(studies: Studies, trial_id: str) -> Location | None:
    """The trial's `pictures.npz`; None where it left none."""
    folder = studies.artifacts(trial_id)
    path = folder / PICTURES if folder is not None else None
    return path if path is not None and path.exists() else None


def read_pictures(path: Location) -> dict[str, npt.NDArray[Any]]:
    """uint8: `originals`, `reconstructions` [n, C, H, W], `traversals` [latents, steps, C, H, W].

    FileNotFoundError; SchemaError where the file is damaged or holds anything else.
    """
    arrays = read_arrays(path, "originals", "reconstructions", "traversals")
    image = arrays["originals"].shape[1:]
    right = len(image) == 3 and image[0] in (1, 3) and min(image) > 0
    right &= arrays["originals"].shape == arrays["reconstructions"].shape
    right &= arrays["traversals"].ndim == 5 and arrays["traversals"].shape[2:] == image
    right &= all(len(array) > 0 and array.dtype == np.uint8 for array in arrays.values())
    if not right:
        raise SchemaError(f"{path}: not pictures of a trial")
    return arrays


def tiled(images: npt.NDArray[np.uint8]) -> Image:
    """uint8 [rows, columns, C, H, W] as one picture uint8 [., ., C], lines of grey between."""
    framed = np.pad(
        images.transpose(0, 1, 3, 4, 2),
        ((0, 0), (0, 0), (FRAME, FRAME), (FRAME, FRAME), (0, 0)),
        constant_values=GREY,
    )
    rows, columns, height, width, channels = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)


def kl_by_latent(trial: pd.Series) -> npt.NDArray[np.float64] | None:
    """The final KL of each latent, nats; None where the framework has no posterior."""
    found = trial["final_kl_nats_by_latent"]
    return None if found is None or np.isscalar(found) else np.asarray(found, dtype=np.float64)


def traversal_sheet(path: Location, trial: pd.Series, *, most_latents: int | None = None) -> Figure:
    """A row a latent that goes from -3 to 3 while the others rest, by falling KL.

    `trial` is its row in the table; below the traversals stand originals and reconstructions.
    """
    arrays = read_pictures(path)
    traversals = arrays["traversals"]
    originals, reconstructions = arrays["originals"], arrays["reconstructions"]
    kl_nats = kl_by_latent(trial)
    order = np.arange(len(traversals)) if kl_nats is None else np.argsort(-kl_nats, kind="stable")
    order = order[:most_latents]
    cell = originals.shape[-1] + 2 * FRAME
    height = cell * len(order) / 75
    figure = Figure(figsize=(8.6, height + 2.2), layout="compressed", dpi=100)
    top, bottom = figure.subplots(2, 1, height_ratios=[height, 1.9])
    top.imshow(tiled(traversals[order]), cmap="gray", vmin=0, vmax=255)
    steps = np.linspace(-3, 3, traversals.shape[1])
    top.set_xticks(cell * (np.arange(len(steps)) + 0.5), [f"{s:g}" for s in steps])
    top.set_yticks(
        cell * (np.arange(len(order)) + 0.5),
        [f"z{i}" + ("" if kl_nats is None else f"  {kl_nats[i]:.2f} nats") for i in order],
    )
    top.set_title("one latent at a time, in standard deviations of the prior", fontsize="medium")
    bottom.imshow(tiled(np.stack([originals, reconstructions])), cmap="gray", vmin=0, vmax=255)
    bottom.set_xticks([])
    bottom.set_yticks([])
    bottom.set_title("images, and below them what is made of them", fontsize="medium")
    for axes in (top, bottom):
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0, labelsize="small")
    return figure
