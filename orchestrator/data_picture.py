"""A picture of a dataset: what each factor and the nuisance change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from grids.datasets import RANDOM_NUISANCES
from results.pictures import save_png
from trainers.datasets.dataset import Dataset

COLUMNS = 12
SEED = 0
TEXT_POINTS = 11
NUISANCE = "nuisance"


def draw_dataset(dataset: Dataset, title: str, path: Path) -> None:
    """Rows of images: a factor's positions evenly spaced, the others in the middle."""
    from matplotlib.figure import Figure

    rows = dataset_rows(dataset)
    figure = Figure(figsize=(COLUMNS + 2, len(rows) + 0.6), layout="constrained", dpi=80)
    grid = figure.subplots(len(rows), COLUMNS, squeeze=False)
    random = dataset.nuisances == RANDOM_NUISANCES
    for places, (name, positions, images) in zip(grid, rows, strict=True):
        for place in places:
            place.axis("off")
        for place, position, image in zip(places, positions, images, strict=False):
            shown = image if image.shape[2] == 3 else image[..., 0]
            place.imshow(shown, cmap="gray", vmin=0, vmax=255)
            if not (random and name == NUISANCE):  # the number of such a draw says nothing
                place.set_title(f"{position:,}", fontsize=TEXT_POINTS, pad=2)
        places[0].text(
            -0.1,
            0.5,
            name,
            ha="right",
            va="center",
            transform=places[0].transAxes,
            fontsize=TEXT_POINTS,
        )
    figure.suptitle(title + (": what is random is drawn anew in every image" if random else ""))
    save_png(figure, path)


def dataset_rows(
    dataset: Dataset,
) -> list[tuple[str, list[int], npt.NDArray[np.uint8]]]:
    """By row: its name, the positions (or draws) shown, their images uint8 [n, H, W, C]."""
    middle_F = torch.tensor([size // 2 for size in dataset.factor_sizes], dtype=torch.int64)
    rows = []
    for factor, (name, size) in enumerate(
        zip(dataset.factor_names, dataset.factor_sizes, strict=True)
    ):
        shown = np.linspace(0, size - 1, min(size, COLUMNS)).round().astype(int).tolist()
        factors_BF = middle_F.repeat(len(shown), 1)
        factors_BF[:, factor] = torch.tensor(shown)
        rows.append((name, shown, _images(dataset, factors_BF, [0] * len(shown))))
    if dataset.nuisances > 1:
        drawn = np.random.default_rng(SEED).integers(dataset.nuisances, size=COLUMNS).tolist()
        name = NUISANCE if dataset.factor_names else "images"
        rows.append((name, drawn, _images(dataset, middle_F.repeat(COLUMNS, 1), drawn)))
    return rows


def _images(
    dataset: Dataset, factors_BF: torch.Tensor, nuisance: list[int]
) -> npt.NDArray[np.uint8]:
    images_BCHW = dataset.images(factors_BF, torch.tensor(nuisance, dtype=torch.int64))
    return images_BCHW.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
